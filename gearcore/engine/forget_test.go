package engine

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// forgotten waits until none of tasks but the last is in memory.
func forgotten[T any](t *testing.T, tasks []weak.Pointer[T]) {
	t.Helper()
	eventually(t, "tasks that have left are in memory no more", func() bool {
		runtime.GC()
		for _, p := range tasks[:len(tasks)-1] {
			if p.Value() != nil {
				return false
			}
		}
		return true
	})
}

// TestWhatLeavesIsForgotten replaces a bolt again and again, beside executors that never run: an acker's, and one that nothing is sent to.
func TestWhatLeavesIsForgotten(t *testing.T) {
	src, idle := &counter{limit: 1 << 40, track: true}, &counter{track: true}
	var got atomic.Int64
	sink := executes(func(t gearcore.Tuple, c *gearcore.Collector) error { got.Add(1); c.Ack(t); return nil })
	var made []weak.Pointer[bolt]
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("none", dag.Spout, 1, 1, func(dag.Task) any { return idle })
	top.add("rest", dag.Bolt, 2, 2, sink, from("none", dag.Shuffle))
	top.add("work", dag.Bolt, 1, 1, func(dag.Task) any {
		b := &bolt{execute: passOn}
		made = append(made, weak.Make(b))
		return b
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, sink, from("work", dag.Shuffle))
	cfg := top.config(t)
	cfg.MaxSpoutPending = func(string) int { return 500 }
	e := start(t, cfg)
	for range 4 {
		at := got.Load()
		eventually(t, "tuples go through", func() bool { return got.Load() > at+1000 })
		c := onward(e, nextPlan(t, e.plan(), func(*dag.Graph) {}, "work"))
		c.Drain = 100 * time.Millisecond
		<-apply(t, e, c)
	}
	forgotten(t, made)
}
