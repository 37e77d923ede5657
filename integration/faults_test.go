package integration

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that dies is replaced, and no number is lost.
func TestKilledWorker(t *testing.T) {
	c := startCluster(t)
	n := submitNumbers(t, c, 2)
	before := c.workers(t)
	if len(before) != 2 {
		t.Fatalf("workers %v, want 2", before)
	}
	for _, p := range before { // one after the other: each holds other components
		now := c.workers(t)
		p.signal(t, syscall.SIGKILL)
		began := time.Now()
		waitFor(t, 10*time.Second, "another worker", func() bool {
			ws := c.workers(t)
			_, there := ws[p.pid]
			return len(ws) == 2 && !there && !same(ws, now)
		})
		replaced := time.Since(began).Round(time.Millisecond)
		n.flow(t, 30*time.Second)
		t.Logf("killed %v: another one after %v, numbers after %v", p.pid, replaced, time.Since(began).Round(time.Millisecond))
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("numbers flow again after %v", took)
		}
	}
	n.finish(t, time.Minute)
}

// A Python process that dies or hangs is restarted alone, and no number is lost.
func TestKilledAndHungChild(t *testing.T) {
	c := startCluster(t)
	n := submitNumbers(t, c, 1)
	workers := c.workers(t)
	for _, f := range []struct {
		how       string
		component string
		signal    syscall.Signal
		told      string
	}{
		{"killed bolt", "pass", syscall.SIGKILL, "signal: killed"},
		{"killed last bolt", "last", syscall.SIGKILL, "signal: killed"},
		{"killed spout", "numbers", syscall.SIGKILL, "signal: killed"},
		{"hung bolt", "pass", syscall.SIGSTOP, "taken for hung"},
		{"hung spout", "numbers", syscall.SIGSTOP, "taken for hung"},
	} {
		script := f.component + ".py"
		before := c.scripts(t, script)
		p := any1(t, before)
		p.signal(t, f.signal)
		began := time.Now()
		waitFor(t, 20*time.Second, "another process of "+script, func() bool {
			now := c.scripts(t, script)
			_, there := now[p.pid]
			return len(now) == len(before) && !there
		})
		replaced := time.Since(began).Round(time.Millisecond)
		t.Logf("%s: restarted after %v, numbers %v later", f.how, replaced, n.flow(t, 20*time.Second))
		waitFor(t, 10*time.Second, "the error in info", func() bool {
			return strings.Contains(c.info(t, "numbers").errors(f.component), f.told)
		})
	}
	if now := c.workers(t); !same(workers, now) {
		t.Errorf("the worker was %v and is %v", workers, now)
	}
	n.finish(t, time.Minute)
}
