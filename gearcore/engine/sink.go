package engine

import (
	"fmt"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// sink is the engine's side of a task's Collector.
type sink struct {
	x     *executor
	t     *task
	outs  []output
	ids   []gearcore.TaskID // scratch: the receivers of the last emit
	boxes []*outbox         // scratch
	async *gearcore.Async
}

var _ gearcore.LaneSink = (*sink)(nil)

// Output implements gearcore.Sink.
func (s *sink) Output(name string) int {
	for i := range s.outs {
		if s.outs[i].name == name {
			return i
		}
	}
	return -1
}

// Emit implements gearcore.Sink.
func (s *sink) Emit(e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if uint(e.Stream) >= uint(len(s.outs)) {
		return nil, fmt.Errorf("emit: component %s declares no stream at position %d", s.x.component, e.Stream)
	}
	o := &s.outs[e.Stream]
	if len(vals) != len(o.fields) {
		return nil, fmt.Errorf("emit on stream %s: %d values for the %d declared fields %v", o.name, len(vals), len(o.fields), o.fields)
	}
	if err := s.allowed(vals); err != nil {
		return nil, fmt.Errorf("emit on stream %s: %w", o.name, err)
	}
	if o.onlyIDs != nil && e.Task == 0 {
		return s.emitOnly(o, e, vals)
	}
	ids, boxes, err := s.receivers(o, e, vals)
	if err != nil {
		return nil, err
	}
	s.x.emits++
	s.x.meter.emitted(o, len(ids))
	switch {
	case s.x.role == roleSpout && !e.ID.IsNull():
		s.emitRoot(o, e, vals, boxes)
	case len(e.Anchors) > 0 && len(s.x.e.ackers) > 0:
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, s.x.anchor(e.Anchors))
		}
	default:
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, nil)
		}
	}
	if s.x.slow.Load() {
		s.x.flush()
	}
	return ids, nil
}

// emitOnly is the short way to the one possible receiver.
func (s *sink) emitOnly(o *output, e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if o.only[0] == nil {
		o.only[0] = o.routes[0].box(o.onlyIDs[0])
	}
	box := o.only[0]
	if box.remote {
		if err := sendable(o, vals); err != nil {
			return nil, err
		}
	}
	x := s.x
	x.emits++
	x.meter.emitted(o, 1)
	switch {
	case x.role == roleSpout && !e.ID.IsNull():
		s.emitRoot(o, e, vals, o.only[:])
	case len(e.Anchors) > 0 && len(x.e.ackers) > 0:
		box.add(o.stream, s.t.id, vals, x.anchor(e.Anchors))
	default:
		box.add(o.stream, s.t.id, vals, nil)
	}
	if x.slow.Load() {
		x.flush()
	}
	o.lane.Open = !box.remote
	return o.onlyIDs, nil
}

// Lane implements gearcore.LaneSink. Only an output with one possible receiver has a lane; it is opened when the output was
// used the long way, which counts it in the meter, and closed by the meter's report.
func (s *sink) Lane(stream int) *gearcore.Lane {
	o := &s.outs[stream]
	if o.onlyIDs == nil || o.only[0] == nil {
		return nil
	}
	if l := &o.lane; l.Batch == nil {
		b, x := o.only[0], s.x
		*l = gearcore.Lane{
			Batch: &b.cur, Bytes: &b.bytes, Limit: &b.limit, MaxBytes: maxBatchBytes, MaxTuple: x.e.cfg.MaxTupleBytes, Hurry: &x.slow, Emits: &x.emits,
			Stream: o.stream, Source: s.t.id, Arity: len(o.fields), Open: l.Open,
		}
	}
	return &o.lane
}

// Tracks implements gearcore.LaneSink.
func (s *sink) Tracks() bool { return len(s.x.e.ackers) > 0 }

// receivers fills ids and boxes.
func (s *sink) receivers(o *output, e *gearcore.Emission, vals []gearcore.Value) (ids []gearcore.TaskID, boxes []*outbox, err error) {
	if e.Task != 0 {
		ids, boxes, err = o.chooseDirect(e.Task, s.ids[:0], s.boxes[:0])
	} else {
		ids, boxes, err = o.choose(vals, s.ids[:0], s.boxes[:0])
	}
	s.ids, s.boxes = ids, boxes
	if err != nil {
		return nil, nil, err
	}
	for _, b := range boxes {
		if b.remote {
			return ids, boxes, sendable(o, vals)
		}
	}
	return ids, boxes, nil
}

// sendable returns an error if a value cannot leave the process.
func sendable(o *output, vals []gearcore.Value) error {
	for i := range vals {
		if hasObject(vals[i]) {
			return fmt.Errorf("emit on stream %s, field %s: a Go object cannot go to another worker", o.name, o.fields[i])
		}
	}
	return nil
}

func hasObject(v gearcore.Value) bool {
	switch v.Kind() {
	case gearcore.KindObject:
		return true
	case gearcore.KindList:
		for _, e := range v.List() {
			if hasObject(e) {
				return true
			}
		}
	case gearcore.KindMap:
		for _, p := range v.Map() {
			if hasObject(p.Key) || hasObject(p.Val) {
				return true
			}
		}
	}
	return false
}

// emitRoot sends a spout tuple that is to be tracked.
func (s *sink) emitRoot(o *output, e *gearcore.Emission, vals []gearcore.Value, boxes []*outbox) {
	x := s.x
	entry := ackers.Entry{ID: e.ID, Task: s.t.id, Stream: o.stream, At: x.now}
	if len(x.e.ackers) == 0 || len(boxes) == 0 {
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, nil)
		}
		// Nothing to wait for. The spout is told after its current call, not inside its Emit.
		x.instant = append(x.instant, entry)
		return
	}
	root, sum := x.newRoot(), uint64(0)
	for _, b := range boxes {
		edge := x.id()
		sum ^= edge
		x.roots = append(x.roots[:0], gearcore.RootEdge{Root: root, Edge: edge})
		b.add(o.stream, s.t.id, vals, x.roots)
	}
	x.pending.Add(root, entry)
	x.ackBox(root).addAck(gearcore.Ack{Root: root, Val: sum, Spout: s.t.id, Op: gearcore.AckInit})
}

// anchor returns the roots of a new tuple anchored to ts: a fresh edge for every anchor, told to the anchor, and for
// each root the XOR of the edges of the anchors under it. The result is valid until the next call.
func (x *executor) anchor(ts []gearcore.Tuple) []gearcore.RootEdge {
	x.roots = x.roots[:0]
	if len(x.rootAt) > 0 {
		clear(x.rootAt)
	}
	for i := range ts {
		if ts[i].IsZero() {
			continue
		}
		roots := ts[i].Roots()
		if len(roots) == 0 {
			continue
		}
		edge := x.id()
		ts[i].Row().AckVal ^= edge
		for _, r := range roots {
			x.addRoot(r.Root, edge)
		}
	}
	return x.roots
}

// manyRoots is where a tuple's roots are looked up in a map: a window that is joined may have any number of them.
const manyRoots = 32

func (x *executor) addRoot(root, edge uint64) {
	if i := x.findRoot(root); i >= 0 {
		x.roots[i].Edge ^= edge
		return
	}
	if len(x.roots) >= manyRoots {
		x.rootAt[root] = len(x.roots)
	}
	x.roots = append(x.roots, gearcore.RootEdge{Root: root, Edge: edge})
}

// findRoot returns the place of root in x.roots, -1 if it is not there.
func (x *executor) findRoot(root uint64) int {
	for i := range min(len(x.roots), manyRoots) {
		if x.roots[i].Root == root {
			return i
		}
	}
	if len(x.roots) > manyRoots {
		if i, ok := x.rootAt[root]; ok {
			return i
		}
	}
	return -1
}

// newRoot returns the number of the next root.
func (x *executor) newRoot() uint64 {
	if x.lastRoot++; x.lastRoot == 0 {
		x.lastRoot++
	}
	return x.lastRoot
}

// id returns a random id that is not 0.
func (x *executor) id() uint64 {
	for {
		if v := x.rnd.Uint64(); v != 0 {
			return v
		}
	}
}

// ackBox returns the outbox to the acker of root.
func (x *executor) ackBox(root uint64) *outbox {
	i := ackers.Choose(root, len(x.e.ackers))
	if x.ackBoxes[i] == nil {
		x.ackBoxes[i] = x.box(x.e.ackers[i], false)
	}
	return x.ackBoxes[i]
}

// Ack implements gearcore.Sink.
func (s *sink) Ack(t gearcore.Tuple) {
	if s.outside("ack") {
		return
	}
	row, ok := s.settle(t)
	if !ok {
		return
	}
	for _, r := range t.Roots() {
		s.x.ackBox(r.Root).addAck(gearcore.Ack{Root: r.Root, Val: r.Edge ^ row.AckVal, Op: gearcore.AckXor})
	}
	s.x.meter.acked(s.t, row, t)
}

// Fail implements gearcore.Sink.
func (s *sink) Fail(t gearcore.Tuple) {
	if s.outside("fail") {
		return
	}
	row, ok := s.settle(t)
	if !ok {
		return
	}
	for _, r := range t.Roots() {
		s.x.ackBox(r.Root).addAck(gearcore.Ack{Root: r.Root, Op: gearcore.AckFail})
	}
	s.x.meter.failed(s.t, row)
}

// settle sets the settle bit of t. It says no for a tuple that was settled before, and where nothing is tracked.
func (s *sink) settle(t gearcore.Tuple) (*gearcore.Row, bool) {
	if t.IsZero() || len(s.x.e.ackers) == 0 {
		return nil, false
	}
	row := t.Row()
	if row.Flags&gearcore.RowSettled != 0 {
		return nil, false
	}
	row.Flags |= gearcore.RowSettled
	return row, true
}

// ResetTimeout implements gearcore.Sink.
func (s *sink) ResetTimeout(t gearcore.Tuple) {
	if s.outside("reset timeout") {
		return
	}
	if t.IsZero() || len(s.x.e.ackers) == 0 {
		return
	}
	for _, r := range t.Roots() {
		s.x.ackBox(r.Root).addAck(gearcore.Ack{Root: r.Root, Op: gearcore.AckReset})
	}
}

// Pause implements gearcore.Sink.
func (s *sink) Pause() {
	if s.outside("pause") {
		return
	}
	if !s.t.paused {
		s.t.paused = true
		s.x.paused++
	}
}

// Resume implements gearcore.Sink.
func (s *sink) Resume() {
	if s.outside("resume") {
		return
	}
	if s.t.paused {
		s.t.paused = false
		s.x.paused--
	}
}

// ReportError implements gearcore.Sink.
func (s *sink) ReportError(err error) { s.x.e.report(s.t.id, err) }

// Async implements gearcore.Sink.
func (s *sink) Async() *gearcore.Async { return s.async }
