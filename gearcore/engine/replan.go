package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Another graph in a running engine. A component that is replaced, or whose number of tasks changes, has all new tasks, so an executor
// stays or leaves as a whole, and what stays differs at most in its inputs and in where it sends to. What it sends by is made
// beforehand, outside of its runs (roster.outs): then nothing can go wrong in them.

// fits says why a running engine cannot go over to a plan.
func (e *Engine) fits(old *roster, c *Change) error {
	switch was, is := old.plan, c.Plan; {
	case is == nil || is == was:
	case is.Graph.Version <= was.Graph.Version:
		return fmt.Errorf("apply version %d of the graph after %d: %w", is.Graph.Version, was.Graph.Version, ErrCannotChange)
	case e.epochs != nil && !e.epochs.cfg.Checkpoints:
		return fmt.Errorf("the topology follows event time and has no checkpoints: %w", ErrCannotChange)
	case len(was.TasksOf(gearcore.AckerComponent)) != len(is.TasksOf(gearcore.AckerComponent)):
		return fmt.Errorf("there are to be %d tasks of %s instead of %d: %w", len(is.TasksOf(gearcore.AckerComponent)), gearcore.AckerComponent, len(was.TasksOf(gearcore.AckerComponent)), ErrCannotChange)
	case was.Graph.Hash != is.Graph.Hash || was.Graph.Timed != is.Graph.Timed:
		return fmt.Errorf("the graph is timed or hashes in another way: %w", ErrCannotChange)
	case len(is.Layout.Streams) < len(was.Layout.Streams):
		return fmt.Errorf("the plan has forgotten streams of the one before: %w", ErrCannotChange)
	}
	return nil
}

// keeps says why one of stay cannot be in next.
func (r *roster) keeps(stay []*executor) error {
	for _, x := range stay {
		for _, t := range x.tasks {
			if r.plan.Numbering[t.id] != x.component {
				return fmt.Errorf("task %d of %s stays, but the plan does not have it: %w", t.id, x.component, ErrCannotChange)
			}
		}
	}
	return nil
}

// bury notes the places of tasks of old's plan that are gone in r's.
func (r *roster) bury(old *roster) {
	r.places = old.places
	if r.plan == old.plan {
		return
	}
	r.places = maps.Clone(old.places)
	if r.places == nil {
		r.places = map[gearcore.TaskID]int{}
	}
	for id := range old.plan.Numbering {
		if r.isGone(id) {
			d, _ := old.plan.Task(id)
			r.places[id] = d.Index
		}
	}
}

// divert makes the outputs of those of stay that send in another way by next's plan than by old's.
func (e *Engine) divert(old, next *roster, stay []*executor, context func(dag.Task) (*gearcore.Context, error)) error {
	next.outs = map[*task][]output{}
	for _, x := range stay {
		was, is := old.plan.Graph.Processor(x.component), next.plan.Graph.Processor(x.component)
		same := next.plan == old.plan || sameWays(old.plan, next.plan, was, is)
		for _, t := range x.tasks {
			if same {
				if outs, ok := old.outs[t]; ok { // x may not have gone over to those yet
					next.outs[t] = outs
				}
				continue
			}
			if x.role == roleAcker {
				continue
			}
			outs, err := e.outputs(x, next.plan, is, t.id)
			if err != nil {
				return err
			}
			if err := prepareGroupings(next.plan, t.id, outs, context); err != nil {
				return err
			}
			next.outs[t] = outs
		}
	}
	return nil
}

// sameWays says whether the tasks of a component send in the same way by two plans.
func sameWays(old, next *dag.Plan, was, is *dag.Processor) bool {
	for _, o := range is.Outputs {
		before, ok := old.Stream(was.Name, o.Stream)
		after, _ := next.Stream(is.Name, o.Stream)
		if !ok || before != after || !slices.EqualFunc(old.Routes[before], next.Routes[after], sameRoute) {
			return false
		}
	}
	return len(was.Outputs) == len(is.Outputs)
}

func sameRoute(a, b dag.Route) bool {
	return a.Target.Name == b.Target.Name && a.Back == b.Back && slices.Equal(a.Tasks, b.Tasks) && slices.Equal(a.Fields, b.Fields) &&
		a.Grouping.Kind == b.Grouping.Kind && a.Grouping.Name == b.Grouping.Name
}

// prepareGroupings prepares the custom groupings of outs, which are new.
func prepareGroupings(plan *dag.Plan, id gearcore.TaskID, outs []output, context func(dag.Task) (*gearcore.Context, error)) (err error) {
	var ctx *gearcore.Context
	for i := range outs {
		for j := range outs[i].routes {
			r := &outs[i].routes[j]
			if r.rule != asked {
				continue
			}
			if ctx == nil {
				if context == nil {
					return fmt.Errorf("task %d goes on and sends by the custom grouping %s, which needs a context: %w", id, r.plan.Grouping.Name, ErrCannotChange)
				}
				d, _ := plan.Task(id)
				if ctx, err = context(d); err != nil {
					return err
				}
			}
			if err := prepareSafely(r, ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func prepareSafely(r *route, ctx *gearcore.Context) error {
	err := gearcore.Safely(func() error { return r.custom.Prepare(ctx, slices.Clone(r.tasks)) })
	if err != nil {
		return fmt.Errorf("prepare custom grouping %s: %w", r.plan.Grouping.Name, err)
	}
	return nil
}

// replan makes x send by the plan of its roster. Positions of outputs, which user code keeps, stay: a component whose outputs are
// others is replaced.
func (x *executor) replan() {
	r := x.wired
	x.mixed = x.mixed || len(r.plan.Graph.Processor(x.component).Inputs) > 1
	for _, t := range x.tasks {
		outs, ok := r.outs[t]
		if !ok || len(outs) != len(t.sink.outs) {
			continue
		}
		for i := range outs {
			t.sink.outs[i].become(&outs[i])
		}
	}
	x.sweep()
	x.follow()
}

// become makes o lead where n does. What was counted, and the lane, stay.
func (o *output) become(n *output) {
	o.Output, o.stream, o.direct, o.custom, o.one = n.Output, n.stream, n.direct, n.custom, n.one
	if len(o.routes) > 0 && len(n.routes) > 0 && &o.routes[0] == &n.routes[0] {
		return // as it is already
	}
	o.routes = n.routes
	if l := o.lane; l != nil {
		l.Stream, l.Open, l.Batch = n.stream, false, &noBatch
		o.emitted, o.transferred, l.N = o.emitted+l.N, o.transferred+l.N, 0
		o.lane, o.parked = nil, l
	}
	if o.parked != nil && o.laned() {
		o.lane, o.parked = o.parked, nil
	}
}

// sweep forgets outboxes to tasks that are gone and have got all that was for them, and has the others found anew by the routes.
func (x *executor) sweep() {
	x.eachBox(x.abandon)
	for _, t := range x.tasks {
		for i := range t.sink.outs {
			for j := range t.sink.outs[i].routes {
				r := &t.sink.outs[i].routes[j]
				r.boxes, r.last = nil, nil
			}
		}
	}
	x.openKin = nil
}

// abandon takes o out of its shuffle, and forgets it if its target is gone: at once, or when what it has left is handed over.
func (x *executor) abandon(o *outbox) {
	o.kin, o.mixed = nil, false
	_, planned := x.wired.plan.Numbering[o.target]
	o.last = !planned
	if o.last && !o.dirty && o.cur == nil && o.full.head == nil {
		x.forget(o)
	}
}

// forget has x find o, which is empty, no more.
func (x *executor) forget(o *outbox) {
	delete(x.boxAt, o.target)
	for at := &x.boxes; *at != nil; at = &(*at).next {
		if *at == o {
			*at, o.next = o.next, nil
			break
		}
	}
	if o.bound {
		x.ways--
	}
	o.cut() // scratch lists may still have o
}
