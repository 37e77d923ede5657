package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// slow is a bolt that emits what it gets later, by Async, when the test says so.
type slow struct {
	later  *gearcore.Async
	held   []int64
	tuples []gearcore.Tuple
}

func (b *slow) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	b.later = c.Async()
	return nil
}
func (b *slow) Close()        {}
func (b *slow) Holding() bool { return len(b.held) > 0 }
func (b *slow) Execute(t gearcore.Tuple, _ *gearcore.Collector) error {
	b.held, b.tuples = append(b.held, t.Int(0)), append(b.tuples, t)
	return nil
}

// finish puts out what the first n tuples make.
func (b *slow) finish(n int) {
	b.later.Do(0, func(c *gearcore.Collector) {
		for _, v := range b.held[:n] {
			c.Emit(v)
		}
		b.held = b.held[n:]
	})
}

func slowLine(a *script, b *slow, end *adder) *topology {
	top := newTopology(0)
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Bolt, 1, 1, func(dag.Task) any { return b }, from("a", dag.Shuffle))
	top.add("c", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("b", dag.Shuffle))
	return top
}

// A marker goes behind all that comes of the tuples before it, and what comes behind it waits.
func TestMarkerWaitsForWhatIsHeld(t *testing.T) {
	a, b, end := &script{values: []int64{1, 2}}, &slow{}, &adder{}
	s := drive(t, slowLine(a, b, end), nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	a.values = []int64{1, 2, 3}
	s.settle(time.Second)
	if len(end.frozen) > 0 || !slices.Equal(b.held, []int64{1, 2}) {
		t.Fatalf("checkpoints %v were taken behind tuples %v", end.frozen, b.held)
	}
	b.finish(1)
	s.settle(time.Second)
	if len(end.frozen) > 0 || !slices.Equal(b.held, []int64{2}) {
		t.Fatalf("checkpoints %v were taken behind tuples %v", end.frozen, b.held)
	}
	b.finish(1)
	s.settle(time.Second)
	if !slices.Equal(end.frozen, []uint64{1}) || !slices.Equal(end.seen, []int64{1, 2}) || !slices.Equal(b.held, []int64{3}) {
		t.Fatalf("checkpoints %v behind %v, and %v is held", end.frozen, end.seen, b.held)
	}
	if n := len(s.saved(1)); n != 3 {
		t.Errorf("%d parts were saved, want 3", n)
	}
}

// A checkpoint that is dropped while it waits lets the tuples behind it go on.
func TestDroppedWhileItWaitsForWhatIsHeld(t *testing.T) {
	a, b, end := &script{values: []int64{1}}, &slow{}, &adder{}
	s := drive(t, slowLine(a, b, end), nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	a.values = []int64{1, 2}
	s.settle(time.Second)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1, Dropped: 1})
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{1, 2}) {
		t.Errorf("it holds %v, want 1 and 2", b.held)
	}
	b.finish(2)
	s.settle(time.Second)
	if len(end.frozen) > 0 || !slices.Equal(end.seen, []int64{1, 2}) {
		t.Errorf("checkpoints %v behind %v", end.frozen, end.seen)
	}
}

// apart is a slow bolt whose state is elsewhere: it has it when the test says so.
type apart struct {
	slow
	asked, froze []uint64
	waits        bool
}

func (b *apart) Holding() bool { return b.waits || b.slow.Holding() }
func (b *apart) Prepare(epoch uint64, _ *gearcore.Collector) {
	b.asked, b.waits = append(b.asked, epoch), true
}

// prepared has the state come, behind something that is emitted for it.
func (b *apart) prepared(v int64) {
	b.later.Do(0, func(c *gearcore.Collector) {
		c.Emit(v)
		b.waits = false
	})
}

func (b *apart) Freeze(epoch uint64) (gearcore.Frozen, error) {
	b.froze = append(b.froze, epoch)
	return nil, nil
}
func (b *apart) Restore(*gearcore.Recovery) error { return nil }

// A state that is elsewhere is asked for when the task holds nothing, once, and the marker waits until it is there; if the checkpoint
// is dropped meanwhile, tuples go on, and another one begins anew.
func TestStateIsPrepared(t *testing.T) {
	a, b, end := &script{values: []int64{1, 2}}, &apart{}, &adder{}
	top := newTopology(0)
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Bolt, 1, 1, func(dag.Task) any { return b }, from("a", dag.Shuffle))
	top.add("c", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("b", dag.Shuffle))
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	a.values = []int64{1, 2, 3}
	s.settle(time.Second)
	if len(b.asked) > 0 {
		t.Fatalf("asked for %v while it holds %v", b.asked, b.held)
	}
	b.finish(2)
	s.settle(time.Second)
	if !slices.Equal(b.asked, []uint64{1}) || len(b.froze) > 0 || len(end.frozen) > 0 || len(b.held) > 0 {
		t.Fatalf("asked for %v, frozen are %v and %v, it holds %v", b.asked, b.froze, end.frozen, b.held)
	}
	b.prepared(10)
	s.settle(time.Second)
	if !slices.Equal(b.froze, []uint64{1}) || !slices.Equal(end.frozen, []uint64{1}) || !slices.Equal(end.seen, []int64{1, 2, 10}) || !slices.Equal(b.held, []int64{3}) {
		t.Fatalf("frozen are %v and %v behind %v, it holds %v", b.froze, end.frozen, end.seen, b.held)
	}
	b.finish(1)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 2})
	s.settle(time.Second)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 2, Dropped: 2})
	a.values = []int64{1, 2, 3, 4}
	s.settle(time.Second)
	if !slices.Equal(b.asked, []uint64{1, 2}) || !slices.Equal(b.held, []int64{4}) {
		t.Fatalf("asked for %v, it holds %v", b.asked, b.held)
	}
	b.finish(1)
	b.prepared(20)
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 3, Dropped: 2})
	s.settle(time.Second)
	b.prepared(30)
	s.settle(time.Second)
	if !slices.Equal(b.asked, []uint64{1, 2, 3}) || !slices.Equal(b.froze, []uint64{1, 3}) || !slices.Equal(end.frozen, []uint64{1, 3}) {
		t.Errorf("asked for %v, frozen are %v and %v", b.asked, b.froze, end.frozen)
	}
}

// A watermark goes behind all that comes of the tuples before it, also when there is never a moment at which none is held.
func TestWatermarkWaitsForWhatIsHeld(t *testing.T) {
	a, b, end := &script{values: []int64{1}, mark: 10}, &slow{}, &adder{}
	s := drive(t, slowLine(a, b, end), plain)
	s.settle(time.Second)
	if len(end.marks) > 0 {
		t.Fatalf("the clock went %v while tuples %v were held", end.marks, b.held)
	}
	a.values = []int64{1, 2}
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{1, 2}) {
		t.Fatalf("it holds %v", b.held)
	}
	b.finish(1) // 2 was let in, for nobody waits at once, and nothing more is
	a.values = []int64{1, 2, 3}
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{2}) || len(end.marks) > 0 {
		t.Fatalf("it holds %v, and the clock went %v", b.held, end.marks)
	}
	b.finish(1)
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{3}) || !slices.Equal(end.marks, []gearcore.Watermark{10}) || !slices.Equal(end.seen, []int64{1, 2}) {
		t.Errorf("it holds %v, the clock went %v behind %v", b.held, end.marks, end.seen)
	}
}

// A watermark that waits for what is held is not told if it does not hold any more by then: whoever is idle would keep back those behind, and whoever
// is not would not.
func TestWatermarkThatWaitsInVain(t *testing.T) {
	const idle = gearcore.Idle
	for _, c := range []struct {
		first, waits, then gearcore.Watermark
		want               []gearcore.Watermark
	}{
		{idle, 150, idle, []gearcore.Watermark{idle}},
		{100, idle, 100, []gearcore.Watermark{100}},
		{100, idle, 150, []gearcore.Watermark{100, 150}},
	} {
		a, b, end := &script{mark: c.first}, &slow{}, &adder{}
		s := drive(t, slowLine(a, b, end), plain)
		s.settle(time.Second)
		a.values, a.mark = []int64{1}, c.waits
		s.settle(time.Second)
		a.mark = c.then
		s.settle(time.Second)
		if len(end.marks) != 1 || len(b.held) != 1 {
			t.Fatalf("the clock went %v while tuples %v were held", end.marks, b.held)
		}
		b.finish(1)
		s.settle(time.Second)
		if !slices.Equal(end.marks, c.want) {
			t.Errorf("%+v: the clock went %v", c, end.marks)
		}
	}
}

// alarms is a slow bolt that has something to do at each watermark, which it does later; after some of it there is more.
type alarms struct {
	slow
	calls []gearcore.Watermark
	more  int
}

func (b *alarms) Advance(w gearcore.Watermark, _ *gearcore.Collector) (gearcore.Watermark, error) {
	if n := len(b.calls); n == 0 || b.calls[n-1] != w {
		b.more = 2
	}
	b.calls = append(b.calls, w)
	if b.more > 0 {
		b.more--
		b.held = append(b.held, int64(w)*10+int64(b.more))
	}
	return w, nil
}

// What a task begins at a watermark goes before the watermark, before the tuples behind it and into the checkpoint behind it.
func TestWatermarkWaitsForWhatItBegins(t *testing.T) {
	a, b, end := &script{values: []int64{1}, mark: 10}, &alarms{}, &adder{}
	top := newTopology(0)
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Bolt, 1, 1, func(dag.Task) any { return b }, from("a", dag.Shuffle))
	top.add("c", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("b", dag.Shuffle))
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	b.finish(1)
	s.settle(time.Second)
	a.values = []int64{1, 2}
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	s.settle(time.Second)
	for i, want := range [][]int64{{101}, {100}} {
		if !slices.Equal(b.held, want) || len(end.marks) > 0 || len(end.frozen) > 0 {
			t.Fatalf("%d: it holds %v, want %v; the clock went %v, checkpoints %v", i, b.held, want, end.marks, end.frozen)
		}
		b.finish(1)
		s.settle(time.Second)
	}
	b.finish(len(b.held))
	s.settle(time.Second)
	if !slices.Equal(end.seen, []int64{1, 101, 100, 2}) || !slices.Equal(end.marks, []gearcore.Watermark{10}) || !slices.Equal(end.frozen, []uint64{1}) {
		t.Errorf("it put out %v, the clock went %v, checkpoints %v", end.seen, end.marks, end.frozen)
	}
	if want := []gearcore.Watermark{10, 10, 10}; !slices.Equal(b.calls, want) {
		t.Errorf("it was told %v, want %v", b.calls, want)
	}
}

// A watermark that may not be told at once is told in time, also while a timer is set for something that is later by far.
func TestWatermarkIsToldBeforeALaterTimer(t *testing.T) {
	a, b, end := &script{mark: 10}, &alarms{}, &adder{}
	top := slowLine(a, &b.slow, end)
	top.code["b"] = func(dag.Task) any { return b }
	s := drive(t, top, plain)
	s.settle(10 * time.Millisecond)
	finish := func() {
		if len(b.held) != 1 {
			t.Fatalf("it holds %v", b.held)
		}
		b.later.Do(0, func(*gearcore.Collector) { b.held = nil })
		s.settle(time.Millisecond)
	}
	finish() // limits of patience are a minute from here
	finish()
	if !slices.Equal(end.marks, []gearcore.Watermark{10}) {
		t.Fatalf("the clock went %v", end.marks)
	}
	a.mark = 20
	for len(b.held) == 0 {
		s.settle(time.Millisecond)
	}
	finish()
	finish()
	if !slices.Equal(end.marks, []gearcore.Watermark{10}) {
		t.Fatalf("the clock went %v at once", end.marks)
	}
	s.settle(time.Second)
	if !slices.Equal(end.marks, []gearcore.Watermark{10, 20}) {
		t.Errorf("a second later the clock went %v", end.marks)
	}
}

// However often a watermark waits until it may be told, no timers gather for it.
func TestTimersOfWatermarksDoNotGather(t *testing.T) {
	a, b, end := &script{}, &alarms{}, &adder{}
	top := slowLine(a, &b.slow, end)
	top.code["b"] = func(dag.Task) any { return b }
	s := drive(t, top, plain)
	const marks = 50
	for i := range gearcore.Watermark(marks) {
		a.mark = 10 * (i + 1)
		for len(b.held) == 0 {
			s.settle(time.Millisecond)
		}
		for len(b.held) > 0 { // its limit of patience is a minute from here
			b.later.Do(0, func(*gearcore.Collector) { b.held = nil })
			s.settle(time.Millisecond)
		}
		for !slices.Contains(end.marks, a.mark) {
			s.settle(time.Millisecond)
		}
	}
	if n := len(s.Engine.timers.heap); n > marks/2 {
		t.Errorf("%d timers are set", n)
	}
}

// A task that keeps a tuple for ever keeps back the clock, and each checkpoint until it is dropped, and gets its tuples all the same.
func TestKeptForEver(t *testing.T) {
	a, b, end := &script{values: []int64{1}, mark: 10}, &slow{}, &adder{}
	s := drive(t, slowLine(a, b, end), nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	a.values = []int64{1, 2}
	s.settle(time.Second)
	a.values = []int64{1, 2, 3}
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{1, 2}) {
		t.Fatalf("it holds %v", b.held) // 3 waits for the watermark behind 2
	}
	s.settle(defaultAlignLimit)
	a.values = []int64{1, 2, 3, 4}
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{1, 2, 3, 4}) || len(end.marks) > 0 {
		t.Fatalf("it holds %v, and the clock went %v", b.held, end.marks)
	}
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	s.settle(time.Second)
	a.values = []int64{1, 2, 3, 4, 5}
	s.settle(2 * defaultAlignLimit)
	if r := s.Report(); !slices.Equal(b.held, []int64{1, 2, 3, 4}) || !strings.Contains(r.Failed, "task 2 of b has waited") || !strings.Contains(r.Failed, "it has not acked") {
		t.Fatalf("it holds %v; failed: %s", b.held, r.Failed)
	}
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1, Dropped: 1})
	s.settle(time.Second)
	if !slices.Equal(b.held, []int64{1, 2, 3, 4, 5}) || len(end.marks) > 0 || len(end.frozen) > 0 {
		t.Fatalf("it holds %v, and the clock went %v, checkpoints %v", b.held, end.marks, end.frozen)
	}
	b.finish(5)
	s.settle(time.Second)
	if !slices.Equal(end.marks, []gearcore.Watermark{10}) {
		t.Errorf("the clock went %v", end.marks)
	}
}

// In a topology with checkpoints a tuple that fails is lost, so it goes back.
func TestFailedTupleBreaksTheGeneration(t *testing.T) {
	top := newTopology(0)
	a := &script{values: []int64{1}}
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error { c.Fail(tp); return nil }), from("a", dag.Shuffle))
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	if r := s.Report(); r.Broken != "task 2 of b: it failed a tuple" {
		t.Errorf("the report says %q", r.Broken)
	}
}
