package metrics

import (
	"slices"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// index finds the counters of tasks. A later version of the plan replaces it by a larger one (Table.Extend), which has the
// same pages: who counts by the one that was sees what the other has.
type index struct {
	plan       *dag.Plan
	pages      []*page // tasks by id
	components []string
	component  []int32 // of each task that there is or was, its place in components; 0: none
}

// pageTasks is how many tasks a page has.
const pageTasks = 128

// page has counters by task, nil for tasks of other workers; blank until something is counted.
type page [pageTasks]atomic.Pointer[task]

// extended returns the index for plan, with all that x has. x may be nil.
func (x *index) extended(plan *dag.Plan) *index {
	y := &index{plan: plan, components: []string{gearcore.SystemComponent}}
	if x != nil {
		y.pages, y.components, y.component = slices.Clone(x.pages), slices.Clone(x.components), slices.Clone(x.component)
	}
	place := make(map[string]int32, len(y.components))
	for i, name := range y.components {
		place[name] = int32(i)
	}
	for _, p := range plan.Graph.Processors {
		at, known := place[p.Name]
		if !known {
			at = int32(len(y.components))
			y.components = append(y.components, p.Name)
		}
		for _, id := range plan.TasksOf(p.Name) {
			for len(y.component) <= int(id) {
				y.component = append(y.component, 0)
			}
			y.component[id] = at
		}
	}
	for len(y.pages)*pageTasks < len(y.component) {
		y.pages = append(y.pages, new(page))
	}
	return y
}

// slot is where the counters of a task are, nil if the plan never had it.
func (x *index) slot(id gearcore.TaskID) *atomic.Pointer[task] {
	if uint(id) >= uint(len(x.pages)*pageTasks) {
		return nil
	}
	return &x.pages[id/pageTasks][id%pageTasks]
}

// componentOf returns the place of a task's component in components; tasks nobody knows are the system's.
func (x *index) componentOf(id gearcore.TaskID) int32 {
	if uint(id) >= uint(len(x.component)) {
		return 0
	}
	return x.component[id]
}

// each calls f for the counters of every task of this worker, by id.
func (x *index) each(f func(gearcore.TaskID, *task)) {
	for i, p := range x.pages {
		for j := range p {
			if k := p[j].Load(); k != nil {
				f(gearcore.TaskID(i*pageTasks+j), k)
			}
		}
	}
}
