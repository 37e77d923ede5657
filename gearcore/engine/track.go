package engine

import (
	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// How trees are counted. A tuple holds one reference to each root in its list; the root's count stands in its book. A
// bolt that emits n tuples anchored to T and then acks T changes the count by n-1, so T only remembers n (Row.AckVal)
// and its ack does the rest: nothing at all for a bolt that passes one tuple on. That works while nobody else has seen
// the new tuples. So before anything that was emitted becomes visible, what the parents remember is added to the counts
// (publish); x.parents lists them, but for one that only x.trail knows. The trail takes what is the same for most tuples from
// the Collector without a call (gearcore.Trail): whatever else looks at parents or references looks there first.

// emitRoot sends a spout tuple that is to be tracked.
func (s *sink) emitRoot(o *output, e *gearcore.Emission, vals []gearcore.Value, boxes []*outbox) {
	x := s.x
	if !x.e.tracked || len(boxes) == 0 {
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, nil)
		}
		// Nothing to wait for. The spout is told after its current call, not inside its Emit.
		x.instant = append(x.instant, ackers.Entry{ID: e.ID, Origin: s.origin(o)})
		x.attn.Store(true)
		return
	}
	x.roots = append(x.roots[:0], x.openRoot(e.ID, s.origin(o), len(boxes)))
	for _, b := range boxes {
		b.add(o.stream, s.t.id, vals, x.roots)
	}
}

// origin is that of a tuple of o which is emitted now.
func (s *sink) origin(o *output) ackers.Origin {
	return ackers.Origin{At: s.x.now, Task: s.t.id, Stream: o.stream}
}

// openRoot puts a spout tuple in flight.
func (x *executor) openRoot(id gearcore.Value, from ackers.Origin, receivers int) gearcore.RootEdge {
	return gearcore.RootEdge{Root: x.pending.Open(id, from, receivers), Edge: x.book.id}
}

// anchor returns the roots of a new tuple anchored to ts and counts the references of its receivers. The result is valid
// until the next call.
func (x *executor) anchor(ts []gearcore.Tuple, receivers int) []gearcore.RootEdge {
	if receivers == 0 {
		return nil
	}
	if len(ts) == 1 && !ts[0].IsZero() {
		return x.anchorOne(ts[0], receivers)
	}
	x.roots = x.roots[:0]
	if len(x.rootAt) > 0 {
		clear(x.rootAt)
	}
	for i := range ts {
		if !ts[i].IsZero() {
			for _, r := range ts[i].Roots() {
				x.addRoot(r)
			}
		}
	}
	// Each root is held once, whatever the number of anchors under it: no single anchor could remember that.
	x.refer(x.roots, receivers)
	return x.roots
}

// anchorOne is anchor for one tuple.
func (x *executor) anchorOne(t gearcore.Tuple, receivers int) []gearcore.RootEdge {
	roots := t.Roots()
	if len(roots) == 0 {
		return nil
	}
	row := t.Row()
	if b := t.Batch(); row.Flags&gearcore.RowSettled != 0 || b.Target < x.first || b.Target > x.last {
		// It is settled, so its tree may have ended, and then this does nothing; or it is another executor's tuple.
		x.giveBack()
		x.refer(roots, receivers)
		return roots
	}
	if row.AckVal == 0 {
		x.parents = append(x.parents, t)
	}
	row.AckVal += uint64(receivers)
	return roots
}

// refer adds n references to each of roots.
func (x *executor) refer(roots []gearcore.RootEdge, n int) {
	for i := range roots {
		if b := x.bookOf(roots[i].Edge); b != nil {
			b.counts.Add(roots[i].Root, uint32(n))
		}
	}
}

// publish counts what unsettled tuples of this executor only remember. It is called before anything that the executor
// emitted can be seen by others: a batch handed over, a direct call of another executor's task, the end of a batch that
// is used again.
func (x *executor) publish() {
	if len(x.parents) > 0 || x.trail.Parent != 0 {
		x.publishAll()
	}
}

func (x *executor) publishAll() {
	x.listParent()
	for _, t := range x.parents {
		if row := t.Row(); row.AckVal > 0 {
			x.refer(t.Roots(), int(row.AckVal))
			row.AckVal = 0
		}
	}
	clear(x.parents)
	x.parents = x.parents[:0]
}

// listParent puts the parent that only the trail knows into the list.
func (x *executor) listParent() {
	if r := &x.trail; r.Parent != 0 {
		x.parents = append(x.parents, r.Batch.Tuple(int(r.Parent-1)))
		r.Parent = 0
	}
}

// enter opens the trail for the rows of b from row on, which are executed next.
func (x *executor) enter(b *gearcore.Batch, row int) {
	if x.e.tracked && row < len(b.Rows) {
		x.trail.Batch, x.trail.Stream = b, b.Rows[row].Stream
	}
}

// leave closes the trail.
func (x *executor) leave() {
	r := &x.trail
	if r.Batch == nil {
		return
	}
	x.listParent()
	x.giveBack()
	x.countAcked()
	r.Batch = nil
}

// countAcked counts what the trail has taken.
func (x *executor) countAcked() {
	if r := &x.trail; r.Acked > 0 {
		x.meter.ackedAll(r.Batch.Target, r.Stream, r.Acked)
		r.Acked = 0
	}
}

// giveBack gives back the references that the trail has noted.
func (x *executor) giveBack() {
	r := &x.trail
	root, left := r.Root, int(r.Next-r.Root)
	if left == 0 {
		return
	}
	r.Root = r.Next
	b := x.bookOf(r.Book)
	if b == nil {
		return
	}
	for left > 0 {
		last := b.counts.ReleaseRun(root, left)
		if last > 0 {
			x.report(b).add(root, last, gearcore.AckDone)
		}
		last++ // and one that others hold, too
		root += uint64(last)
		left -= last
	}
}

// adopt returns how many new tuples t remembers, and makes it forget them.
func (x *executor) adopt(t gearcore.Tuple, row *gearcore.Row) (kids int) {
	kids = int(row.AckVal)
	row.AckVal = 0
	if r := &x.trail; r.Parent != 0 && r.Batch.Tuple(int(r.Parent-1)) == t {
		r.Parent = 0
	}
	// The others stay in the list until it is published: their rows remember nothing.
	if last := len(x.parents) - 1; last >= 0 && x.parents[last] == t {
		x.parents[last] = gearcore.Tuple{}
		x.parents = x.parents[:last]
	}
	return kids
}

// manyRoots is where a tuple's roots are looked up in a map: a window that is joined may have any number of them.
const manyRoots = 32

func (x *executor) addRoot(r gearcore.RootEdge) {
	for i := range min(len(x.roots), manyRoots) {
		if x.roots[i] == r {
			return
		}
	}
	if len(x.roots) >= manyRoots {
		if x.rootAt == nil {
			x.rootAt = map[gearcore.RootEdge]struct{}{}
		}
		if _, ok := x.rootAt[r]; ok {
			return
		}
		x.rootAt[r] = struct{}{}
	}
	x.roots = append(x.roots, r)
}

// Ack implements gearcore.Sink.
func (s *sink) Ack(t gearcore.Tuple) {
	if s.x.calling == nil && s.outside("ack") {
		return
	}
	row, ok := s.settle(t)
	if !ok {
		return
	}
	x := s.x
	switch {
	case row.RootLen == 0:
	case row.AckVal == 0:
		x.release(t)
	default:
		if kids := x.adopt(t, row); kids > 1 { // one takes the place of t
			x.refer(t.Roots(), kids-1)
		}
	}
	x.meter.acked(s.t, row)
	if r := &x.trail; r.Batch == t.Batch() && r.Stream != row.Stream {
		x.countAcked()
		r.Stream = row.Stream
	}
}

// release gives one reference to each of the roots of t back.
func (x *executor) release(t gearcore.Tuple) {
	roots := t.Roots()
	if r := &x.trail; r.Batch == t.Batch() && len(roots) == 1 {
		// The next tuple may be that of the next root.
		x.giveBack()
		r.Book, r.Root, r.Next = roots[0].Edge, roots[0].Root, roots[0].Root+1
		return
	}
	for i := range roots {
		if b := x.bookOf(roots[i].Edge); b != nil && b.counts.Release(roots[i].Root) {
			x.report(b).add(roots[i].Root, 1, gearcore.AckDone)
		}
	}
}

// Fail implements gearcore.Sink. The reference of t is never given back, so its trees cannot be complete any more.
func (s *sink) Fail(t gearcore.Tuple) {
	if s.outside("fail") {
		return
	}
	if s.x.timed != nil {
		s.x.timed.broken(errTupleFailed)
	}
	row, ok := s.settle(t)
	if !ok {
		return
	}
	x := s.x
	if row.AckVal > 0 {
		x.refer(t.Roots(), x.adopt(t, row))
	}
	x.tellOwners(t.Roots(), gearcore.AckFail)
	x.meter.failed(s.t, row)
}

// ResetTimeout implements gearcore.Sink.
func (s *sink) ResetTimeout(t gearcore.Tuple) {
	if s.outside("reset timeout") {
		return
	}
	if !t.IsZero() && s.x.e.tracked {
		s.x.tellOwners(t.Roots(), gearcore.AckReset)
	}
}

// settle sets the settle bit of t. It says no for a tuple that was settled before, and where nothing is tracked.
func (s *sink) settle(t gearcore.Tuple) (*gearcore.Row, bool) {
	if t.IsZero() || !s.x.e.tracked {
		return nil, false
	}
	row := t.Row()
	if row.Flags&gearcore.RowSettled != 0 {
		return nil, false
	}
	row.Flags |= gearcore.RowSettled
	return row, true
}
