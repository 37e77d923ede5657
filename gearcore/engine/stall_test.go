package engine

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// A search for lost wake-ups: many short lives of a topology whose inboxes are as small as they get, so that every
// executor is blocked and woken all the time. Each must come to its end.
func TestNoWakeUpIsLost(t *testing.T) {
	rounds, n := 150, int64(3000)
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		src := &counter{limit: n, track: round%2 == 0}
		var seen atomic.Int64
		top := newTopology(round % 2)
		if round%3 == 0 {
			top.fuse = always
		}
		top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
		top.add("pass", dag.Bolt, 2, 1+round%2, executes(passOn), from("src", dag.Shuffle))
		top.add("sink", dag.Bolt, 2, 2, counts(&seen), from("pass", dag.Shuffle))
		cfg := top.config(t)
		cfg.Loops, cfg.InboxBatches, cfg.BatchRows = 1+round%4, 1, 16
		e, stop := begin(t, cfg)
		eventually(t, fmt.Sprintf("round %d has come to its end (%+v)", round, e.Stats()), func() bool { return seen.Load() == n })
		stop()
	}
}
