package integration

import (
	"testing"
	"time"
)

// A rebalance that keeps the slots restarts no worker, and no number is lost.
func TestRebalanceKeepsWorkers(t *testing.T) {
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
