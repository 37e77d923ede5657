package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binary is gearstorm, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gearstorm-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "gearstorm")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../cmd/gearstorm")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// cluster is one `gearstorm dev`, or a Nimbus and a supervisor of their own (see startDaemons).
type cluster struct {
	dir                string
	nimbus, supervisor int     // ports
	dev                *daemon // nil if the daemons are processes of their own
}

// startCluster runs `gearstorm dev` in a folder of its own and waits until it answers.
func startCluster(t *testing.T, args ...string) *cluster {
	t.Helper()
	c := newCluster(t)
	c.startDev(t, args...)
	return c
}

// newCluster makes the folder of a cluster; nothing runs yet. When the test ends, no process of the cluster may be left.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{dir: t.TempDir()}
	t.Cleanup(func() { noneLeft(t, c.dir) })
	t.Cleanup(func() {
		if t.Failed() {
			c.logs(t)
		}
	})
	return c
}

// startDev runs `gearstorm dev` in the cluster's folder and waits until it answers.
func (c *cluster) startDev(t *testing.T, args ...string) {
	t.Helper()
	c.dev = startDaemon(t, c.dir, append([]string{"dev", "--dir", c.dir}, args...)...)
	waitFor(t, 20*time.Second, "the ports file", func() bool {
		c.dev.mustRun(t)
		b, err := os.ReadFile(filepath.Join(c.dir, "ports.json"))
		if err != nil {
			return false
		}
		var ports struct{ Nimbus, Supervisor, PID int }
		if json.Unmarshal(b, &ports) != nil || ports.Nimbus == 0 || ports.PID != c.dev.pid() {
			return false
		}
		c.nimbus, c.supervisor = ports.Nimbus, ports.Supervisor
		return true
	})
}

// logs prints the tail of every log, for a failed test.
func (c *cluster) logs(t *testing.T) {
	filepath.WalkDir(c.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && (strings.HasPrefix(d.Name(), "worker.log") || d.Name() == "dev.log") {
			b, _ := os.ReadFile(p)
			t.Logf("%s:\n%s", p, b[max(0, len(b)-3000):])
		}
		return nil
	})
}

// gearstorm runs one command of the CLI against the cluster and returns its output.
func (c *cluster) gearstorm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return run(t, time.Minute, nil, "", binary, append([]string{"--nimbus", fmt.Sprintf("127.0.0.1:%d", c.nimbus)}, args...)...)
}

// run runs a program with a deadline; env is added to the test's environment.
func run(t *testing.T, limit time.Duration, env []string, dir, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = fmt.Errorf("%s did not end within %v", filepath.Base(name), limit)
	}
	return string(out), err
}

// patience is for how long at least a test waits for what must come: the machine has other work, too.
const patience = time.Minute

// waitFor polls ok until it holds.
func waitFor(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	limit = max(limit, patience)
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited %v in vain for %s", limit, what)
}

// tool returns the path of something under .tools, or skips the test: how says which script provides it.
func tool(t *testing.T, how string, parts ...string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join(append([]string{"..", ".tools"}, parts...)...))
	if err == nil {
		_, err = os.Stat(p)
	}
	if err != nil {
		missing(t, "%s is not there: run %s", filepath.Join(parts...), how)
	}
	return p
}

// missing skips loudly, or fails in CI, where everything must run.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// program skips the test when name is not on the PATH.
func program(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, "%s is not installed", name)
	}
}

// ok prints the line that `make compat` shows.
func ok(client, command string) { fmt.Printf("compat %s %s ok\n", client, command) }
