package ackers

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Outstanding is what the sending end of a link remembers of tracked rows at its peer: the roots that each of them holds
// a reference to. The references belong to the link until the peer says how a row ended; a peer that is lost fails them
// all. The zero Outstanding is empty. It needs a lock of the caller's.
type Outstanding struct {
	frames map[uint64]*sent
	free   []*sent
	age    uint32
	rows   int
}

// sent is one frame. Row i holds roots[ends[i-1]:ends[i]]; ends is empty as long as every row holds one.
type sent struct {
	roots []gearcore.RootEdge
	ends  []uint32
	open  []uint64 // a bit for each row
	rows  int
	left  int
	age   uint32
}

const maxFreeFrames = 64

// Sent notes that the rows from to before to of b travel in a frame, but for those that left says are not in it (nil:
// all are).
func (o *Outstanding) Sent(frame uint64, b *gearcore.Batch, from, to int, left func(row int) bool) {
	if len(b.Roots) == 0 {
		return
	}
	f := o.fresh()
	if roots := plain(b, from, to); roots != nil && left == nil {
		f.roots, f.rows = append(f.roots, roots...), len(roots)
	} else {
		for i := from; i < to; i++ {
			if r := &b.Rows[i]; r.RootLen > 0 && (left == nil || !left(i)) {
				f.add(b.Roots[r.RootOff : r.RootOff+r.RootLen])
			}
		}
	}
	if f.rows == 0 {
		o.free = append(o.free, f)
		return
	}
	f.seal()
	f.age = o.age
	o.rows += f.rows
	if o.frames == nil {
		o.frames = map[uint64]*sent{}
	}
	o.frames[frame] = f
}

// plain returns the roots of the rows from to before to of b if each of them has one; they are in the order of the rows.
func plain(b *gearcore.Batch, from, to int) []gearcore.RootEdge {
	if from >= to || len(b.Roots) < to-from {
		return nil
	}
	rows := b.Rows[from:to]
	at := rows[0].RootOff
	for i := range rows {
		if rows[i].RootLen != 1 || rows[i].RootOff != at+uint32(i) {
			return nil
		}
	}
	return b.Roots[at : int(at)+len(rows)]
}

func (o *Outstanding) fresh() *sent {
	n := len(o.free)
	if n == 0 {
		return &sent{}
	}
	f := o.free[n-1]
	o.free = o.free[:n-1]
	f.roots, f.ends, f.open, f.rows = f.roots[:0], f.ends[:0], f.open[:0], 0
	return f
}

func (f *sent) add(roots []gearcore.RootEdge) {
	if len(roots) != 1 && len(f.ends) == 0 {
		for i := range f.rows {
			f.ends = append(f.ends, uint32(i+1))
		}
	}
	f.roots = append(f.roots, roots...)
	f.rows++
	if len(f.ends) > 0 || len(roots) != 1 {
		f.ends = append(f.ends, uint32(len(f.roots)))
	}
}

func (f *sent) seal() {
	f.left = f.rows
	for n := f.rows; n > 0; n -= PageRows {
		f.open = append(f.open, 1<<min(n, PageRows)-1)
	}
}

// of returns the roots of row i.
func (f *sent) of(i int) []gearcore.RootEdge {
	if len(f.ends) == 0 {
		return f.roots[i : i+1]
	}
	from := uint32(0)
	if i > 0 {
		from = f.ends[i-1]
	}
	return f.roots[from:f.ends[i]]
}

// Settle appends to out what a result means for the roots of its rows: an AckDone gives a reference back, an AckFail
// fails the tree, an AckReset makes it young. Ack.Val is the book of the root. What was settled before, or is not known,
// is passed over.
func (o *Outstanding) Settle(r Result, out []gearcore.Ack) []gearcore.Ack {
	f := o.frames[r.Frame]
	if f == nil || uint64(r.At) >= uint64(len(f.open)) {
		return out
	}
	open := &f.open[r.At]
	base := int(r.At) * PageRows
	if reset := r.Reset & *open; reset != 0 { // first: the rows may have ended since
		f.age = o.age
		out = f.acks(out, base, reset, gearcore.AckReset)
	}
	failed := r.Failed & *open
	done := r.Done & *open &^ failed
	*open &^= done | failed
	out = f.acks(out, base, done, gearcore.AckDone)
	out = f.acks(out, base, failed, gearcore.AckFail)
	n := bits.OnesCount64(done | failed)
	o.rows -= n
	if f.left -= n; f.left == 0 {
		o.forget(r.Frame, f)
	}
	return out
}

func (f *sent) acks(out []gearcore.Ack, base int, rows uint64, op gearcore.AckOp) []gearcore.Ack {
	for ; rows != 0; rows &= rows - 1 {
		for _, r := range f.of(base + bits.TrailingZeros64(rows)) {
			out = append(out, gearcore.Ack{Root: r.Root, Val: r.Edge, Op: op})
		}
	}
	return out
}

func (o *Outstanding) forget(frame uint64, f *sent) {
	delete(o.frames, frame)
	if len(o.free) < maxFreeFrames {
		o.free = append(o.free, f)
	}
}

// Fail forgets all rows and appends an AckFail for each of their roots to out: the peer is lost.
func (o *Outstanding) Fail(out []gearcore.Ack) []gearcore.Ack {
	for _, frame := range slices.Sorted(maps.Keys(o.frames)) {
		f := o.frames[frame]
		for at, open := range f.open {
			out = f.acks(out, at*PageRows, open, gearcore.AckFail)
		}
		o.rows -= f.left
		o.forget(frame, f)
	}
	return out
}

// Rotate ages all frames by one message timeout and forgets those of three: their spouts have given them up.
func (o *Outstanding) Rotate() {
	o.age++
	for frame, f := range o.frames {
		if o.age-f.age >= proxyBuckets {
			o.rows -= f.left
			o.forget(frame, f)
		}
	}
}

// Len returns the number of rows that have not ended.
func (o *Outstanding) Len() int { return o.rows }
