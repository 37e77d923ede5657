package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// farAway is the way to tasks of other workers: it notes what is pushed.
type farAway struct {
	mu   sync.Mutex
	got  []int64
	fail func(roots []gearcore.RootEdge)
}

func (a *farAway) Push(b *gearcore.Batch) bool {
	a.mu.Lock()
	for i := range b.Rows {
		a.got = append(a.got, b.Tuple(i).Int(0))
	}
	roots := slices.Clone(b.Roots)
	a.mu.Unlock()
	finish(b)
	if a.fail != nil {
		a.fail(roots)
	}
	return true
}
func (a *farAway) HasRoom() bool      { return true }
func (a *farAway) Notify(wake func()) { wake() }
func (a *farAway) all() []int64       { a.mu.Lock(); defer a.mu.Unlock(); return slices.Clone(a.got) }

// spans returns the executors [first last] of a component, by place among its tasks.
func spans(p *dag.Plan, component string, places ...[2]int) []dag.Executor {
	ids := p.TasksOf(component)
	var out []dag.Executor
	for _, s := range places {
		t, _ := p.Task(ids[s[0]])
		out = append(out, dag.Executor{Processor: t.Processor, First: ids[s[0]], Last: ids[s[1]]})
	}
	return out
}

func apply(tb testing.TB, e *Engine, c Change) <-chan struct{} {
	tb.Helper()
	done, err := e.Apply(c)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// TestTasksAreCutAnew cuts the tasks of a bolt into other executors again and again under load. Each tuple is executed
// once, and no task is open twice at a time.
func TestTasksAreCutAnew(t *testing.T) {
	for _, fuse := range []bool{false, true} {
		t.Run(fmt.Sprint("fusion ", fuse), func(t *testing.T) {
			const n = 300_000 / raced.Fewer
			src := &counter{limit: n, track: true}
			var seen tracker
			var open [4]atomic.Int32
			opened := atomic.Int32{}
			top := newTopology(1)
			top.fuse = func(string) bool { return fuse }
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("work", dag.Bolt, 4, 1, func(d dag.Task) any {
				return &bolt{execute: passOn, open: func(*gearcore.Collector) error {
					opened.Add(1)
					if open[d.Index].Add(1) != 1 {
						return errors.New("it is open already")
					}
					return nil
				}, close: func() { open[d.Index].Add(-1) }}
			}, from("src", dag.Shuffle))
			top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("work", dag.Shuffle))
			cfg := top.config(t)
			cfg.MaxSpoutPending = func(string) int { return 5000 }
			cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
			e := start(t, cfg)
			cuts := [][][2]int{{{0, 3}}, {{0, 1}, {2, 3}}, {{0, 0}, {1, 3}}, {{0, 0}, {1, 1}, {2, 2}, {3, 3}}}
			was := cuts[0]
			for i := range 12 {
				eventually(t, "tuples go through", func() bool { return seen.total.Load() >= int64(i+1)*n/16 })
				is := cuts[(i+1)%len(cuts)]
				done := apply(t, e, Change{Version: uint64(i + 1), Remove: without(spans(e.plan(), "work", was...), spans(e.plan(), "work", is...)),
					Add: without(spans(e.plan(), "work", is...), spans(e.plan(), "work", was...)), Drain: time.Minute})
				was = is
				<-done
			}
			eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
			seen.each(t, n, 1, 1)
			if src.failed.Load() != 0 || opened.Load() < 30 {
				t.Errorf("%d tuples failed, tasks were opened %d times", src.failed.Load(), opened.Load())
			}
			for i := range open {
				if open[i].Load() != 1 {
					t.Errorf("task %d is open %d times", i, open[i].Load())
				}
			}
		})
	}
}

func without(a, b []dag.Executor) []dag.Executor {
	return slices.DeleteFunc(slices.Clone(a), func(x dag.Executor) bool { return slices.Contains(b, x) })
}

// TestHeldTuplesFailWhenTheirTaskLeaves has a bolt that keeps what it gets, and leaves; the source is told soon, though
// messages have an hour.
func TestHeldTuplesFailWhenTheirTaskLeaves(t *testing.T) {
	const n = 1000
	src := &counter{limit: n, track: true}
	got := atomic.Int64{}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("hold", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { got.Add(1); return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MessageTimeout = time.Hour
	away := &farAway{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return away }
	e := start(t, cfg)
	eventually(t, "the bolt has them all", func() bool { return got.Load() == n })
	done := apply(t, e, Change{Version: 1, Remove: spans(e.plan(), "hold", [2]int{0, 0}), Drain: 20 * time.Millisecond})
	eventually(t, "they fail", func() bool { return src.failed.Load() == n })
	<-done
	eventually(t, "they are emitted again, to the new place", func() bool { return len(away.all()) == n })
}

// distant is a bolt, and a source, that works between its calls.
type distant struct {
	bolt
	counter
	busy atomic.Int64
}

func (d *distant) Open(_ *gearcore.Context, c *gearcore.Collector) error { return d.open(c) }
func (d *distant) Close()                                                {}
func (d *distant) Holding() bool                                         { return d.busy.Load() > 0 }

// TestTaskThatWorksElsewhereLeaves when it has nothing untracked left, or when its time is over.
func TestTaskThatWorksElsewhereLeaves(t *testing.T) {
	for _, leaver := range []string{"src", "work"} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late %v", leaver, late), func(t *testing.T) {
				made := map[string]*distant{}
				async := map[string]*gearcore.Async{}
				top := newTopology(1)
				for _, name := range []string{"src", "work"} {
					d := &distant{counter: counter{limit: 1}}
					d.bolt.execute = passOn
					d.bolt.open = func(c *gearcore.Collector) error { async[name] = c.Async(); return nil }
					made[name] = d
				}
				top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return made["src"] })
				top.add("work", dag.Bolt, 1, 1, func(dag.Task) any { return made["work"] }, from("src", dag.Shuffle))
				cfg := top.config(t)
				cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
				e := start(t, cfg)
				eventually(t, "all are open and rest", func() bool { return phase(e.phase.Load()) == up && e.Quiet() })
				d := made[leaver]
				d.busy.Store(1)
				if e.Quiet() {
					t.Error("the engine is quiet although a task is busy elsewhere")
				}
				drain := time.Minute
				if late {
					drain = 30 * time.Millisecond
				}
				done := apply(t, e, Change{Version: 1, Remove: spans(e.plan(), leaver, [2]int{0, 0}), Drain: drain})
				if !late {
					select {
					case <-done:
						t.Fatal("it is gone although it holds something")
					case <-time.After(20 * time.Millisecond):
					}
					if err := async[leaver].Do(0, func(*gearcore.Collector) { d.busy.Store(0) }); err != nil {
						t.Fatal(err)
					}
				}
				<-done
			})
		}
	}
}

// TestSourceThatLeaves waits for what it has emitted, fails what takes too long, and is closed.
func TestSourceThatLeaves(t *testing.T) {
	for _, c := range []struct {
		name          string
		drain         time.Duration
		acked, failed int64
	}{{"in order", time.Minute, 10, 0}, {"in a hurry", 30 * time.Millisecond, 0, 10}} {
		t.Run(c.name, func(t *testing.T) {
			src := &counter{limit: 10, track: true}
			var held []gearcore.Tuple
			var async *gearcore.Async
			got := atomic.Int64{}
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("hold", dag.Bolt, 1, 1, func(dag.Task) any {
				return &bolt{execute: func(tp gearcore.Tuple, _ *gearcore.Collector) error {
					held = append(held, tp)
					got.Add(1)
					return nil
				}, open: func(c *gearcore.Collector) error { async = c.Async(); return nil }}
			}, from("src", dag.Shuffle))
			cfg := top.config(t)
			cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
			e := start(t, cfg)
			eventually(t, "all are held", func() bool { return got.Load() == 10 })
			done := apply(t, e, Change{Version: 1, Remove: spans(e.plan(), "src", [2]int{0, 0}), Drain: c.drain})
			eventually(t, "it is deactivated", func() bool { return src.active.Load() == 0 })
			if c.acked > 0 {
				select {
				case <-done:
					t.Fatal("it is gone before its tuples are acked")
				case <-time.After(10 * time.Millisecond):
				}
				if err := async.Do(0, func(col *gearcore.Collector) {
					for _, tp := range held {
						col.Ack(tp)
					}
				}); err != nil {
					t.Fatal(err)
				}
			}
			<-done
			if src.acked.Load() != c.acked || src.failed.Load() != c.failed || !src.closed.Load() {
				t.Errorf("%d acked, %d failed, closed %v; want %d, %d, true", src.acked.Load(), src.failed.Load(), src.closed.Load(), c.acked, c.failed)
			}
			if e.Leaving() != 0 || e.PendingRoots() != 0 {
				t.Errorf("%d leave, %d pending", e.Leaving(), e.PendingRoots())
			}
		})
	}
}

// TestTaskThatHangsLeavesItsInboxToOthers: what waits behind a call that never returns goes to the new place.
func TestTaskThatHangsLeavesItsInboxToOthers(t *testing.T) {
	src := &counter{limit: 2000}
	hang := make(chan struct{})
	in := atomic.Int64{}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("hang", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { in.Add(1); <-hang; return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.InboxBatches = 4
	away := &farAway{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return away }
	e, stop := begin(t, cfg)
	eventually(t, "it hangs", func() bool { return in.Load() == 1 })
	done := apply(t, e, Change{Version: 1, Remove: spans(e.plan(), "hang", [2]int{0, 0}), Drain: 20 * time.Millisecond})
	eventually(t, "most are elsewhere", func() bool { return len(away.all()) >= 1500 }) // not what the run had taken already
	close(hang)
	<-done
	eventually(t, "all but the one that hung are", func() bool { return len(away.all())+int(in.Load()) == 2000 })
	stop()
}

// TestBatchesThatComeTooSoonOrTooLate delivers for a task that is not here.
func TestBatchesThatComeTooSoonOrTooLate(t *testing.T) {
	var seen tracker
	clock := &manual{}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Clock, cfg.Seed, cfg.Version = clock, 1, 5
	ids := cfg.Plan.TasksOf("sink")
	cfg.Local = slices.DeleteFunc(slices.Clone(cfg.Local), func(x dag.Executor) bool { return x.First == ids[1] })
	away := &farAway{}
	cfg.Remote = func(gearcore.TaskID) Outlet { return away }
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Activate()
	settle(t, d)
	dones := 0
	give := func(plan uint64, v int64) error {
		b := &gearcore.Batch{Target: ids[1], From: 1, Plan: plan, Done: func(*gearcore.Batch) { dones++ }}
		b.Append(0, 1, []gearcore.Value{gearcore.Long(v)}, nil)
		return d.Deliver(b)
	}
	if err := give(0, 0); !errors.Is(err, ErrUnknownTask) || dones != 0 {
		t.Errorf("without a plan: %v, done with %d; want ErrUnknownTask and none", err, dones)
	}
	if err := give(5, 1); err != nil || !slices.Equal(away.all(), []int64{1}) || dones != 1 {
		t.Errorf("by the present plan: %v, sent on %v, done with %d", err, away.all(), dones)
	}
	for _, target := range []gearcore.TaskID{99, ids[1] + 1} { // none, and the source
		b := &gearcore.Batch{Target: target, Plan: 5}
		b.Append(0, 1, []gearcore.Value{gearcore.Long(0)}, nil)
		if err := d.Deliver(b); !errors.Is(err, ErrUnknownTask) {
			t.Errorf("by the present plan to task %d, which is no bolt's: %v, want ErrUnknownTask", target, err)
		}
	}
	for v := range int64(3) {
		if err := give(7, 2+v); err != nil || dones != 1 {
			t.Errorf("by a newer plan: %v, done with %d", err, dones)
		}
	}
	apply(t, d.Engine, Change{Version: 6})
	if dones != 1 || len(away.all()) != 1 {
		t.Error("a plan between the two is taken for the one that is waited for")
	}
	apply(t, d.Engine, Change{Version: 7, Add: spans(d.plan(), "sink", [2]int{1, 1})})
	settle(t, d)
	if seen.total.Load() != 3 || dones != 4 {
		t.Errorf("%d tuples land, done with %d batches; want 3 and 4", seen.total.Load(), dones)
	}
	apply(t, d.Engine, Change{Version: 8, Remove: spans(d.plan(), "sink", [2]int{1, 1})})
	settle(t, d)
	clock.now.Add(int64(lingerTime))
	d.Fire()
	settle(t, d)
	give(7, 9)
	if got := away.all(); !slices.Equal(got, []int64{1, 9}) {
		t.Errorf("sent on are %v, want 1 and 9", got)
	}
	give(9, 10)
	clock.now.Add(int64(holdEarly))
	d.Fire()
	if dones != 6 {
		t.Errorf("done with %d batches, want 6: the last was waited for in vain", dones)
	}
	d.Close()
}

// TestOthersGoOnBesideBatchesThatComeTooSoon: what waits for a plan because its sender is not known yet holds up nobody else who sends to the task.
func TestOthersGoOnBesideBatchesThatComeTooSoon(t *testing.T) {
	var seen tracker
	clock := &manual{}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Clock, cfg.Seed, cfg.Version = clock, 1, 5
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Activate()
	settle(t, d)
	give := func(plan uint64, from gearcore.TaskID, v int64) {
		b := &gearcore.Batch{Target: cfg.Plan.TasksOf("sink")[0], From: from, Plan: plan}
		b.Append(0, from, []gearcore.Value{gearcore.Long(v)}, nil)
		if err := d.Deliver(b); err != nil {
			t.Fatal(err)
		}
		settle(t, d)
	}
	src, late := cfg.Plan.TasksOf("src")[0], gearcore.TaskID(9)
	give(6, late, 0)
	if seen.total.Load() != 0 {
		t.Fatal("what a task sent that is not known is executed")
	}
	for v := range int64(3) {
		give(5, src, v)
		give(6, src, v)
	}
	if n := seen.total.Load(); n != 6 {
		t.Errorf("%d batches of the other sender are executed, want 6", n)
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	kind := 0
	top.add("work", dag.Bolt, 2, 1, func(dag.Task) any {
		if kind == 1 {
			return "no task"
		}
		return &bolt{execute: passOn}
	}, from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Version = 3
	cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
	e := start(t, cfg)
	all := spans(e.plan(), "work", [2]int{0, 1})
	for _, c := range []struct {
		name   string
		change Change
		kind   int
		says   string
	}{
		{"old version", Change{Version: 3}, 0, "plan 3 after 3"},
		{"unknown executor", Change{Version: 4, Remove: spans(e.plan(), "work", [2]int{0, 0})}, 0, "of which 0 run"},
		{"twice", Change{Version: 4, Add: all}, 0, "runs already"},
		{"twice at once", Change{Version: 4, Remove: all, Add: append(spans(e.plan(), "work", [2]int{0, 0}), all...)}, 0, "runs already"},
		{"bad code", Change{Version: 4, Remove: all, Add: spans(e.plan(), "work", [2]int{0, 0}, [2]int{1, 1})}, 1, "a string is no gearcore.Task"},
	} {
		kind = c.kind
		before := e.roster.Load()
		if _, err := e.Apply(c.change); err == nil || !strings.Contains(err.Error(), c.says) || c.kind == 0 && !errors.Is(err, ErrCannotChange) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if e.roster.Load() != before || e.Leaving() != 0 {
			t.Errorf("%s: something has changed", c.name)
		}
	}
	kind = 0
	<-apply(t, e, Change{Version: 4, Remove: all, Add: spans(e.plan(), "work", [2]int{0, 0}, [2]int{1, 1})})
	eventually(t, "all are open", func() bool { return phase(e.phase.Load()) == up && e.Quiet() })
}

// TestChangeBeforeTheFirstActivation exchanges what was never opened, and ends an engine whose executors are leaving.
func TestChangeBeforeTheFirstActivation(t *testing.T) {
	var j journal
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &logged{j: &j, name: "src"} })
	made := 0
	top.add("bolt", dag.Bolt, 1, 1, func(dag.Task) any { made++; return &logged{j: &j, name: fmt.Sprint("bolt", made)} }, from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Clock, cfg.Seed = &manual{}, 1
	cfg.Remote = func(gearcore.TaskID) Outlet { return &farAway{} }
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	one := spans(d.plan(), "bolt", [2]int{0, 0})
	done := apply(t, d.Engine, Change{Version: 1, Remove: one, Add: one})
	settle(t, d)
	<-done
	d.Activate()
	settle(t, d)
	if !j.has("open bolt2") || j.has("open bolt1") || j.has("close bolt1") || !j.has("open src") {
		t.Errorf("what happened is %v", j.lines)
	}
	done = apply(t, d.Engine, Change{Version: 2, Remove: one})
	d.Close()
	<-done
	if !j.has("close bolt2") {
		t.Error("an executor that leaves when the engine ends is not closed")
	}
}
