package engine

import (
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// executeWhole hands b to a gearcore.BatchTask and says whether the budget is used up. A batch in which the task
// panicked is not handed over again: its tuples time out, unless the task settled them.
func (x *executor) executeWhole(t *task, b *gearcore.Batch) (over bool) {
	if x.row > 0 || len(b.Rows) == 0 {
		return false
	}
	x.from, x.began = 0, x.now
	x.row = len(b.Rows)
	x.executed += x.row
	x.calling = t
	t.batch.ExecuteBatch(b, t.c)
	x.calling = nil
	x.meter.executed(x, b)
	return x.spend(1)
}

// follow tells tasks that choose receivers themselves by which graph they work. One that is being restored hears of it afterwards.
func (x *executor) follow() {
	if x.timed != nil && x.timed.awaiting {
		return
	}
	for _, t := range x.tasks {
		if f := t.follower(); f != nil {
			f.Follow(x.wired.plan.Graph.Version)
		}
	}
}

// follows says whether a task of x has to be told of another graph, however little it has to do with the engine.
func (x *executor) follows() bool {
	return slices.ContainsFunc(x.tasks, func(t *task) bool { return t.follower() != nil })
}

func (t *task) follower() gearcore.Follower {
	f, _ := t.user().(gearcore.Follower)
	return f
}

var (
	_ gearcore.RoutedSink = (*sink)(nil)
	_ gearcore.LossSink   = (*sink)(nil)
)

// Lost implements gearcore.LossSink.
func (s *sink) Lost(err error) {
	if !s.outside("tell of a loss") && s.x.timed != nil {
		s.x.timed.broken(err)
	}
}

// EmitTo implements gearcore.RoutedSink.
func (s *sink) EmitTo(e *gearcore.Emission, tasks []gearcore.TaskID, vals []gearcore.Value) error {
	if uint(e.Stream) >= uint(len(s.outs)) {
		return fmt.Errorf("emit: component %s declares no stream at position %d", s.x.component, e.Stream)
	}
	o := &s.outs[e.Stream]
	if len(vals) != len(o.Fields) {
		return fmt.Errorf("emit on stream %s: %d values for the %d declared fields %v", o.Stream, len(vals), len(o.Fields), o.Fields)
	}
	if err := s.allowed(vals); err != nil {
		return fmt.Errorf("emit on stream %s: %w", o.Stream, err)
	}
	s.x.toBoxes = s.x.toBoxes[:0]
	for _, id := range tasks {
		r := o.routeTo(id)
		if r == nil && s.x.wired.isGone(id) { // it was chosen before the plan changed
			if r, id = o.heirOf(s.x.wired, id); r == nil {
				continue
			}
		}
		if r == nil && e.Earlier {
			continue
		}
		if r == nil {
			return fmt.Errorf("emit on stream %s to task %d: its component does not subscribe to the stream", o.Stream, id)
		}
		box := r.box(id)
		if box.remote {
			if err := sendable(o, vals); err != nil {
				return err
			}
		}
		s.x.toBoxes = append(s.x.toBoxes, box)
	}
	s.x.emits++
	s.x.meter.emitted(o, len(s.x.toBoxes))
	if s.x.role == roleSpout && !e.ID.IsNull() {
		s.emitRoot(o, e, vals, s.x.toBoxes)
		return nil
	}
	var roots []gearcore.RootEdge
	if len(e.Anchors) > 0 && s.x.e.tracked {
		roots = s.x.anchor(e.Anchors, len(s.x.toBoxes))
	}
	for _, b := range s.x.toBoxes {
		b.add(o.stream, s.t.id, vals, roots)
	}
	return nil
}

// routeTo returns the route whose subscriber has the task, nil if there is none.
func (o *output) routeTo(id gearcore.TaskID) *route {
	for i := range o.routes {
		r := &o.routes[i]
		if n := len(r.tasks); n == 0 || id < r.tasks[0] || id > r.tasks[n-1] {
			continue
		}
		if r.dense {
			return r
		}
		if _, ok := slices.BinarySearch(r.tasks, id); ok {
			return r
		}
	}
	return nil
}
