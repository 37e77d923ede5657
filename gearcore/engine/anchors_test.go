package engine

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// TestManyAnchors joins a whole window of tuples in one, as windowed bolts do.
func TestManyAnchors(t *testing.T) {
	const n = 70_000 / raced.Fewer
	src := &counter{limit: n, track: true}
	var held []gearcore.Tuple
	var arrived tracker
	top := newTopology(2)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("join", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		if held = append(held, t); len(held) < n {
			return nil
		}
		c.Send(gearcore.Emission{Anchors: held}, []gearcore.Value{gearcore.Long(0)})
		for _, h := range held {
			c.Ack(h)
		}
		return nil
	}), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(arrived.sink), from("join", dag.Shuffle))
	e := start(t, top.config(t))
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n && e.PendingRoots() == 0 })
	arrived.each(t, 1, 1, 1)
}
