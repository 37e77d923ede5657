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
	async *gearcore.Async
}

var _ gearcore.LaneSink = (*sink)(nil)

// Output implements gearcore.Sink.
func (s *sink) Output(name string) int {
	for i := range s.outs {
		if s.outs[i].Stream == name {
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
	if len(vals) != len(o.Fields) {
		return nil, fmt.Errorf("emit on stream %s: %d values for the %d declared fields %v", o.Stream, len(vals), len(o.Fields), o.Fields)
	}
	if err := s.allowed(vals); err != nil {
		return nil, fmt.Errorf("emit on stream %s: %w", o.Stream, err)
	}
	if o.one && e.Task == 0 {
		return s.emitOne(o, e, vals)
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
	case len(e.Anchors) > 0 && s.x.e.tracked:
		roots := s.x.anchor(e.Anchors, len(boxes))
		for _, b := range boxes {
			b.add(o.stream, s.t.id, vals, roots)
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

// emitOne is the short way of an output whose tuples go to one receiver each.
func (s *sink) emitOne(o *output, e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	r, i := &o.routes[0], 0
	if r.rule != first {
		var err error
		if i, _, err = r.choose(o, vals); err != nil {
			return nil, err
		}
	}
	box := r.boxAt(i)
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
		s.emitRoot(o, e, vals, r.boxes[i:i+1])
	case len(e.Anchors) > 0 && x.e.tracked:
		box.add(o.stream, s.t.id, vals, x.anchor(e.Anchors, 1))
	default:
		box.add(o.stream, s.t.id, vals, nil)
	}
	if x.slow.Load() {
		x.flush()
	}
	if l := o.lane; l != nil {
		l.Open = true
		if l.Batch != &box.cur {
			s.pave(o, box)
		}
	}
	return r.tasks[i : i+1 : i+1], nil
}

// pave leads the lane of o to box.
func (s *sink) pave(o *output, box *outbox) {
	l := o.lane
	l.Batch, l.Bytes, l.Limit, l.Remote = &box.cur, &box.bytes, &box.limit, box.remote
	if r := &o.routes[0]; r.rule == toSpread {
		l.Limit = &r.spread.upto
	}
}

// laned says whether o may have a lane.
func (o *output) laned() bool { return o.one && o.routes[0].rule != picked }

// Lane implements gearcore.LaneSink. An output of emitOne has a lane unless it is the tuple that decides; it is opened
// when the output was used the long way, which counts it in the meter, and closed by the meter's report.
func (s *sink) Lane(stream int) *gearcore.Lane {
	o := &s.outs[stream]
	if !o.laned() {
		return nil
	}
	r, i := &o.routes[0], 0
	if r.spread != nil {
		i = r.spread.pos
	}
	if o.lane == nil && r.boxes != nil && r.boxes[i] != nil {
		o.lane = &gearcore.Lane{
			MaxBytes: maxBatchBytes, MaxTuple: s.x.e.cfg.MaxTupleBytes, Hurry: &s.x.slow, Emits: &s.x.emits,
			Stream: o.stream, Source: s.t.id, Arity: len(o.Fields), Open: true,
		}
		s.pave(o, r.boxes[i])
	}
	return o.lane
}

// Scratch implements gearcore.LaneSink.
func (s *sink) Scratch() *gearcore.Scratch {
	r := s.x.run
	if r == &noRun || r.calling == nil { // no call is under way, which the emit will find out
		return &gearcore.Scratch{}
	}
	return &r.scratch
}

// Tracks implements gearcore.LaneSink.
func (s *sink) Tracks() (t *gearcore.Trail, o *gearcore.Openings) {
	if !s.x.e.tracked {
		return nil, nil
	}
	if s.x.role == roleSpout {
		o = &s.x.pending.Next
	}
	return &s.x.trail, o
}

// Join implements gearcore.LaneSink.
func (s *sink) Join(t gearcore.Tuple) []gearcore.RootEdge { return s.x.anchorOne(t, 1) }

// Refuse implements gearcore.LaneSink.
func (s *sink) Refuse(stream int, id gearcore.Value) {
	if uint(stream) < uint(len(s.outs)) {
		s.x.expired = append(s.x.expired, ackers.Entry{ID: id, Origin: s.origin(&s.outs[stream])})
	}
}

// Start implements gearcore.LaneSink.
func (s *sink) Start(stream int, id gearcore.Value) gearcore.RootEdge {
	from := s.origin(&s.outs[stream])
	root := s.x.openRoot(id, from, 1)
	s.x.pending.Offer(from)
	return root
}

// receivers returns who gets a tuple, in lists that are valid until the next call and not to be changed.
func (s *sink) receivers(o *output, e *gearcore.Emission, vals []gearcore.Value) (ids []gearcore.TaskID, boxes []*outbox, err error) {
	switch {
	case e.Task != 0:
		x := s.x
		ids, boxes, err = o.chooseDirect(x.wired, e.Task, x.ids[:0], x.toBoxes[:0])
		x.ids, x.toBoxes = ids, boxes
	case len(o.routes) == 1 && !o.direct && !o.custom:
		// One subscriber, who gets the tuple in one or in all of its tasks: the result is a part of the route's lists.
		r := &o.routes[0]
		var from, to int
		from, to, err = r.choose(o, vals)
		ids, boxes = r.tasks[from:to:to], r.boxes[from:to:to]
	default:
		x := s.x
		ids, boxes, err = o.choose(vals, x.ids[:0], x.toBoxes[:0])
		x.ids, x.toBoxes = ids, boxes
	}
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
			return fmt.Errorf("emit on stream %s, field %s: a Go object cannot go to another worker", o.Stream, o.Fields[i])
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

// Pause implements gearcore.Sink.
func (s *sink) Pause() {
	if s.outside("pause") {
		return
	}
	if !s.t.paused {
		s.t.paused = true
		s.x.paused++
		s.x.attn.Store(true)
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
func (s *sink) Async() *gearcore.Async {
	s.x.hidden = true
	if s.async == nil {
		s.async = gearcore.NewAsync(poster{s.x, s.t})
	}
	return s.async
}
