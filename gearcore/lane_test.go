package gearcore

import (
	"sync/atomic"
	"testing"
)

// laneSink has one output with a lane into a batch that it empties when it is full.
type laneSink struct {
	nullSink
	lane         Lane
	b            *Batch
	bytes, limit int
	hurry        atomic.Bool
	emits, long  int
	asked        int // for roots
	spout        bool
	scratch      Scratch
	trail        Trail
	openings     Openings
}

func newLaneSink(arity, limit int) *laneSink {
	s := &laneSink{limit: limit}
	s.b = &Batch{Layout: &Layout{Streams: []Stream{{Component: "a", Name: "default", Fields: make([]string, arity)}}}}
	s.lane = Lane{
		Batch: &s.b, Bytes: &s.bytes, Limit: &s.limit, MaxBytes: 1 << 20, MaxTuple: 1 << 20, Hurry: &s.hurry, Emits: &s.emits,
		Source: 7, Arity: arity, Open: true,
	}
	return s
}

func (s *laneSink) Emit(e *Emission, vals []Value) ([]TaskID, error) {
	s.long++
	if len(s.b.Rows) >= s.limit-1 {
		s.b.Reset()
		s.bytes = 0
	}
	s.b.Append(0, 7, vals, nil)
	s.bytes = s.b.Bytes()
	return nil, nil
}
func (s *laneSink) Lane(int) *Lane    { return &s.lane }
func (s *laneSink) Scratch() *Scratch { return &s.scratch }
func (s *laneSink) Tracks() (*Trail, *Openings) {
	if s.spout {
		return &s.trail, &s.openings
	}
	return &s.trail, nil
}
func (s *laneSink) Join(t Tuple) []RootEdge {
	s.asked++
	return t.Roots()
}
func (s *laneSink) Refuse(int, Value) {}
func (s *laneSink) Start(_ int, id Value) RootEdge {
	s.asked++
	return RootEdge{uint64(id.Int()), 7}
}

func TestLaneTakesWhatNeedsNoDecision(t *testing.T) {
	s := newLaneSink(2, 100)
	s.spout = true
	c := NewCollector(s)
	tracked := NewTuple(s.b.Layout, 0, 1, Str("x"), Long(1))
	tracked.b.Roots, tracked.Row().RootLen = []RootEdge{{1, 2}}, 1
	loose := NewTuple(s.b.Layout, 0, 1, Str("f"), Long(9))
	c.Emit("first", 0) // finds the lane
	for _, step := range []struct {
		name string
		do   func()
		long int // how many went through Sink.Emit
	}{
		{"emit", func() { c.Emit("x", 1) }, 0},
		{"anchored to nothing", func() { c.EmitAnchored(loose, "x", 1) }, 0},
		{"forward", func() { c.Forward(loose) }, 0},
		{"record", func() { pairs.Emit(c, pair{"x", 1}) }, 0},
		{"named", func() { c.Stream("a").Emit("x", 1) }, 0},
		{"tracked", func() { c.EmitID(Long(1), "x", 1) }, 0},
		{"tracked without an id", func() { c.EmitID(Null(), "x", 1) }, 1},
		{"tracked, named", func() { c.Stream("a").EmitID(Long(1), "x", 1) }, 0},
		{"tracked record", func() { pairs.EmitID(c, Long(2), pair{"x", 1}) }, 0},
		{"tracked by a bolt", func() { c.openings = nil; c.EmitID(Long(1), "x", 1); c.openings = &s.openings }, 1},
		{"anchored", func() { c.EmitAnchored(tracked, "x", 1) }, 0},
		{"anchored, named", func() { c.Stream("a").EmitAnchored(tracked, "x", 1) }, 0},
		{"forward, anchored", func() { c.Forward(tracked) }, 0},
		{"record, anchored", func() { pairs.EmitAnchored(c, tracked, pair{"x", 1}) }, 0},
		{"wrong arity", func() { c.Emit("x") }, 1},
		{"in a hurry", func() { s.hurry.Store(true); c.Emit("x", 1); s.hurry.Store(false) }, 1},
		{"closed", func() { s.lane.Open = false; c.Emit("x", 1); s.lane.Open = true }, 1},
		{"an object, local", func() { c.Emit("x", Obj(1)) }, 0},
		{"an object, remote", func() { s.lane.Remote = true; c.Emit("x", Obj(1)) }, 1},
		{"a number, remote", func() { c.Emit("x", 1); s.lane.Remote = false }, 0},
		{"full of bytes", func() { s.bytes = 1 << 20; c.Emit("x", 1) }, 1},
	} {
		long, rows, vals, emits := s.long, len(s.b.Rows), len(s.b.Vals), s.emits
		step.do()
		if s.long-long != step.long || s.emits-emits != 1-step.long {
			t.Errorf("%s: %d of %d emits went the long way, want %d", step.name, s.long-long, s.long-long+s.emits-emits, step.long)
		}
		last := s.b.Tuple(len(s.b.Rows) - 1)
		if len(s.b.Rows) != rows+1 || len(s.b.Vals) != vals+last.Len() || s.bytes != s.b.Bytes() || last.SourceTask() != 7 {
			t.Errorf("%s: batch of %d rows, %d values and %d bytes (counted %d)", step.name, len(s.b.Rows), len(s.b.Vals), s.b.Bytes(), s.bytes)
		}
	}
	if s.asked != 7 || len(s.b.Roots) != 7 {
		t.Errorf("the sink was asked for the roots of %d tuples, %d are in the batch; want 7", s.asked, len(s.b.Roots))
	}
	if s.lane.N != s.emits {
		t.Errorf("the lane counted %d and %d", s.lane.N, s.emits)
	}
}

// A panic in the conversion of a value leaves no half a tuple.
func TestLaneAfterAPanic(t *testing.T) {
	s := newLaneSink(2, 100)
	c := NewCollector(s)
	c.Emit("first", 0)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a struct was emitted")
			}
		}()
		c.Emit("half", struct{}{})
	}()
	c.Emit("x", 1)
	if n := len(s.b.Rows); n != 2 || s.b.Tuple(1).String(0) != "x" || len(s.b.Vals) != 4 || s.bytes != s.b.Bytes() {
		t.Errorf("%d rows, %d values", n, len(s.b.Vals))
	}
}

// The last row of a batch is the sink's, and the lane goes on in the next batch.
func TestLaneLeavesTheLastRow(t *testing.T) {
	s := newLaneSink(1, 16)
	c := NewCollector(s)
	for i := range 160 {
		c.Emit(i)
		if n := len(s.b.Rows); n >= 16 {
			t.Fatalf("after %d emits the batch has %d rows", i+1, n)
		}
	}
	if s.long != 11 || s.emits != 149 {
		t.Errorf("%d emits went the long way, %d the short", s.long, s.emits)
	}
}

func BenchmarkLane(b *testing.B) {
	tup := NewTuple(newLaneSink(2, 2).b.Layout, 0, 1, Str("a word"), Long(1))
	for _, c := range []struct {
		name string
		emit func(c *Collector, n int64)
	}{
		{"emit", func(c *Collector, n int64) { c.Emit("a word", n) }},
		{"record", func(c *Collector, n int64) { pairs.Emit(c, pair{"a word", n}) }},
		{"forward", func(c *Collector, n int64) { c.Forward(tup) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			col := NewCollector(newLaneSink(2, 256))
			b.ReportAllocs()
			n := int64(1 << 20)
			for b.Loop() {
				n++
				c.emit(col, n)
			}
		})
	}
}
