package engine

import (
	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// How trees are counted. A tuple holds one reference to each root in its list; the root's count stands in its book. A
// bolt that emits n tuples anchored to T and then acks T changes the count by n-1, so T only remembers n (Row.AckVal)
// and its ack does the rest: nothing at all for a bolt that passes one tuple on. That works while nobody else has seen
// the new tuples. So before anything that was emitted becomes visible, what the parents remember is added to the counts
// (publish); x.parents lists them.

// emitRoot sends a spout tuple that is to be tracked.
func (s *sink) emitRoot(o *output, e *gearcore.Emission, vals []gearcore.Value, boxes []*outbox) {
	x := s.x
	if !x.e.tracked || len(boxes) == 0 {
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, nil)
		}
		// Nothing to wait for. The spout is told after its current call, not inside its Emit.
		x.instant = append(x.instant, ackers.Entry{ID: e.ID, Task: s.t.id, Stream: o.stream, At: x.now})
		x.attn.Store(true)
		return
	}
	x.roots = append(x.roots[:0], x.openRoot(e.ID, s.t.id, o.stream, len(boxes)))
	for _, b := range boxes {
		b.add(o.stream, s.t.id, vals, x.roots)
	}
}

// openRoot puts a spout tuple in flight.
func (x *executor) openRoot(id gearcore.Value, task gearcore.TaskID, stream gearcore.StreamID, receivers int) gearcore.RootEdge {
	root, e := x.pending.Open(receivers)
	e.ID, e.Task, e.Stream, e.At = id, task, stream, x.now
	return gearcore.RootEdge{Root: root, Edge: x.book.id}
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
	if len(x.parents) > 0 {
		x.publishAll()
	}
}

func (x *executor) publishAll() {
	for _, t := range x.parents {
		if row := t.Row(); row.AckVal > 0 {
			x.refer(t.Roots(), int(row.AckVal))
			row.AckVal = 0
		}
	}
	clear(x.parents)
	x.parents = x.parents[:0]
}

// adopt returns how many new tuples t remembers, and makes it forget them.
func (x *executor) adopt(t gearcore.Tuple, row *gearcore.Row) (kids int) {
	kids = int(row.AckVal)
	row.AckVal = 0
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
		x.release(t.Roots())
	default:
		if kids := x.adopt(t, row); kids > 1 { // one takes the place of t
			x.refer(t.Roots(), kids-1)
		}
	}
	if m := &x.meter; !m.ackedMore(s.t, row) {
		m.acked(s.t, row)
	}
}

// release gives one reference to each of roots back.
func (x *executor) release(roots []gearcore.RootEdge) {
	for i := range roots {
		if b := x.bookOf(roots[i].Edge); b != nil && b.counts.Release(roots[i].Root) {
			x.report(b).add(roots[i].Root, gearcore.AckDone)
		}
	}
}

// Fail implements gearcore.Sink. The reference of t is never given back, so its trees cannot be complete any more.
func (s *sink) Fail(t gearcore.Tuple) {
	if s.outside("fail") {
		return
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
