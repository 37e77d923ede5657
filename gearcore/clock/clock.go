// Package clock puts the clocks that workers report together: the clock of each component and of the topology, and who holds it up.
// It is pure.
//
// A task's clock is that of its input, a source's its own; the minimum over tasks is the clock of their component, the minimum over
// components that of the topology. Idle and End are the largest clocks there are, so who is idle or has ended holds nobody up, and a
// topology is idle if all its tasks are. Putting together costs a step for each component of each worker.
package clock

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// maxStuck is how many tasks of a component are named.
const maxStuck = 16

// Component is the clock of one component.
type Component struct {
	Name string
	// Min is its input clock, Out its output clock: what it lets those behind it know.
	Min, Out gearcore.Watermark
	// Tasks are some that are at Min, ascending.
	Tasks []gearcore.TaskID
}

// View is how the clocks of a topology stand.
type View struct {
	// Generation is that of the reports it was made of. From one to the next clocks may go back.
	Generation uint64
	// Min is the clock of the topology: the smallest of its components; 0: not known yet.
	Min gearcore.Watermark
	// Components are those that somebody has tasks of, those behind the sources last.
	Components []Component
}

// Component returns the one called name, or nil.
func (v *View) Component(name string) *Component {
	i := slices.IndexFunc(v.Components, func(c Component) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &v.Components[i]
}

// Order is a topology's components from the sources on.
type Order struct{ place map[string]int }

// OrderOf sorts the components of g: each stands behind those it gets tuples from, and where these are in a cycle, behind the one of them whose name
// is the first.
func OrderOf(g *dag.Graph) *Order {
	o := &Order{place: map[string]int{}}
	for len(o.place) < len(g.Processors) {
		next := ""
		for _, p := range g.Processors {
			if _, done := o.place[p.Name]; done {
				continue
			}
			if next == "" {
				next = p.Name // if there is only a cycle left
			}
			if o.ready(p) {
				next = p.Name
				break
			}
		}
		o.place[next] = len(o.place)
	}
	return o
}

func (o *Order) ready(p *dag.Processor) bool {
	for _, in := range p.Inputs {
		if _, done := o.place[in.Source]; !done && in.Source != p.Name {
			return false
		}
	}
	return true
}

// Merge makes a View of the reports that are of a generation. Components that are not in the order come last.
func (o *Order) Merge(generation uint64, reports []checkpoint.Report) View {
	v := View{Generation: generation, Min: gearcore.End}
	at := map[string]int{}
	for _, r := range reports {
		if r.Generation != generation {
			continue
		}
		for _, row := range r.Clocks {
			i, ok := at[row.Component]
			if !ok {
				i = len(v.Components)
				at[row.Component] = i
				v.Components = append(v.Components, Component{Name: row.Component, Min: gearcore.End, Out: gearcore.End})
			}
			v.Components[i].add(row)
			v.Min = min(v.Min, row.Min)
		}
	}
	if len(v.Components) == 0 {
		v.Min = 0
	}
	slices.SortFunc(v.Components, func(a, b Component) int {
		x, y := o.placeOf(a.Name), o.placeOf(b.Name)
		if x != y {
			return x - y
		}
		return dag.Compare(a.Name, b.Name)
	})
	return v
}

func (o *Order) placeOf(name string) int {
	if p, ok := o.place[name]; ok {
		return p
	}
	return len(o.place)
}

// add takes a worker's tasks in.
func (c *Component) add(row checkpoint.Clock) {
	c.Out = min(c.Out, row.Out)
	if row.Min > c.Min {
		return
	}
	if row.Min < c.Min {
		c.Min, c.Tasks = row.Min, nil
	}
	c.Tasks = append(c.Tasks, row.Task)
	c.Tasks = append(c.Tasks, row.Stuck[:min(len(row.Stuck), maxStuck)]...)
	slices.Sort(c.Tasks)
	c.Tasks = slices.Compact(c.Tasks)
	c.Tasks = c.Tasks[:min(len(c.Tasks), maxStuck)]
}
