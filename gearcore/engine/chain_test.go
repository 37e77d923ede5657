package engine

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

func TestChain(t *testing.T) {
	for _, c := range []struct {
		name   string
		ackers int
		loops  int
	}{{"untracked", 0, 2}, {"tracked", 1, 2}, {"tracked, 3 ackers, 1 loop", 3, 1}, {"tracked, 4 loops", 2, 4}} {
		t.Run(c.name, func(t *testing.T) {
			const n = 60_000 / raced.Fewer
			src := &counter{limit: n, track: c.ackers > 0}
			var seen tracker
			top := newTopology(c.ackers)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("pass", dag.Bolt, 3, 2, executes(passOn), from("src", dag.Shuffle))
			top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("pass", dag.Fields, "a"))
			cfg := top.config(t)
			cfg.Loops = c.loops
			e := start(t, cfg)
			eventually(t, "all tuples arrived", func() bool { return seen.total.Load() == n })
			seen.each(t, n, 1, 1)
			if c.ackers > 0 {
				eventually(t, "all tuples acked", func() bool { return src.acked.Load() == n })
				eventually(t, "nothing pending", func() bool { return e.PendingRoots() == 0 })
			}
		})
	}
}
