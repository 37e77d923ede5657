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
	name    string
	task    gearcore.TaskID
	stream  gearcore.StreamID
	fields  []string
	routes  []route
	direct  bool              // a subscriber uses the direct grouping
	onlyIDs []gearcore.TaskID // the one possible receiver, if there is just one
	only    [1]*outbox        // its outbox, once used
	lane    *gearcore.Lane    // the collector's way to it, once asked for
	// Counted since the last report.
	emitted, transferred int
}

// route is one subscription of the stream.
type route struct {
	x      *executor
	target string
	tasks  []gearcore.TaskID
	boxes  []*outbox // by position in tasks, made when first used
	dense  bool      // task ids without gaps
	bound  bool
	direct bool
	keys   []int // fields that are hashed
	pick   dag.Partitioner
}

// outputs returns the streams of t's component, the default stream first.
func (e *Engine) outputs(x *executor, p *dag.Processor, t gearcore.TaskID) ([]output, error) {
	var outs []output
	for i, o := range p.Outputs {
		sid, ok := e.plan.Stream(p.Name, o.Stream)
		if !ok {
			return nil, fmt.Errorf("stream %s of %s is not in the plan", o.Stream, p.Name)
		}
		out := output{name: o.Stream, task: t, stream: sid, fields: o.Fields}
		for j := range e.plan.Routes[sid] {
			r, err := e.route(x, &e.plan.Routes[sid][j], t, uint64(i)<<32|uint64(j))
			if err != nil {
				return nil, err
			}
			out.direct = out.direct || r.direct
			out.routes = append(out.routes, r)
		}
		if len(out.routes) == 1 && len(out.routes[0].tasks) == 1 && !out.direct {
			out.onlyIDs = out.routes[0].tasks
		}
		outs = append(outs, out)
	}
	if i := slices.IndexFunc(outs, func(o output) bool { return o.name == gearcore.DefaultStream }); i > 0 {
		outs[0], outs[i] = outs[i], outs[0]
	}
	return outs, nil
}

func (e *Engine) route(x *executor, r *dag.Route, source gearcore.TaskID, salt uint64) (route, error) {
	local := func(t gearcore.TaskID) bool { return e.byTask[t] != nil }
	pick, err := dag.NewPartitioner(r, e.plan.Graph.Hash, local, mix(e.cfg.Seed^uint64(source))^salt)
	if err != nil {
		return route{}, err
	}
	n := len(r.Tasks)
	out := route{
		x: x, target: r.Target.Name, tasks: r.Tasks, boxes: make([]*outbox, n), bound: !r.Back,
		direct: r.Grouping.Kind == dag.Direct, pick: pick,
		dense: n > 0 && int(r.Tasks[n-1]-r.Tasks[0]) == n-1,
	}
	if r.Grouping.Kind == dag.Fields || r.Grouping.Kind == dag.PartialKey {
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

// box returns the outbox to the task with that id, which is one of r.tasks.
func (r *route) box(id gearcore.TaskID) *outbox {
	i := int(id - r.tasks[0])
	if !r.dense {
		i, _ = slices.BinarySearch(r.tasks, id)
	}
	if r.boxes[i] == nil {
		r.boxes[i] = r.x.box(id, r.bound)
	}
	return r.boxes[i]
}

var errDirectStream = errors.New("emit on a direct stream without naming a task")

// choose appends the receivers of a tuple by the groupings.
func (o *output) choose(vals []gearcore.Value, ids []gearcore.TaskID, boxes []*outbox) ([]gearcore.TaskID, []*outbox, error) {
	if o.direct {
		return ids, boxes, fmt.Errorf("stream %s: %w", o.name, errDirectStream)
	}
	for i := range o.routes {
		r := &o.routes[i]
		for _, k := range r.keys {
			if vals[k].Kind() == gearcore.KindObject {
				return ids, boxes, fmt.Errorf("stream %s, field %s: %w", o.name, o.fields[k], vals[k].Hashable())
			}
		}
		n := len(ids)
		ids = r.pick.Pick(vals, ids)
		for _, id := range ids[n:] {
			boxes = append(boxes, r.box(id))
		}
	}
	return ids, boxes, nil
}

// chooseDirect appends the receiver of a direct emit: none if its component does not subscribe to the stream.
func (o *output) chooseDirect(task gearcore.TaskID, ids []gearcore.TaskID, boxes []*outbox) ([]gearcore.TaskID, []*outbox, error) {
	for i := range o.routes {
		r := &o.routes[i]
		if _, ok := slices.BinarySearch(r.tasks, task); !ok {
			continue
		}
		if !r.direct {
			return ids, boxes, fmt.Errorf("emit directly to task %d on stream %s: %s subscribes by another grouping", task, o.name, r.target)
		}
		return append(ids, task), append(boxes, r.box(task)), nil
	}
	return ids, boxes, nil
}
