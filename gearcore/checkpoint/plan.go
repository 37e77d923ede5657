package checkpoint

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Plan is which tasks there are. Version grows with each, Graph (dag.Graph.Version) only with another graph: then it comes into
// force by a birth, if the topology is at work. 0: there is but one graph.
type Plan struct {
	Version int64
	Graph   int64
	Tasks   []Task
	// Workers are the slots of those that have a part in it; nil: that is not told. Nobody waits for others, whatever they had.
	Workers []string
}

// PlanOf lists the tasks of p that take part in checkpoints.
func PlanOf(p *dag.Plan, version int64) Plan {
	out := Plan{Version: version, Graph: p.Graph.Version}
	for _, proc := range p.Graph.Processors {
		if proc.Kind != dag.Spout && proc.Kind != dag.Bolt {
			continue
		}
		for i, id := range p.TasksOf(proc.Name) {
			out.Tasks = append(out.Tasks, Task{ID: id, Component: proc.Name, Index: i, Source: len(proc.Inputs) == 0})
		}
	}
	slices.SortFunc(out.Tasks, func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Task is one task of a Plan.
type Task struct {
	ID        gearcore.TaskID
	Component string
	Index     int  // among the component's
	Source    bool // it has no inputs
}

// ShapeOf is the same for plans with the same tasks, wherever they run, and another one for others. It is not 0.
func ShapeOf(tasks []Task) uint64 {
	tasks = slices.SortedFunc(slices.Values(tasks), func(a, b Task) int { return cmp.Compare(a.ID, b.ID) })
	var b []byte
	for _, t := range tasks {
		b = binary.AppendUvarint(b, uint64(t.ID))
		b = binary.AppendUvarint(b, uint64(t.Index))
		b = binary.AppendUvarint(b, uint64(len(t.Component)))
		b = append(b, t.Component...)
		if t.Source {
			b = append(b, 1)
		}
	}
	return max(xxhash.Sum64(b), 1)
}
