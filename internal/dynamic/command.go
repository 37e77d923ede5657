package dynamic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// commands runs the commands of gearstorm as a user does.
type commands struct {
	binary  string
	cluster []string // options that say where Nimbus is
	dir     string   // of the definition and its scripts
}

// commandLimit is how long one command may take.
const commandLimit = 2 * time.Minute

// run runs a command and decodes the JSON that it prints into v, unless that is nil.
func (c *commands) run(ctx context.Context, v any, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, slices.Concat(c.cluster, args)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		said := strings.Join(strings.Fields(errs.String()+out.String()), " ")
		return fmt.Errorf("gearstorm %s: %w: %s", strings.Join(args, " "), err, said)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(out.Bytes(), v); err != nil {
		return fmt.Errorf("gearstorm %s: %w in %s", strings.Join(args, " "), err, out.Bytes())
	}
	return nil
}

// change is what apply and rollback say.
type change struct {
	Version int64
	Rows    []struct{ Kind, Component, Text, Restarts string }
}

// restarts is why workers start again for it, "" if they do not.
func (c *change) restarts() string {
	for _, r := range c.Rows {
		if r.Restarts != "" {
			return strings.TrimSpace(r.Component+" "+r.Text) + ": " + r.Restarts
		}
	}
	return ""
}

// made makes an edit.
func (c *commands) made(ctx context.Context, name, file string, e Edit, wait bool) (got change, err error) {
	var args []string
	switch {
	case e.Kind == Rollback:
		args = []string{"rollback", name, strconv.FormatInt(e.To, 10)}
	default:
		args = []string{"apply", file}
		if e.Changed != "" {
			args = append(args, "--replace", e.Changed)
		}
	}
	if !wait {
		args = append(args, "--no-wait")
	}
	if err := c.run(ctx, &got, append(args, "-o", "json")...); err != nil {
		return got, err
	}
	if len(got.Rows) == 0 {
		return got, fmt.Errorf("gearstorm %s: %w", strings.Join(args, " "), errNoChange)
	}
	return got, nil
}

// errNoChange is the error of an edit that makes no version.
var errNoChange = errors.New("it changed nothing")

// kept lists the numbers of the versions that may be gone back to, but not the one that runs.
func (c *commands) kept(ctx context.Context, name string) (map[int64]bool, error) {
	var all []struct {
		Version int64
		State   string
	}
	if err := c.run(ctx, &all, "history", name, "-o", "json"); err != nil {
		return nil, err
	}
	kept := map[int64]bool{}
	for _, v := range all {
		if v.State == "kept" {
			kept[v.Version] = true
		}
	}
	return kept, nil
}

// write puts a version with its scripts into the folder and returns the file that is submitted or applied.
func (c *commands) write(s Spec, name, run string, config map[string]any) (file string, err error) {
	scripts := filepath.Join(c.dir, "resources")
	if err := os.RemoveAll(scripts); err != nil {
		return "", err
	}
	if err := os.MkdirAll(scripts, 0o700); err != nil {
		return "", err
	}
	for name, text := range s.Scripts(run) {
		if err := os.WriteFile(filepath.Join(scripts, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	text, err := s.YAML(name, config)
	if err != nil {
		return "", err
	}
	file = filepath.Join(c.dir, "topology.yaml")
	return file, os.WriteFile(file, text, 0o600)
}
