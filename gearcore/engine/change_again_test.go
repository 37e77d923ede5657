package engine

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// TestTasksOpenAfterAllWhoHadThem changes again while an executor still leaves: those who have its tasks by the second change
// are not opened before it is closed either.
func TestTasksOpenAfterAllWhoHadThem(t *testing.T) {
	whole, halves := [][2]int{{0, 1}}, [][2]int{{0, 0}, {1, 1}}
	for name, between := range map[string][][2]int{"away and back": nil, "cut twice": halves} {
		t.Run(name, func(t *testing.T) {
			src := &counter{limit: 1, track: true}
			var open [2]int
			var held gearcore.Tuple
			var async *gearcore.Async
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("hold", dag.Bolt, 2, 1, func(d dag.Task) any {
				return &bolt{execute: func(tp gearcore.Tuple, c *gearcore.Collector) error {
					held, async = tp, c.Async()
					return nil
				}, open: func(*gearcore.Collector) error {
					if open[d.Index]++; open[d.Index] != 1 {
						return fmt.Errorf("task %d is open already", d.ID)
					}
					return nil
				}, close: func() { open[d.Index]-- }}
			}, from("src", dag.Shuffle))
			cfg := top.config(t)
			cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
			d, _ := newDriver(t, cfg)
			d.Activate()
			settle(t, d)
			first := apply(t, d.Engine, Change{Version: 1, Remove: spans(d.plan(), "hold", whole...), Add: spans(d.plan(), "hold", between...), Drain: time.Minute})
			settle(t, d)
			apply(t, d.Engine, Change{Version: 2, Remove: spans(d.plan(), "hold", between...), Add: spans(d.plan(), "hold", whole...), Drain: time.Minute})
			settle(t, d)
			if err := async.Do(0, func(c *gearcore.Collector) { c.Ack(held) }); err != nil {
				t.Fatal(err)
			}
			settle(t, d)
			<-first
			if open != [2]int{1, 1} || d.Leaving() != 0 || src.acked.Load() != 1 {
				t.Errorf("tasks are open %v times, %d executors leave, %d tuples are acked", open, d.Leaving(), src.acked.Load())
			}
			d.Close()
		})
	}
}

// TestTimeIsOverByAnOldClock has the run in which an executor hears that its time to leave is over begin with the time of
// before, as a loop does that has been busy meanwhile.
func TestTimeIsOverByAnOldClock(t *testing.T) {
	src := &counter{limit: 1, track: true}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("hold", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
	d, clock := newDriver(t, cfg)
	d.Activate()
	settle(t, d)
	apply(t, d.Engine, Change{Version: 1, Remove: spans(d.plan(), "hold", [2]int{0, 0}), Drain: time.Second})
	settle(t, d)
	old := clock.Now()
	clock.now.Add(int64(time.Second))
	d.Fire()
	for d.Ready() > 0 {
		x := d.queue[0]
		d.queue = d.queue[1:]
		x.perform(nil, 0, 100, old)
	}
	if d.Leaving() != 0 {
		t.Error("it stays for ever")
	}
	d.Close()
}

// TestDeliverDuringChanges delivers for a task that comes and goes: each tuple is executed or sent on, once.
func TestDeliverDuringChanges(t *testing.T) {
	const n = 100_000 / raced.Fewer
	var here atomic.Int64
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { here.Add(1); return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	away := &farAway{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return away }
	e := start(t, cfg)
	sink := spans(e.plan(), "sink", [2]int{0, 0})
	end := make(chan struct{})
	var version atomic.Uint64
	go func() {
		defer close(end)
		for v := range int64(n) {
			b := &gearcore.Batch{Target: sink[0].First, From: 1, Plan: max(version.Load()+uint64(v%2), 1)}
			b.Append(0, 1, []gearcore.Value{gearcore.Long(v)}, nil)
			if err := e.Deliver(b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for comes := false; ; comes = !comes {
		c := Change{Version: version.Load() + 1}
		if comes {
			c.Add = sink
		} else {
			c.Remove = sink
		}
		apply(t, e, c)
		version.Store(c.Version)
		select {
		case <-end:
		default:
			continue
		}
		break
	}
	apply(t, e, Change{Version: version.Load() + 2})
	eventually(t, "each is executed or sent on", func() bool { return int(here.Load())+len(away.all()) == n })
	got := away.all()
	slices.Sort(got)
	if c := slices.Compact(slices.Clone(got)); len(c) != len(got) {
		t.Errorf("%d tuples are sent on, %d of them twice", len(got), len(got)-len(c))
	}
}
