package gearcore

import (
	"testing"
	"time"
)

// What the short way takes, and what it leaves to the sink.
func TestTrailTakesWhatNeedsNoDecision(t *testing.T) {
	book := uint64(9)
	b := &Batch{}
	for i := range uint64(6) {
		b.Append(1, 1, nil, []RootEdge{{Root: 100 + i, Edge: book}})
	}
	b.Append(1, 1, nil, nil)
	b.Append(1, 1, nil, []RootEdge{{1, book}, {2, book}})
	other := &Batch{}
	other.Append(1, 1, nil, []RootEdge{{Root: 100, Edge: book}})
	fresh := func() *Trail {
		for i := range b.Rows {
			b.Rows[i].AckVal, b.Rows[i].Flags, b.Rows[i].Stream = 0, 0, 1
		}
		return &Trail{Batch: b, Stream: 1, Book: book, Root: 100, Next: 100}
	}
	join := func(r *Trail, t Tuple) bool { _, ok := r.join(t, t.Row()); return ok }
	for _, c := range []struct {
		name string
		do   func(r *Trail) bool
		want bool
	}{
		{"the next root", func(r *Trail) bool { return r.ack(b.Tuple(0)) && r.ack(b.Tuple(1)) && r.Next == 102 }, true},
		{"a second time", func(r *Trail) bool { r.ack(b.Tuple(0)); return r.ack(b.Tuple(0)) }, false},
		{"another root", func(r *Trail) bool { return r.ack(b.Tuple(1)) }, false},
		{"another book", func(r *Trail) bool { r.Book++; return r.ack(b.Tuple(0)) }, false},
		{"another stream", func(r *Trail) bool { b.Rows[0].Stream = 2; return r.ack(b.Tuple(0)) }, false},
		{"a sampled one", func(r *Trail) bool { b.Rows[0].Flags = 2; return r.ack(b.Tuple(0)) }, false},
		{"no tuple", func(r *Trail) bool { return r.ack(Tuple{}) }, false},
		{"no tuple, closed", func(r *Trail) bool { r.Batch = nil; return r.ack(Tuple{}) }, false},
		{"closed", func(r *Trail) bool { r.Batch = nil; return r.ack(b.Tuple(0)) }, false},
		{"another batch", func(r *Trail) bool { return r.ack(other.Tuple(0)) || join(r, other.Tuple(0)) }, false},
		{"untracked", func(r *Trail) bool { return r.ack(b.Tuple(6)) || join(r, b.Tuple(6)) }, false},
		{"two roots", func(r *Trail) bool { return r.ack(b.Tuple(7)) || join(r, b.Tuple(7)) }, false},
		{"passed on", func(r *Trail) bool { return join(r, b.Tuple(3)) && r.ack(b.Tuple(3)) && r.Next == 100 }, true},
		{"passed on twice", func(r *Trail) bool { return join(r, b.Tuple(3)) && join(r, b.Tuple(3)) && r.ack(b.Tuple(3)) }, false},
		{"two parents", func(r *Trail) bool { return join(r, b.Tuple(3)) && join(r, b.Tuple(4)) }, false},
		{"a listed parent", func(r *Trail) bool { b.Rows[3].AckVal = 1; return join(r, b.Tuple(3)) || r.ack(b.Tuple(3)) }, false},
		{"after the ack", func(r *Trail) bool { r.ack(b.Tuple(0)); return join(r, b.Tuple(0)) }, false},
	} {
		r := fresh()
		if got := c.do(r); got != c.want {
			t.Errorf("%s: taken %v", c.name, got)
		}
		settled := 0
		for i := range b.Rows {
			settled += int(b.Rows[i].Flags & RowSettled)
		}
		if settled != r.Acked {
			t.Errorf("%s: %d rows are settled, %d counted", c.name, settled, r.Acked)
		}
	}
}

// Openings are for one task, stream and reading of the clock, and end.
func TestOpenings(t *testing.T) {
	now := 5 * time.Millisecond
	o := Openings{IDs: make([]Value, 2), Root: 7, Book: 3, Source: 1, Stream: 2, At: now, Now: &now}
	l := &Lane{Source: 1, Stream: 2}
	for i := range uint64(2) {
		if r, ok := o.open(l, Long(int64(i))); !ok || r != (RootEdge{7 + i, 3}) || o.IDs[i].Int() != int64(i) {
			t.Errorf("root %d: %v, %v, ids %v", i, r, ok, o.IDs)
		}
	}
	full := o
	o.N = 0
	later := o
	past := time.Millisecond
	later.Now = &past
	for name, ok := range map[string]bool{
		"full":           second(full.open(l, Null())),
		"another task":   second(o.open(&Lane{Source: 2, Stream: 2}, Null())),
		"another stream": second(o.open(&Lane{Source: 1, Stream: 1}, Null())),
		"another time":   second(later.open(l, Null())),
		"none":           second((&Openings{}).open(l, Null())),
	} {
		if ok {
			t.Errorf("%s: a root was opened", name)
		}
	}
}

func second(_ RootEdge, ok bool) bool { return ok }
