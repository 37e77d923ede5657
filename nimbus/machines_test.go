package nimbus

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// nodesOf lists where a topology runs.
func nodesOf(a cluster.Assignment) string {
	on := make(map[string]bool)
	out := ""
	for _, p := range a.Executors {
		if !on[p.Node] {
			on[p.Node] = true
			out += p.Node
		}
	}
	return out
}

// Topologies with machines of their own are alone there, and a new leader that has not heard all nodes moves nobody.
func TestMachinesOfTheirOwn(t *testing.T) {
	for name, keys := range map[string]string{
		"isolation":   `{"storm.scheduler": "org.apache.storm.scheduler.IsolationScheduler", "isolation.scheduler.machines": {"own": 1}}`,
		"multitenant": `{"storm.scheduler": "org.apache.storm.scheduler.multitenant.MultitenantScheduler", "multitenant.scheduler.user.pools": {"tester": 2}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir, clk := t.TempDir(), newClock()
			config := func(cfg *Config) {
				cfg.Store, cfg.BlobDir, cfg.Now = openEmbedded(t, dir), dir+"/blobs", clk.Now
				cfg.Conf = mergeConf(cfg.Conf, keys)
			}
			c := start(t, config)
			for _, id := range []string{"a", "b", "c"} {
				c.node(id, 6700, 6701)
			}
			clk.advance(61 * time.Second) // the first minute of a leader moves nobody
			for _, id := range []string{"a", "b", "c"} {
				c.node(id, 6700, 6701)
			}
			c.submitWords("own", `{"topology.isolate.machines": 1}`)
			c.submitWords("other", "{}")
			must(t, c.round(t.Context(), true))
			own, _ := c.named("own")
			other, _ := c.named("other")
			if x, y := nodesOf(own.assignment), nodesOf(other.assignment); len(x) != 1 || len(y) != 1 || x == y {
				t.Fatalf("own on %q, other on %q", x, y)
			}
			c.stop()
			must(t, c.cfg.Store.Close())

			c = start(t, config)
			c.node("a", 6700, 6701)
			clk.advance(50 * time.Second)
			must(t, c.round(t.Context(), true))
			for _, before := range []*topology{own, other} {
				if now, _ := c.named(before.Name); now.assignment.ID != before.assignment.ID {
					t.Errorf("%s moved from %s to %s after a restart of the master", before.Name, nodesOf(before.assignment), nodesOf(now.assignment))
				}
			}
		})
	}
}
