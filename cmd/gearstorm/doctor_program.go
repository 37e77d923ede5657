package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/doctor"
)

// confOptions are the -c options again, for a program.
func confOptions(c *cli.Context) []string {
	var out []string
	for _, s := range c.StringSlice("c") {
		out = append(out, "-c", s)
	}
	return out
}

// forProgram keeps arguments that begin with "-" from being taken for options.
func forProgram(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	return append([]string{"--"}, args...)
}

const (
	describeTime  = time.Minute
	describeBytes = 64 << 20
)

// examineProgram asks a program written with gearstorm what it would submit.
func examineProgram(ctx context.Context, name string, f *os.File, args []string) (*doctor.Report, error) {
	var d gearstorm.Description
	if err := askProgram(ctx, name, f, &d, nil, append([]string{"describe"}, args...)); err != nil {
		return nil, err
	}
	if d.Topology == nil {
		return nil, fmt.Errorf("ask %s what it would submit: there is no topology in its answer", name)
	}
	cf, err := conf.ParseJSON(d.Conf)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it would submit: %w", name, err)
	}
	r := doctor.Topology(d.Name, d.Topology, cf)
	r.Of, r.What = name, "program"
	return r, nil
}

// askProgram has a program written with gearstorm, of which f is the file, run a command of its own that prints JSON, and reads
// that into v. What it says on standard error becomes part of the error, or goes to told if that is not nil.
func askProgram(ctx context.Context, name string, f *os.File, v any, told io.Writer, args []string) error {
	info, err := buildinfo.Read(f)
	if err != nil || !builtWithGearstorm(info) {
		return fmt.Errorf("%s is a program, but not one that was written in Go with gearstorm", name)
	}
	if at := buildSetting(info, "GOOS") + "/" + buildSetting(info, "GOARCH"); at != runtime.GOOS+"/"+runtime.GOARCH {
		return fmt.Errorf("%s is built for %s, and what it would submit it says only there", name, at)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return err
	}
	if args[0] != "apply" { // an upload takes as long as it takes
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, describeTime)
		defer cancel()
	}
	stdout, stderr := &bounded{left: describeBytes}, &bounded{left: 64 << 10}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, time.Second
	if told != nil {
		cmd.Stderr = told
	}
	ran := cmd.Run()
	why := strings.TrimPrefix(strings.TrimSpace(stderr.String()), filepath.Base(path)+": ")
	switch {
	case strings.Contains(why, fmt.Sprintf("no command %q", args[0])):
		return fmt.Errorf("%s was built with a gearstorm that has no %s; build it again", name, args[0])
	case ran != nil && stdout.Len() == 0 && told != nil && ctx.Err() == nil:
		return errTold
	case ran != nil && stdout.Len() == 0:
		return fmt.Errorf("%s %s: %w: %s", name, args[0], ran, why)
	}
	if err := json.Unmarshal(stdout.Bytes(), v); err != nil {
		return fmt.Errorf("ask %s what it would submit: read its answer: %w", name, err)
	}
	return nil
}

const gearstormModule = "github.com/gearstorm/gearstorm"

// builtWithGearstorm tells programs of users from others, and from gearstorm itself.
func builtWithGearstorm(info *debug.BuildInfo) bool {
	if info.Main.Path == gearstormModule || strings.HasPrefix(info.Path, gearstormModule+"/") {
		return !strings.HasPrefix(info.Path, gearstormModule+"/cmd/")
	}
	return slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == gearstormModule })
}

func buildSetting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// bounded keeps what is written up to a limit and then fails.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("more output than allowed")
	}
	return b.Buffer.Write(p)
}
