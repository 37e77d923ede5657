package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// A slow bolt holds its source back: the inbox stays within its bound and one batch, nothing is lost.
func TestSlowBoltHoldsTheSourceBack(t *testing.T) {
	const n = 20_000
	src := &counter{limit: n}
	var seen tracker
	h := newErrorsSeen()
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	top.add("slow", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		<-gate
		return seen.sink(t, c)
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.InboxBatches, cfg.BatchRows, cfg.Hooks = 3, 32, h
	e := start(t, cfg)
	eventually(t, "the source is blocked", func() bool { return e.Stats()[1].State == "blocked" })
	held := src.emitted.Load()
	if bound := int64(32 * (3 + 2 + 1)); held > bound {
		t.Errorf("the source emitted %d tuples against a bolt that takes none, want at most %d", held, bound)
	}
	if st := e.Stats()[0]; st.Component != "slow" || st.Batches > 4 {
		t.Errorf("inbox of the slow bolt: %+v", st)
	}
	open()
	eventually(t, "all arrived", func() bool { return seen.total.Load() == n })
	seen.each(t, n, 1, 1)
	if h.get(func() int { return int(h.blocked) }) == 0 {
		t.Error("the hooks were not told that the source was blocked")
	}
	eventually(t, "inbox empty", func() bool { s := e.Stats()[0]; return s.Batches == 0 && s.Bytes == 0 })
}

// An Execute that emits without end is stopped by the overshoot limit, on a loop of its own.
func TestOvershootIsBounded(t *testing.T) {
	const n, size = 60_000, 1000 // 60 MB
	src := &counter{limit: 1}
	var emitted, seen atomic.Int64
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	big := make([]byte, size)
	top.add("burst", dag.Bolt, 1, 1, executes(func(_ gearcore.Tuple, c *gearcore.Collector) error {
		for range n {
			c.Emit(big)
			emitted.Add(1)
		}
		return nil
	}), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		<-gate
		seen.Add(1)
		return nil
	}), from("burst", dag.Shuffle))
	cfg := top.config(t)
	cfg.Loops = 1 // the waiting emit must not keep the sink from running
	start(t, cfg)
	eventually(t, "enough emitted", func() bool { return emitted.Load()*size >= maxOvershoot })
	last := int64(-1)
	eventually(t, "the emit waits", func() bool {
		now := emitted.Load()
		same := now == last
		last = now
		time.Sleep(5 * time.Millisecond)
		return same
	})
	if got := emitted.Load() * size; got > maxOvershoot+2<<20+3*maxBatchBytes {
		t.Errorf("%d bytes were emitted against a sink that takes none", got)
	}
	open()
	eventually(t, "all arrived", func() bool { return seen.Load() == n })
}

func TestMaxSpoutPending(t *testing.T) {
	const n, bound = 20_000, 50
	var inFlight, worst atomic.Int64
	src := &counted{n: n, inFlight: &inFlight, worst: &worst}
	src2 := &counted{n: n, inFlight: &inFlight, worst: &worst}
	top := newTopology(1)
	top.add("src", dag.Spout, 2, 1, func(d dag.Task) any { return []any{src, src2}[d.Index] })
	top.add("sink", dag.Bolt, 1, 1, executes((&tracker{}).sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MaxSpoutPending = func(string) int { return bound }
	start(t, cfg)
	eventually(t, "all acked", func() bool { return src.acked.Load()+src2.acked.Load() == 2*n })
	if w := worst.Load(); w > 2*bound || w < bound {
		t.Errorf("up to %d tuples in flight, want %d: the bound times the executor's tasks", w, 2*bound)
	}
}

// counted is a source that watches how many of its tuples are in flight.
type counted struct {
	counter
	n               int64
	inFlight, worst *atomic.Int64
}

func (s *counted) Next(c *gearcore.Collector) error {
	if s.next == s.n {
		return gearcore.ErrIdle
	}
	s.next++
	c.EmitID(gearcore.Long(s.next), s.next)
	s.worst.Store(max(s.worst.Load(), s.inFlight.Add(1)))
	return nil
}

func (s *counted) Ack(gearcore.Value, *gearcore.Collector) {
	s.inFlight.Add(-1)
	s.acked.Add(1)
}

// Tuples walk a ring of two bolts many times while the source is only held back at the entrance.
func TestCycle(t *testing.T) {
	const n, hops = 3000, 20
	src := &counter{limit: n, track: true}
	var done tracker
	var rounds atomic.Int64
	top := newTopology(2)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	step := func(t gearcore.Tuple, c *gearcore.Collector) error {
		rounds.Add(1)
		if v := t.Int(0); v >= n*hops {
			done.see(v - n*hops)
		} else {
			c.EmitAnchored(t, v+n)
		}
		c.Ack(t)
		return nil
	}
	top.add("a", dag.Bolt, 2, 2, executes(step), from("src", dag.Shuffle), from("b", dag.Fields, "a"))
	top.add("b", dag.Bolt, 2, 1, executes(step), from("a", dag.Shuffle))
	cfg := top.config(t)
	cfg.InboxBatches, cfg.BatchRows = 1, 16
	start(t, cfg)
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	done.each(t, n, 1, 1)
	if got := rounds.Load(); got != n*(hops+1) {
		t.Errorf("%d hops, want %d", got, n*(hops+1))
	}
}

// Bolts that sit in user code do not keep the others from running, even when they are more than the loops.
func TestStuckLoopsGetStandIns(t *testing.T) {
	const n = 30_000
	src, stuckSrc := &counter{limit: n, track: true}, &counter{limit: 8}
	var in atomic.Int64
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	top := newTopology(1)
	top.add("blocking", dag.Bolt, 4, 4, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		in.Add(1)
		<-gate
		return nil
	}), from("stucksrc", dag.Shuffle))
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("stucksrc", dag.Spout, 1, 1, func(dag.Task) any { return stuckSrc })
	top.add("sink", dag.Bolt, 1, 1, executes((&tracker{}).sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Loops = 2
	cfg.MaxSpoutPending = func(string) int { return 10 } // many short runs, all through to the end
	before := runtime.NumGoroutine()
	_, stop := begin(t, cfg)
	eventually(t, "four bolts are stuck", func() bool { return in.Load() == 4 })
	eventually(t, "the others are done", func() bool { return src.acked.Load() == n })
	if g := runtime.NumGoroutine() - before; g > 4+2+4 {
		t.Errorf("%d goroutines for 2 loops and 4 stuck bolts", g)
	}
	open()
	eventually(t, "the stuck ones go on", func() bool { return in.Load() == 8 })
	stop()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// What a slow call has emitted does not wait for its end: the watch makes it leave.
func TestSlowCallsHandOverAtOnce(t *testing.T) {
	src := &counter{limit: 1 << 40}
	var seen atomic.Int64
	gates := make(chan struct{})
	open := sync.OnceFunc(func() { close(gates) })
	defer open()
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("slow", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		<-gates // long enough to be caught
		c.Emit(t.Int(0))
		<-gates
		return nil
	}), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { seen.Add(1); return nil }), from("slow", dag.Shuffle))
	cfg := top.config(t)
	e, stop := begin(t, cfg)
	eventually(t, "the bolt is caught", func() bool { return e.executorOf(e.plan().TasksOf("slow")[0]).slow.Load() })
	gates <- struct{}{}
	eventually(t, "its tuple arrives while it is still in Execute", func() bool { return seen.Load() == 1 })
	open()
	eventually(t, "it is fast again and its tuples leave in batches", func() bool { return !e.executorOf(e.plan().TasksOf("slow")[0]).slow.Load() })
	stop()
}

// User code that ends its goroutine costs a tuple, not the engine.
func TestGoexitInUserCode(t *testing.T) {
	const n = 1000
	src := &counter{limit: n, track: true}
	h := newErrorsSeen()
	var once sync.Once
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		if t.Int(0) == 500 {
			once.Do(runtime.Goexit)
		}
		c.Ack(t)
		return nil
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Loops, cfg.Hooks = 1, h
	start(t, cfg)
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	if src.failed.Load() != 1 || !h.has(errGoexit) {
		t.Errorf("%d failed, errors %v", src.failed.Load(), h.errs)
	}
}
