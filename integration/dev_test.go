package integration

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Two clusters on one machine run topologies of the same name side by side; the violent end of one is nothing to the
// other, leaves no process, and the next one in its folder goes on where it was.
func TestTwoClusters(t *testing.T) {
	t.Parallel()
	a, b := startCluster(t), startCluster(t)
	na, nb := submitNumbers(t, a, 2), submitNumbers(t, b, 1)
	others := processes(t, b.dir)
	any1(t, a.scripts(t, "pass.py")).signal(t, syscall.SIGSTOP) // one that cannot notice that it should end
	began := time.Now()
	a.dev.kill(t)
	waitFor(t, 10*time.Second, "the end of all processes of the killed cluster", func() bool { return len(processes(t, a.dir)) == 0 })
	t.Logf("no process left %v after the kill", time.Since(began).Round(time.Millisecond))
	nb.flow(t, 10*time.Second)
	if now := processes(t, b.dir); !same(others, now) {
		t.Errorf("processes of the other cluster were replaced:\n%v\nare now\n%v", others, now)
	}
	began = time.Now()
	a.startDev(t)
	na.flow(t, 30*time.Second)
	t.Logf("numbers flow %v after the next start", time.Since(began).Round(time.Millisecond))
	na.finish(t, time.Minute)
	b.must(t, "kill", "numbers", "-w", "0")
	if row := lineWith(a.must(t, "list"), "numbers"); !strings.Contains(row, "ACTIVE") {
		t.Errorf("killed in one cluster, the topology of the other is listed as %q", row)
	}
}

// A second dev in a folder says who has it, and leaves the first one alone.
func TestSecondDevInAFolder(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	line := complaint(t, "dev", "--dir", c.dir)
	if !strings.Contains(line, c.dir) || !strings.Contains(line, "already runs") || !strings.Contains(line, "--dir") {
		t.Errorf("it says %q", line)
	}
	if out := c.must(t, "list"); !strings.Contains(out, "no topologies") {
		t.Errorf("the first one lists\n%s", out)
	}
}

// Ctrl-C ends dev and run with all that they started, and with status 0.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	t.Run("dev", func(t *testing.T) {
		c := startCluster(t)
		submitNumbers(t, c, 2)
		interrupted(t, c, c.dev)
	})
	t.Run("run", func(t *testing.T) {
		program(t, "python3")
		c := newCluster(t)
		n := &numbers{c: c, dir: t.TempDir()}
		d := startDaemon(t, c.dir, append([]string{"run"}, n.args(t, "numbers.yaml", 1)...)...)
		n.flow(t, time.Minute)
		interrupted(t, c, d)
	})
}

// interrupted sends Ctrl-C's signal and wants status 0 and nothing left.
func interrupted(t *testing.T, c *cluster, d *daemon) {
	t.Helper()
	if all := processes(t, c.dir); len(all) < 5 {
		t.Fatalf("too few processes run: %v", all)
	}
	began := time.Now()
	d.end(t, syscall.SIGINT)
	t.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
	if d.err != nil {
		t.Errorf("it ended with %v", d.err)
	}
	waitFor(t, 5*time.Second, "the end of all processes", func() bool { return len(processes(t, c.dir)) == 0 })
	if out := d.out.String(); strings.Contains(out, "goroutine ") || strings.Contains(out, "level=ERROR") {
		t.Errorf("it said\n%s", out)
	}
}

// SIGKILL of run leaves no Python process.
func TestKilledRun(t *testing.T) {
	program(t, "python3")
	t.Setenv("TMPDIR", t.TempDir()) // what is killed cannot clean up
	c := newCluster(t)
	n := &numbers{c: c, dir: t.TempDir()}
	d := startDaemon(t, c.dir, append([]string{"run"}, n.args(t, "numbers.yaml", 1)...)...)
	n.flow(t, time.Minute)
	any1(t, c.scripts(t, "pass.py")).signal(t, syscall.SIGSTOP)
	d.kill(t)
	waitFor(t, 5*time.Second, "the end of all processes", func() bool { return len(processes(t, c.dir)) == 0 })
}

// Daemons whose port is taken, or whose folder is, say so in one line.
func TestDaemonsThatCannotStart(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 1)
	for _, args := range [][]string{
		append([]string{"nimbus"}, d.args...),                                                           // same port, same folder
		append([]string{"supervisor"}, d.args...),                                                       // same folder
		append([]string{"nimbus", "-c", "storm.local.dir=" + filepath.Join(d.dir, "other")}, d.args...), // same port
	} {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		err := cmd.Run()
		last := lastLine(errs.String())
		if err == nil || strings.Contains(errs.String(), "goroutine ") || !strings.HasPrefix(last, "gearstorm: ") {
			t.Errorf("gearstorm %v: %v\n%s", args, err, errs.String())
		}
		t.Log(last)
	}
	if out := d.must(t, "list"); !strings.Contains(out, "no topologies") {
		t.Errorf("the first ones list\n%s", out)
	}
}
