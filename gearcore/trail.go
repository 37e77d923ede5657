package gearcore

import "time"

// Trail is the short way of anchors and acks, as Lane is that of emits: a Collector notes here by itself what bolts mostly
// do, which is to pass the tuple on that is being executed and to ack it, and to ack tuples whose roots follow each other.
// Everything else goes the long way through the Sink, which looks here first.
//
// A Trail belongs to the thread of control of its executor.
type Trail struct {
	Batch  *Batch   // whose rows are executed now; nil: nothing is taken
	Stream StreamID // of the tuples that are taken for an ack
	Acked  int      // counts them
	// Parent, less 1, is a row of Batch that remembers new tuples (Row.AckVal) and that the executor knows by this alone; 0
	// for none.
	Parent int32
	// The references to the roots from Root to before Next of that book are to be given back.
	Book, Root, Next uint64
}

// noTrail is the Trail of a Collector whose Sink has none. It is never written.
var noTrail = &Trail{}

// join makes t remember one more tuple and returns its root. It says no for what needs more than that.
func (r *Trail) join(t Tuple, row *Row) (root RootEdge, ok bool) {
	if t.b != r.Batch || row.RootLen != 1 || row.Flags&RowSettled != 0 {
		return RootEdge{}, false
	}
	switch {
	case r.Parent == t.i+1:
	case r.Parent == 0 && row.AckVal == 0:
		r.Parent = t.i + 1
	default:
		return RootEdge{}, false
	}
	row.AckVal++
	return t.b.Roots[row.RootOff], true
}

// ack settles t. It says no, and does nothing, for what needs more than that.
func (r *Trail) ack(t Tuple) bool {
	if t.b != r.Batch || t.b == nil {
		return false
	}
	row := t.Row()
	if row.Flags != 0 || row.RootLen != 1 || row.Stream != r.Stream {
		return false
	}
	switch row.AckVal {
	case 0:
		root := &t.b.Roots[row.RootOff]
		if root.Root != r.Next || root.Edge != r.Book {
			return false
		}
		r.Next++
	case 1: // the new tuple takes the place of t
		if r.Parent != t.i+1 {
			return false
		}
		row.AckVal, r.Parent = 0, 0
	default:
		return false
	}
	row.Flags = RowSettled
	r.Acked++
	return true
}

// Openings are roots of a spout executor that are free and follow each other. A Collector opens them by itself for tuples
// of one task and stream, which have one receiver, as long as the executor's clock stands still.
//
// They belong to the thread of control of the executor.
type Openings struct {
	IDs    []Value // where the message ids go
	N      int     // how many were opened
	Root   uint64  // the first one
	Book   uint64
	Source TaskID
	Stream StreamID
	At     time.Duration
	Now    *time.Duration // the executor's clock
}

// open opens a root for a tuple of l. It says no if the executor is to do it.
func (o *Openings) open(l *Lane, id Value) (root RootEdge, ok bool) {
	n := o.N
	if n >= len(o.IDs) || o.Stream != l.Stream || o.Source != l.Source || o.At != *o.Now {
		return RootEdge{}, false
	}
	o.IDs[n] = id
	o.N = n + 1
	return RootEdge{Root: o.Root + uint64(n), Edge: o.Book}, true
}
