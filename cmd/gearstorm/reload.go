package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// keySource is the key of a topology's configuration that says which folder its scripts came from. `submit` sets it when
// it talks to a cluster on this machine.
const keySource = "gearstorm.dev.source"

// reloader is `dev --reload`: when a script of a running topology changes in the folder it was submitted from, the
// changed file replaces the one the workers use, and the child processes that run it are ended. Their worker starts
// them again at once, and their tuples in flight are replayed; nothing else restarts.
type reloader struct {
	nimbus string // host:port
	local  string // the supervisor's folder
	out    func(string)
	every  time.Duration
	seen   map[string]*source // by topology id
}

// source is the folder of a topology's scripts as it was last seen.
type source struct {
	dir   string
	files map[string]stamp
}

type stamp struct {
	size int64
	time time.Time
}

// run looks at the folders until ctx ends.
func (r *reloader) run(ctx context.Context) error {
	nc, err := client.New(client.Options{Seeds: []string{r.nimbus}})
	if err != nil {
		return err
	}
	defer nc.Close()
	r.seen = map[string]*source{}
	tick := time.NewTicker(r.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := r.look(ctx, nc); err != nil && ctx.Err() == nil {
			r.out(timed("reload: " + explain(err)))
		}
	}
}

func (r *reloader) look(ctx context.Context, nc *client.Client) error {
	topologies, err := nc.Nimbus().GetTopologySummaries(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range topologies {
		s := r.seen[t.ID]
		if s == nil {
			if s, err = sourceOf(ctx, nc, t.ID); err != nil {
				errs = append(errs, err)
				continue
			}
			r.seen[t.ID] = s
		}
		if s.dir != "" {
			errs = append(errs, r.follow(t.ID, t.Name, s))
		}
	}
	return errors.Join(errs...)
}

// sourceOf asks for a topology's folder; one without is not looked at.
func sourceOf(ctx context.Context, nc *client.Client, id string) (*source, error) {
	text, err := nc.Nimbus().GetTopologyConf(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := conf.ParseJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	dir, err := c.StringOr(keySource, "")
	if err != nil || dir == "" {
		return &source{}, err
	}
	s := &source{dir: dir}
	s.files, err = stamps(dir)
	return s, err
}

// stamps reads sizes and times of the files below dir that submit would send.
func stamps(dir string) (map[string]stamp, error) {
	out := map[string]stamp{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if skipped(dir, p, d) {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || len(out) >= maxResourceFiles {
			return nil // gone in between, or not sent
		}
		rel, err := filepath.Rel(dir, p)
		out[rel] = stamp{info.Size(), info.ModTime()}
		return err
	})
	return out, err
}

// follow carries over what changed in s.
func (r *reloader) follow(id, name string, s *source) error {
	code := filepath.Join(r.local, "supervisor", "stormdist", id)
	if _, err := os.Stat(code); err != nil {
		return nil // not there yet; what changes until then is carried over when it is
	}
	now, err := stamps(s.dir)
	if err != nil {
		return err
	}
	for rel, st := range now {
		if s.files[rel] == st {
			continue
		}
		if err := replace(filepath.Join(s.dir, rel), filepath.Join(code, "resources", rel)); err != nil {
			return err
		}
		n := endChildren(r.local, code, filepath.Base(rel))
		r.out(timed(fmt.Sprintf("%s: %s changed, %s", name, rel, restarted(n))))
	}
	s.files = now
	return nil
}

func restarted(n int) string {
	switch n {
	case 0:
		return "no process runs it"
	case 1:
		return "its process is started again"
	}
	return fmt.Sprintf("its %d processes are started again", n)
}

// replace puts a copy of from in the place of to, whole or not at all. to is a new file: a running interpreter keeps what
// it opened.
func replace(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	tmp := to + ".reload"
	if err := os.WriteFile(tmp, data, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(tmp, to)
}

// endChildren ends the children of a topology's workers that have file in their command line, or all of them if none
// has (a module they import). A child is known by its pid file and by its working directory below code: a pid alone
// may belong to somebody else by now.
func endChildren(local, code, file string) int {
	var running, named []int
	pids, _ := filepath.Glob(filepath.Join(local, "workers", "*", "pids", "*"))
	for _, p := range pids {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			continue
		}
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		if err != nil || cwd != code && !strings.HasPrefix(cwd, code+string(filepath.Separator)) {
			continue
		}
		running = append(running, pid)
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && bytes.Contains(line, []byte(file)) {
			named = append(named, pid)
		}
	}
	if len(named) == 0 {
		named = running
	}
	for _, pid := range named {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	return len(named)
}
