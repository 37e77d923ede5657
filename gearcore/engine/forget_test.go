package engine

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// forgotten says whether none of tasks but the last is in memory.
func forgotten[T any](tasks []weak.Pointer[T]) bool {
	runtime.GC()
	return !slices.ContainsFunc(tasks[:len(tasks)-1], func(p weak.Pointer[T]) bool { return p.Value() != nil })
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
	eventually(t, "tasks that have left are in memory no more", func() bool { return forgotten(made) })
}

// TestWhatIsReplacedAtABirthIsForgotten is the same with checkpoints. What is sent to a task right before its end, its last marker, has been handed
// over when others have gone over to the new graph already.
func TestWhatIsReplacedAtABirthIsForgotten(t *testing.T) {
	var limit, open atomic.Int64
	limit.Store(1 << 40)
	out := &ledger{shown: map[int64]int{}}
	var made []weak.Pointer[midway]
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &stream{limit: &limit} })
	top.add("mid", dag.Bolt, 1, 1, func(dag.Task) any {
		m := &midway{open: &open}
		made = append(made, weak.Make(m))
		return m
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, func(dag.Task) any { return &shower{ledger: out, held: map[uint64][]int64{}} }, from("mid", dag.Fields, "a"))
	k := coordinate(t, top.config(t))
	k.begin()
	for i := range 4 {
		<-k.bear(nextPlan(t, k.Engine.plan(), func(*dag.Graph) {}, "mid"), i+1)
	}
	k.until("tasks that have left are in memory no more", func() bool { return forgotten(made) }, nil)
}
