package gearcore

import "sync/atomic"

// Lane is the short way of one output: while its tuples go to a single receiver, a Collector appends them to the
// receiver's batch by itself; the sink is only asked for the roots of those that are tracked. A lane takes only what needs
// no decision: when a batch is missing or full, the tuple goes the long way through Sink.Emit, which is also where lanes
// are opened.
//
// A Lane belongs to the thread of control of its executor, as the batch and the counters that it points to do.
type Lane struct {
	Batch    **Batch      // where the sink keeps the batch that it fills; *Batch is nil while there is none
	Bytes    *int         // what *Batch pins, as Batch.Bytes counts
	Limit    *int         // rows of a full batch
	MaxBytes int          // *Bytes of a full batch
	MaxTuple int          // content of a tuple in bytes
	Hurry    *atomic.Bool // set: nothing is taken, since what is emitted is to leave at once
	Emits    *int         // counts, with N, what was taken
	N        int
	Stream   StreamID
	Source   TaskID
	Arity    int  // values of a tuple
	Remote   bool // only numbers, strings and byte slices are taken: of others the sink must see whether they can leave
	Open     bool // something is taken
}

// noLane is the lane of an output that has none. It is never written.
var noLane = &Lane{Batch: new(*Batch)}

// LaneSink is a Sink that offers lanes.
type LaneSink interface {
	Sink
	// Lane returns the lane of the output at that position, which was used before; nil if there will never be one. It is
	// asked once and may be closed.
	Lane(stream int) *Lane
	// Tracks returns the executor's Trail, nil if nothing is acked at all (then Ack, Fail and ResetTimeout are not called),
	// and its Openings, nil if EmitID starts no tree.
	Tracks() (*Trail, *Openings)
	// Scratch lends a Collector what its present emit works with: nobody else may use it meanwhile.
	Scratch() *Scratch
	// Join returns the roots of a new tuple that is anchored to t and has one receiver, and counts it. The result is valid
	// until the next call.
	Join(t Tuple) []RootEdge
	// Refuse says that a tuple that was to start a tree was not emitted, by misuse: its source is told that it failed, after
	// the present call. It is not asked about streams that do not exist.
	Refuse(stream int, id Value)
	// Start starts a tree for a new tuple of that output, which has one receiver.
	Start(stream int, id Value) RootEdge
}

// Sizes of what Batch.Bytes counts.
const (
	rowBytes   = 32
	valueBytes = 24
	rootBytes  = 16
	ackBytes   = 24
)

// batch returns where to append a tuple of n values, nil if l takes none now. The last row of a batch is left to the sink,
// which then hands the batch over.
func (l *Lane) batch(n int) *Batch {
	if l == nil || !l.Open || n != l.Arity || l.Hurry.Load() {
		return nil
	}
	b := *l.Batch
	if b == nil || len(b.Rows)+1 >= *l.Limit || *l.Bytes >= l.MaxBytes {
		return nil
	}
	return b
}

// add makes a row of what was appended to b.Vals: vals is that slice with it. It says no, and leaves b as it is, for values
// that are not taken.
func (l *Lane) add(b *Batch, vals []Value) bool {
	from, size := len(b.Vals), 0
	for i := from; i < len(vals); i++ {
		if l.Remote && vals[i].k > KindBytes {
			return false
		}
		size += vals[i].Weight()
	}
	if size > l.MaxTuple {
		return false // the sink says what is wrong
	}
	b.Vals = vals
	r := b.addRow()
	r.Off, r.Len, r.RootOff, r.Stream, r.Source = uint32(from), uint16(len(vals)-from), uint32(len(b.Roots)), l.Stream, l.Source
	*l.Bytes += rowBytes + valueBytes*(len(vals)-from) + size
	*l.Emits++
	l.N++
	return true
}

// join gives the row that was added last its roots.
func (l *Lane) join(b *Batch, roots []RootEdge) {
	b.Rows[len(b.Rows)-1].RootLen = uint32(len(roots))
	b.Roots = append(b.Roots, roots...)
	*l.Bytes += rootBytes * len(roots)
}

// joinOne is join for one root.
func (l *Lane) joinOne(b *Batch, root RootEdge) {
	b.Rows[len(b.Rows)-1].RootLen = 1
	b.Roots = append(b.Roots, root)
	*l.Bytes += rootBytes
}

// spare returns the free end of the batch of l: values that are appended there need no copying when the sink appends
// them to that batch.
func (l *Lane) spare() []Value {
	vals := (*l.Batch).Vals
	return vals[len(vals):]
}
