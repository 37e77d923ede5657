//go:build race

package engine

import (
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// A bolt that keeps a tuple although it declared NoRetain is found out in builds with the race detector.
func TestKeptTupleOfANoRetainBolt(t *testing.T) {
	var count atomic.Int64
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{limit: 50_000} })
	var kept gearcore.Tuple
	top.add("sink", dag.Bolt, 1, 1, frugally(func(tp gearcore.Tuple, _ *gearcore.Collector) error {
		n := count.Add(1)
		switch n {
		case 1:
			kept = tp
		case 50_000:
			_ = kept.Int(0)
		}
		return nil
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	seen := newErrorsSeen()
	cfg.Hooks = seen
	_, stop := begin(t, cfg)
	eventually(t, "the error", func() bool { return seen.has(gearcore.RecycledError) })
	stop()
}
