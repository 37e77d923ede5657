package engine

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Tuples that leave in the middle of Execute are counted before they can be seen: that some of them are acked at once
// does not complete the tree while their parent is not settled.
func TestParentIsCountedWhenChildrenLeaveEarly(t *testing.T) {
	const kids = 600 // more than a batch
	src := &counter{limit: 1, track: true}
	var sunk, asked atomic.Int64
	early := int64(-1)
	top := newTopology(1)
	var acked atomic.Int64
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &watched{counter: src, asked: &asked, acked: &acked} })
	top.add("split", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		for i := range int64(kids) {
			c.EmitAnchored(tp, i)
		}
		eventually(t, "some children are acked, and their results had time to arrive", func() bool { return sunk.Load() >= 16 })
		from := asked.Load()
		eventually(t, "the source was asked again", func() bool { return asked.Load() >= from+3 })
		early = acked.Load()
		c.Ack(tp)
		return nil
	}), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, counts(&sunk), from("split", dag.Shuffle))
	cfg := top.config(t)
	cfg.Loops = 3
	e := start(t, cfg)
	eventually(t, "the tree is complete", func() bool { return acked.Load() == 1 && e.PendingRoots() == 0 })
	if early != 0 {
		t.Error("the tree was complete before the parent was acked")
	}
	if sunk.Load() != kids {
		t.Errorf("%d children were executed, want %d", sunk.Load(), kids)
	}
}

// watched is a counter that says when it was asked.
type watched struct {
	*counter
	asked, acked *atomic.Int64
}

func (w *watched) Next(c *gearcore.Collector) error { w.asked.Add(1); return w.counter.Next(c) }
func (w *watched) Ack(gearcore.Value, *gearcore.Collector) {
	w.acked.Add(1)
}

// Trees of many shapes under several loops: each is acked or failed once, as the bolts said.
func TestTreesFromManyLoops(t *testing.T) {
	const n = 20_000
	src := &counter{limit: n, track: true}
	var seen tracker
	var lost atomic.Int64
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("fan", dag.Bolt, 3, 3, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		for range tp.Int(0) % 4 {
			c.EmitAnchored(tp, tp.Value(0))
		}
		c.Ack(tp)
		return nil
	}), from("src", dag.Shuffle))
	top.add("pair", dag.Bolt, 2, 2, func(dag.Task) any {
		var held []gearcore.Tuple
		failed := map[int64]bool{}
		return &bolt{execute: func(tp gearcore.Tuple, c *gearcore.Collector) error {
			switch v := tp.Int(0); {
			case tp.IsTick():
				if len(held) == 0 {
					return nil
				}
			case v%500 == 1 && !failed[v]:
				failed[v] = true
				c.Fail(tp)
				lost.Add(1)
				return nil
			default:
				if held = append(held, tp); len(held) < 3 {
					return nil
				}
			}
			c.Send(gearcore.Emission{Anchors: held}, []gearcore.Value{held[0].Value(0)})
			for _, h := range held {
				c.Ack(h)
			}
			held = held[:0]
			return nil
		}}
	}, from("fan", dag.Fields, "a"))
	top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("pair", dag.Shuffle))
	cfg := top.config(t)
	cfg.Loops = 4
	cfg.InboxBatches = 3
	cfg.TickEvery = func(c string) time.Duration {
		if c == "pair" {
			return 10 * time.Millisecond
		}
		return 0
	}
	e := start(t, cfg)
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n && e.PendingRoots() == 0 })
	if f := src.failed.Load(); f == 0 || f > lost.Load() {
		t.Errorf("%d trees failed, tuples of at most %d were", f, lost.Load())
	}
}

// A tuple anchored to one that was acked before joins its tree if that is still open.
func TestEmitAfterAck(t *testing.T) {
	for _, c := range []struct {
		name     string
		siblings int64 // other tuples of the tree, held until the late one was executed
	}{{"the tree has ended", 0}, {"the tree is open", 1}} {
		t.Run(c.name, func(t *testing.T) {
			src := &counter{limit: 1, track: true}
			var late atomic.Int64
			var release atomic.Pointer[gearcore.Async]
			var held gearcore.Tuple
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("early", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, col *gearcore.Collector) error {
				for i := range c.siblings {
					col.EmitAnchored(tp, i+1)
				}
				col.Ack(tp)
				col.EmitAnchored(tp, 0)
				return nil
			}), from("src", dag.Shuffle))
			top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, col *gearcore.Collector) error {
				if tp.Int(0) > 0 {
					held = tp
					release.Store(col.Async())
					return nil
				}
				late.Add(1)
				col.Ack(tp)
				return nil
			}), from("early", dag.Shuffle))
			e := start(t, top.config(t))
			eventually(t, "the late tuple is executed", func() bool { return late.Load() == 1 })
			if c.siblings > 0 {
				if src.acked.Load() != 0 {
					t.Error("the tree is complete while a tuple of it is held")
				}
				if err := release.Load().Ack(held); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the tree is complete", func() bool { return src.acked.Load() == 1 && e.PendingRoots() == 0 })
		})
	}
}

// A book that was closed is not found again, whoever has its place.
func TestBooks(t *testing.T) {
	var s books
	var ids []uint64
	open := func() uint64 {
		b := &book{}
		s.open(b)
		if s.find(b.id) != b {
			t.Fatalf("book %x is not found", b.id)
		}
		return b.id
	}
	for range 10 {
		ids = append(ids, open())
	}
	s.close(ids[3])
	s.close(ids[3])
	s.close(ids[9])
	s.close(1 << 40)
	again := []uint64{open(), open(), open()}
	for i, id := range ids {
		if found := s.find(id) != nil; found == (i == 3 || i == 9) {
			t.Errorf("book %d is found: %v", i, found)
		}
	}
	places := map[uint32]bool{}
	for _, id := range again {
		places[uint32(id)] = true
	}
	if !places[3] || !places[9] || !places[10] {
		t.Errorf("three more books have places %v, want 3, 9 and 10", places)
	}
	if s.find(0) != nil || s.find(99) != nil {
		t.Error("a book is found that there never was")
	}
}

// Results come as ranges of roots. A source that panics in the middle of one, and emits in Ack, hears of every tuple once.
func TestPanicInAckLosesNoOther(t *testing.T) {
	const n = 3000
	src := &nervous{counter: counter{limit: n, track: true}, heard: map[int64]int{}}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		c.Ack(tp)
		return nil
	}), from("src", dag.Shuffle))
	e, stop := begin(t, top.config(t))
	eventually(t, "all trees ended", func() bool { return src.told.Load() == 2*n && e.PendingRoots() == 0 })
	stop()
	for id := range int64(2 * n) {
		if src.heard[id] != 1 {
			t.Fatalf("the source heard %d times of tuple %d", src.heard[id], id)
		}
	}
}

// nervous emits a tuple more for each that is acked, and panics now and then.
type nervous struct {
	counter
	more  int64
	heard map[int64]int
	told  atomic.Int64
}

func (s *nervous) Ack(id gearcore.Value, c *gearcore.Collector) {
	v := id.Int()
	s.heard[v]++
	if v < s.limit {
		c.EmitID(gearcore.Long(s.limit+s.more), v)
		s.more++
	}
	s.told.Add(1)
	if v%7 == 0 {
		panic("nervous")
	}
}

// TestSourcesOpenMostRootsThemselves looks at what is in flight after a hundred emits at one reading of the clock: most of them
// were taken by the Collector, and not yet entered.
func TestSourcesOpenMostRootsThemselves(t *testing.T) {
	top := newTopology(1)
	src := &counter{limit: 100, track: true}
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	clock := &manual{}
	clock.now.Store(int64(time.Second))
	cfg.Clock, cfg.Seed = clock, 1
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	d.Activate()
	settle(t, d)
	for _, x := range d.executors() {
		if x.role == roleSpout && (x.pending.Len() != 100 || x.pending.Next.N < 50) {
			t.Errorf("%d in flight, %d of them opened by the Collector last", x.pending.Len(), x.pending.Next.N)
		}
	}
}
