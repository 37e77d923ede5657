package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A worker that dies or hangs is replaced, and no number is lost.
func TestKilledAndHungWorker(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "-c", "supervisor.worker.timeout.secs=3")
	n := submitNumbers(t, c, 2)
	before := c.workers(t)
	if len(before) != 2 {
		t.Fatalf("workers %v, want 2", before)
	}
	for _, by := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		for _, p := range c.workers(t) { // one after the other: each holds other components
			now := c.workers(t)
			p.signal(t, by)
			began := time.Now()
			waitFor(t, 15*time.Second, "another worker", func() bool {
				ws := c.workers(t)
				_, there := ws[p.pid]
				return len(ws) == 2 && !there && !same(ws, now)
			})
			replaced := time.Since(began).Round(time.Millisecond)
			n.flow(t, 20*time.Second)
			t.Logf("%v of worker %v: another one after %v, numbers after %v", by, p.pid, replaced, time.Since(began).Round(time.Millisecond))
		}
	}
	n.finish(t, time.Minute)
}

// A Python process that dies or hangs is restarted alone, and no number is lost.
func TestKilledAndHungChild(t *testing.T) {
	t.Parallel()
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

// Children that do everything wrong are told of with what they said, restarted ever more slowly, and disturb nobody.
func TestFaultyChildren(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := submitFrom(t, c, "faulty.yaml", 1)
	began := time.Now()
	workers := c.workers(t)
	for component, want := range map[string][]string{
		"chatty": {"loading the model"},
		"broken": {`{\"pid\": 1`},
		"wrong":  {"no list"},
		"exits":  {"exit status 3", "cannot find my model"},
		"floods": {"over the limit"},
		"absent": {"no-such-program", "no such program in PATH"},
	} {
		waitFor(t, 20*time.Second, "the error of "+component, func() bool {
			told := c.info(t, "faulty").errors(component)
			return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(told, w) })
		})
	}
	for time.Since(began) < 5*time.Second {
		n.flow(t, 10*time.Second)
	}
	for _, component := range []string{"chatty", "broken", "wrong", "exits", "floods", "silent"} {
		b, err := os.ReadFile(filepath.Join(n.dir, component))
		if err != nil {
			t.Error(err)
		}
		// after 0.1 s, 0.2 s, 0.4 s ...: the 9th start would come 25 s after the first one
		starts := strings.Count(string(b), "x")
		if most := 8; starts > most || component != "silent" && starts < 3 || component == "silent" && starts != 1 {
			t.Errorf("%s was started %d times in %v", component, starts, time.Since(began))
		}
	}
	if now := c.workers(t); !same(workers, now) {
		t.Errorf("the worker was %v and is %v", workers, now)
	}
	n.finish(t, time.Minute)
}
