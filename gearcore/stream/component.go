package stream

import (
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Component is a vertex of the graph that steps became: those of one task, of which the first gives it its name. It is what
// runners (compat/storm, streamtest) are told.
type Component struct {
	Name    string
	Source  bool
	Tasks   int // and executors
	Outputs []dag.Output
	Inputs  []dag.Input
	Conf    map[string]any
	// Steps are the names of the steps in it.
	Steps []string
	// Ends are those of them that end a stream (To).
	Ends []string
	// New makes one task: a gearcore.Source or a gearcore.Task. It is safe for concurrent use if what the topology was
	// declared with is.
	New func(Env) (any, error)
}

// Components returns what the topology is made of, in the order of declaration, or all that is wrong with it. It is called
// once, after the last step was declared.
func (t *Topology) Components() ([]*Component, error) {
	t.check()
	if err := t.problems(); err != nil {
		return nil, err
	}
	var out []*Component
	home := map[*node]*Component{}
	for _, n := range t.nodes {
		head := n.head()
		c := home[head]
		if c == nil {
			c = &Component{Name: head.name, Source: head.kind == source, Tasks: head.tasks(), Conf: maps.Clone(head.opts.conf)}
			c.New = func(env Env) (any, error) { return newTask(head, env) }
			home[head] = c
			out = append(out, c)
		}
		c.Steps = append(c.Steps, n.name)
		if len(n.outs) == 0 {
			c.Ends = append(c.Ends, n.name)
		}
		if n == head {
			c.subscribe(n, home)
		}
	}
	for _, n := range t.nodes {
		home[n.head()].declare(n)
	}
	return out, nil
}

// subscribe makes the inputs of a component, whose first step is n.
func (c *Component) subscribe(n *node, home map[*node]*Component) {
	for _, in := range n.ins {
		for _, p := range in.ports {
			x := in.export(p)
			i := dag.Input{Source: home[p.node.head()].Name, Stream: x.name, Grouping: x.grouping}
			if !slices.ContainsFunc(c.Inputs, func(o dag.Input) bool { return o.Source == i.Source && o.Stream == i.Stream }) {
				c.Inputs = append(c.Inputs, i)
			}
		}
	}
}

// declare makes the outputs of n those of its component.
func (c *Component) declare(n *node) {
	for _, p := range n.outs {
		for _, x := range p.exports {
			if !slices.ContainsFunc(c.Outputs, func(o dag.Output) bool { return o.Stream == x.name }) {
				c.Outputs = append(c.Outputs, dag.Output{Stream: x.name, Fields: x.fields})
			}
		}
	}
}

// check finds what only the whole declaration shows.
func (t *Topology) check() {
	for _, n := range t.nodes {
		if n.assigns && n.head().kind != source {
			t.fail("step %s: events get their times in the tasks of their source, and it is in those of %s", n.name, n.head().name)
		}
		if n.needsTime && !n.timed() {
			t.fail("step %s: its windows are by event time, and nothing gives all of its events one (Times, AssignTimes)", n.name)
		}
	}
}

// timed reports whether all events that n puts out have a time, those aside that leave it for want of one.
func (n *node) timed() bool {
	if n.assigns || n.kind == source {
		return n.assigns
	}
	for _, in := range n.ins {
		for _, p := range in.ports {
			if p.name == untimedPort || p.name == untimedRight || !p.node.timed() {
				return false
			}
		}
	}
	return true
}

// newTask puts the steps of one task together.
func newTask(head *node, env Env) (any, error) {
	r := &run{env: env.orReal()}
	step := head.build(r)
	if err, failed := step.(error); failed {
		return nil, err
	}
	if _, own := step.(gearcore.Task); own || head.kind == source {
		return step, nil
	}
	t := &task{r: r, names: map[streamOf]handler{}}
	for _, in := range head.ins {
		for _, p := range in.ports {
			from := streamOf{p.node.head().name, in.export(p).name}
			if _, twice := t.names[from]; twice {
				continue
			}
			t.names[from] = in.handle(r, step, p)
		}
	}
	if op, ok := step.(operator); ok {
		return &stateTask{t, op}, nil
	}
	if r.sink != nil {
		return &sinkTask{t, r.sink}, nil
	}
	if env.Tap != nil {
		return tappedTask{t}, nil
	}
	return t, nil
}
