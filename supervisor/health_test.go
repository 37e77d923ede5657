package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// check writes a health check.
func check(t *testing.T, dir, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(dir, "."+name)
	if err := os.WriteFile(fresh, []byte("#!/bin/sh\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(fresh, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestHealthScripts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checks")
	if got, err := healthScripts(dir); got != nil || err != nil {
		t.Errorf("no directory: %v, %v", got, err)
	}
	check(t, dir, "b", "", 0o700)
	check(t, dir, "a", "", 0o755)
	check(t, dir, "readme", "", 0o644)
	check(t, dir, "open", "", 0o757)
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		check(t, dir, "strange", "", 0o755)
		if err := os.Chown(filepath.Join(dir, "strange"), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	got, err := healthScripts(dir)
	if want := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err == nil || !strings.Contains(err.Error(), "open can be written by everybody") ||
		os.Geteuid() == 0 && !strings.Contains(err.Error(), "strange belongs neither to root nor to this user") {
		t.Errorf("refused: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if got, err := healthScripts(dir); got != nil || err == nil {
		t.Errorf("a directory for everybody: %v, %v", got, err)
	}
}

func TestCheckHealth(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string
		ignore     bool
	}{
		"well":          {text: "echo all ERROR free"},
		"says error":    {text: "echo fine; echo ERROR no disk", want: "health check b says: ERROR no disk"},
		"exit code":     {text: "exit 3", want: "health check b: exit status 3"},
		"hangs":         {text: "exec sleep 1000", want: "health check b did not end within 50ms"},
		"hangs and may": {text: "exec sleep 1000", ignore: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			check(t, dir, "a", "", 0o700)
			check(t, dir, "b", tt.text, 0o700)
			s := &Supervisor{cfg: Config{HealthDir: dir, HealthTimeout: 20 * time.Second, HealthIgnoreTimeout: tt.ignore}}
			if strings.HasPrefix(name, "hangs") {
				s.cfg.HealthTimeout = 50 * time.Millisecond
				os.Remove(filepath.Join(dir, "a")) // it may be slower than that
			}
			if got := s.checkHealth(t.Context()); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestUnhealthyNodeRunsNothing(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	checks := filepath.Join(dir, "local", "healthchecks")
	s := live(t, n, dir, func(c *Config) {
		c.HealthDir, c.HealthInterval, c.HealthTimeout = "healthchecks", 20*time.Millisecond, 20*time.Second
		c.CleanInterval = 20 * time.Millisecond
	})
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	_, pid := n.ready("a-1-1", port)

	check(t, checks, "disk", "echo ERROR no disk", 0o700)
	n.hears("a-1-1", "node is unhealthy: health check disk says: ERROR no disk")
	eventually(t, "its worker ends", func() bool { return !alive(pid) })
	n.until("it says so and offers nothing", func() bool {
		return n.last.GetUnhealthy() == "health check disk says: ERROR no disk" && len(n.last.Ports) == 0 && len(n.workers) == 0
	})
	// It goes on from disk, whether there is somebody to ask or not, and also where the worker is cleaned up when the node is healthy again only.
	n.stop()
	check(t, checks, "disk", "", 0o700)
	eventually(t, "its worker is there again", func() bool { return s.slots[port].occupant().worker != "" })
	n.start(n.addr)
	n.ready("a-1-1", port)
	n.until("it offers its slots", func() bool { return n.last.GetUnhealthy() == "" && len(n.last.Ports) == 2 })
	code := filepath.Join(dir, "local", "supervisor", "stormdist", "a-1-1")
	s.slots[port].release("a-1-1")
	if _, err := os.Stat(code); err != nil {
		t.Errorf("a slot that gives up what is planned here removes it: %v", err)
	}

	// What is taken from it while it is sick goes from the disk as well.
	check(t, checks, "disk", "exit 1", 0o700)
	n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
	if _, err := os.Stat(code); err != nil {
		t.Error(err)
	}
	n.remove("a-1-1")
	eventually(t, "its code is gone", func() bool { _, err := os.Stat(code); return os.IsNotExist(err) })
}
