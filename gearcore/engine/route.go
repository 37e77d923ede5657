package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// output is one declared stream of one task, with its way to the subscribers.
type output struct {
	*dag.Output
	task   gearcore.TaskID
	stream gearcore.StreamID
	routes []route
	direct bool           // a subscriber uses the direct grouping
	custom bool           // a subscriber uses a custom grouping
	one    bool           // there is one subscriber, and one receiver in it
	lane   *gearcore.Lane // the collector's way to it, once asked for
	parked *gearcore.Lane // the same while there is no such way
	// Counted since the last report.
	emitted, transferred int
}

// route is one subscription of the stream.
type route struct {
	x      *executor
	plan   *dag.Route
	tasks  []gearcore.TaskID
	boxes  []*outbox // by position in tasks, made when first used; not for direct
	last   *outbox   // direct: of the last emit
	dense  bool      // task ids without gaps
	bound  bool
	rule   rule
	keys   []int           // fields that are hashed
	pick   dag.Partitioner // picked
	spread *spread         // toSpread
	custom gearcore.CustomGrouping
}

// rule says how the receivers of a route are found.
type rule uint8

const (
	nobody   rule = iota // there are no tasks
	first                // there is no choice
	picked               // by route.pick
	toSpread             // by route.spread
	toAll
	asked     // by route.custom
	elsewhere // by the emitter's own code, in EmitTo
	direct    // by the emitter
)

// outputs returns the streams of t's component in a plan, the default stream first.
func (e *Engine) outputs(x *executor, plan *dag.Plan, p *dag.Processor, t gearcore.TaskID) ([]output, error) {
	var outs []output
	for i := range p.Outputs {
		o := &p.Outputs[i]
		sid, ok := plan.Stream(p.Name, o.Stream)
		if !ok {
			return nil, fmt.Errorf("stream %s of %s is not in the plan", o.Stream, p.Name)
		}
		out := output{Output: o, task: t, stream: sid}
		for j := range plan.Routes[sid] {
			r, err := e.route(x, plan, &plan.Routes[sid][j], t, uint64(i)<<32|uint64(j))
			if err != nil {
				return nil, err
			}
			out.direct = out.direct || r.rule == direct
			out.custom = out.custom || r.rule == asked
			out.routes = append(out.routes, r)
		}
		if len(out.routes) == 1 {
			rule := out.routes[0].rule
			out.one = rule == first || rule == picked || rule == toSpread
		}
		outs = append(outs, out)
	}
	if i := slices.IndexFunc(outs, func(o output) bool { return o.Stream == gearcore.DefaultStream }); i > 0 {
		outs[0], outs[i] = outs[i], outs[0]
	}
	return outs, nil
}

func (e *Engine) route(x *executor, plan *dag.Plan, r *dag.Route, source gearcore.TaskID, salt uint64) (route, error) {
	n := len(r.Tasks)
	out := route{
		x: x, plan: r, tasks: r.Tasks, bound: !r.Back,
		dense: n > 0 && int(r.Tasks[n-1]-r.Tasks[0]) == n-1,
	}
	var err error
	seed := mix(e.cfg.Seed^uint64(source)) ^ salt
	if out.pick, err = dag.NewPartitioner(r, plan.Graph.Hash, seed); err != nil {
		return route{}, err
	}
	switch k := r.Grouping.Kind; {
	case k == dag.Direct:
		out.rule = direct
	case n == 0:
		out.rule = nobody
	case k == dag.Custom:
		if e.cfg.NewGrouping == nil {
			return route{}, fmt.Errorf("custom grouping %s of %s: there are none here", r.Grouping.Name, r.Target.Name)
		}
		if out.custom, err = e.cfg.NewGrouping(r.Grouping.Name); err != nil {
			return route{}, fmt.Errorf("make custom grouping of %s: %w", r.Target.Name, err)
		}
		out.rule = asked
	case k == dag.Foreign:
		out.rule = elsewhere
	case n == 1 || k == dag.Global:
		out.rule = first
	case k == dag.All:
		out.rule = toAll
	case k == dag.Shuffle || k == dag.LocalOrShuffle:
		out.rule, out.spread = toSpread, newSpread(e, r, seed)
	default:
		out.rule = picked
	}
	switch r.Grouping.Kind {
	case dag.Fields, dag.PartialKey, dag.KeyGroups:
		out.keys = r.Fields
	}
	return out, nil
}

// mix spreads the bits of a seed.
func mix(v uint64) uint64 {
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// box returns the outbox to the task with that id, nil if it is none of r.tasks. Direct routes have no list of them by
// position: among many tasks that emit to one another it would have n*n places.
func (r *route) box(id gearcore.TaskID) *outbox {
	if r.last != nil && r.last.target == id {
		return r.last
	}
	i, ok := r.at(id)
	switch {
	case !ok:
		return nil
	case r.rule != direct:
		return r.boxAt(i)
	}
	r.last = r.x.box(id, r.bound)
	r.last.kin, r.last.mixed = nil, true
	return r.last
}

// at returns the position in r.tasks of the task with that id.
func (r *route) at(id gearcore.TaskID) (i int, ok bool) {
	if r.dense {
		i = int(id - r.tasks[0])
		return i, uint(i) < uint(len(r.tasks))
	}
	return slices.BinarySearch(r.tasks, id)
}

// boxAt returns the outbox to r.tasks[i].
func (r *route) boxAt(i int) *outbox {
	if r.boxes != nil && r.boxes[i] != nil {
		return r.boxes[i]
	}
	return r.open(i)
}

func (r *route) open(i int) *outbox {
	if r.boxes == nil {
		r.boxes = make([]*outbox, len(r.tasks))
	}
	b := r.x.box(r.tasks[i], r.bound)
	if r.rule != toSpread || r.x.e.cfg.PlainShuffle || b.kin != nil && b.kin.plan != r.plan {
		b.kin, b.mixed = nil, true
	} else if !b.mixed {
		b.kin = r
	}
	r.boxes[i] = b
	return b
}

var errDirectStream = errors.New("emit on a direct stream without naming a task")

var errElsewhere = errors.New("the receivers are chosen by the emitter's grouping")

// choose returns the receivers of a tuple by the groupings, appended to ids and boxes.
func (o *output) choose(vals []gearcore.Value, ids []gearcore.TaskID, boxes []*outbox) ([]gearcore.TaskID, []*outbox, error) {
	if o.direct {
		return ids, boxes, fmt.Errorf("stream %s: %w", o.Stream, errDirectStream)
	}
	for i := range o.routes {
		r := &o.routes[i]
		if r.rule == asked {
			var err error
			if ids, boxes, err = r.ask(o, vals, ids, boxes); err != nil {
				return ids, boxes, err
			}
			continue
		}
		from, to, err := r.choose(o, vals)
		if err != nil {
			return ids, boxes, err
		}
		ids = append(ids, r.tasks[from:to]...)
		boxes = append(boxes, r.boxes[from:to]...)
	}
	return ids, boxes, nil
}

// choose returns the positions [from, to) in r.tasks and r.boxes of those who get a tuple.
func (r *route) choose(o *output, vals []gearcore.Value) (from, to int, err error) {
	var i int
	switch r.rule {
	case picked:
		for _, k := range r.keys {
			if vals[k].Kind() == gearcore.KindObject {
				return 0, 0, fmt.Errorf("stream %s, field %s: %w", o.Stream, o.Fields[k], vals[k].Hashable())
			}
		}
		i = r.pick.Pick(vals)
	case toSpread:
		i = r.spread.next(r)
	case elsewhere:
		return 0, 0, fmt.Errorf("stream %s: %w %s", o.Stream, errElsewhere, r.plan.Grouping.Name)
	case first:
	case toAll:
		for i := range r.tasks {
			r.boxAt(i)
		}
		return 0, len(r.tasks), nil
	default:
		return 0, 0, nil
	}
	r.boxAt(i)
	return i, i + 1, nil
}

// ask appends the receivers that a custom grouping chooses.
func (r *route) ask(o *output, vals []gearcore.Value, ids []gearcore.TaskID, boxes []*outbox) ([]gearcore.TaskID, []*outbox, error) {
	for _, id := range r.custom.Choose(o.task, vals) {
		i, ok := slices.BinarySearch(r.tasks, id)
		if !ok {
			return ids, boxes, fmt.Errorf("stream %s: custom grouping %s chose task %d, which is none of %s", o.Stream, r.plan.Grouping.Name, id, r.plan.Target.Name)
		}
		ids, boxes = append(ids, id), append(boxes, r.boxAt(i))
	}
	return ids, boxes, nil
}

// reserve is choose for a tuple that is not there yet, on a route that does not look at it.
func (r *route) reserve() (from, to int) {
	switch r.rule {
	case toAll:
		return 0, len(r.tasks)
	case toSpread:
		from = r.spread.reserve(r)
	case picked:
		from = r.pick.Pick(nil)
	case first:
	default:
		return 0, 0
	}
	return from, from + 1
}

// chooseDirect appends the receiver of a direct emit: none if its component does not subscribe to the stream.
func (o *output) chooseDirect(r *roster, task gearcore.TaskID, ids []gearcore.TaskID, boxes []*outbox) ([]gearcore.TaskID, []*outbox, error) {
	if r.isGone(task) {
		_, task = o.heirOf(r, task)
	}
	for i := range o.routes {
		r := &o.routes[i]
		if r.rule != direct {
			if _, ok := r.at(task); !ok {
				continue
			}
			return ids, boxes, fmt.Errorf("emit directly to task %d on stream %s: %s subscribes by another grouping", task, o.Stream, r.plan.Target.Name)
		}
		if b := r.box(task); b != nil {
			return append(ids, task), append(boxes, b), nil
		}
	}
	return ids, boxes, nil
}
