package integration

import (
	"strings"
	"testing"
	"time"
)

// A rebalance touches what it has to: nothing where nothing was asked for and all is in balance, everything where the
// configuration changed, since workers read it at the start: they start again one after the other. The spout goes on while a
// rebalance waits.
func TestRebalanceTouchesWhatItHasTo(t *testing.T) {
	t.Parallel()
	d := startDaemons(t, 3)
	n := submitNumbers(t, d.cluster, 2)
	all := workersAndScripts(t, d)
	d.must(t, "rebalance", "numbers", "-w", "3")
	if row := lineWith(d.must(t, "list"), "numbers"); !strings.Contains(row, "REBALANCING") {
		t.Errorf("the topology is listed as %q, want REBALANCING", row)
	}
	t.Logf("numbers after %v, while the rebalance waits", n.flow(t, 10*time.Second))
	active := func() bool { return strings.Contains(lineWith(d.must(t, "list"), "numbers"), "ACTIVE") }
	waitFor(t, 30*time.Second, "the end of the rebalance", active)
	n.flow(t, 10*time.Second)
	if now := workersAndScripts(t, d); !same(all, now) {
		t.Errorf("processes were replaced though nothing had to move:\n%v\nare now\n%v", all, now)
	}

	before := d.workers(t)
	d.must(t, "rebalance", "numbers", "-w", "0", "-t", `{"topology.debug": false}`)
	waitFor(t, 30*time.Second, "two other workers", func() bool {
		now, kept := d.workers(t), 0
		for pid := range before {
			if _, ok := now[pid]; ok {
				kept++
			}
		}
		if len(now) == 0 {
			t.Error("no worker runs while they are replaced one after the other")
		}
		return len(now) == 2 && kept == 0
	})
	n.flow(t, 30*time.Second)
	n.finish(t, time.Minute)
	d.must(t, "kill", "numbers", "-w", "0")
	waitFor(t, 20*time.Second, "the end of the topology's processes", func() bool { return len(workersAndScripts(t, d)) == 0 })
}

// A rebalance that keeps the slots restarts no worker, and no number is lost.
func TestRebalanceKeepsWorkers(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	n := submitNumbers(t, c, 2)
	before := c.workers(t)
	for _, executors := range []string{"pass=1", "pass=2"} {
		if out, err := c.gearstorm(t, "rebalance", "numbers", "-w", "0", "-e", executors); err != nil {
			t.Fatalf("rebalance: %v\n%s", err, out)
		}
		began := time.Now()
		n.flow(t, 20*time.Second)
		n.flow(t, 20*time.Second)
		t.Logf("numbers go on %v after a rebalance to %s", time.Since(began).Round(time.Millisecond), executors)
	}
	if now := c.workers(t); !same(before, now) {
		t.Errorf("workers were %v and are %v", before, now)
	}
	n.finish(t, time.Minute)
}
