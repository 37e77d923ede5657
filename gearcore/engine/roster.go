package engine

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// roster is what runs in this worker from one change to the next. It is immutable: a change makes another one, and each
// executor goes over to that at the start of its next run (rewire.go), or at its part in a birth (birth.go).
type roster struct {
	version uint64      // of the plan, as Change says
	plan    *dag.Plan   // by which tasks work
	execs   []*executor // ordered by first
	byTask  []*executor // by task id; nil for tasks of other workers
	fused   map[*executor]*executor
	shape   uint64 // of plan (checkpoint.ShapeOf); 0 without checkpoints

	// outs are the outputs of tasks that are older than plan and send by it in another way than before.
	outs map[*task][]output
	// places are those of tasks that are gone among the tasks of their component, as far as this engine has seen them.
	places map[gearcore.TaskID]int

	next   *roster            // follows at a birth; nil: none is prepared
	coming map[*executor]bool // of execs: they have a part in next only
	leave  []*executor        // guarded by Engine.mu: of a roster that is a next: they are not in it any more
	out    *leaving           // of them
}

// seat gives r its executors.
func (r *roster) seat(execs []*executor) {
	r.execs = execs
	slices.SortFunc(r.execs, func(a, b *executor) int { return int(a.first - b.first) })
	for _, x := range execs {
		for _, t := range x.tasks {
			if need := int(t.id) + 1 - len(r.byTask); need > 0 {
				r.byTask = append(r.byTask, make([]*executor, need)...)
			}
			r.byTask[t.id] = x
		}
	}
}

// of returns the executor of a task, nil if that does not run here.
func (r *roster) of(id gearcore.TaskID) *executor {
	if uint(id) >= uint(len(r.byTask)) {
		return nil
	}
	return r.byTask[id]
}

// newest is the plan that knows most: its layout explains all that may come.
func (r *roster) newest() *dag.Plan {
	if r.next != nil {
		return r.next.plan
	}
	return r.plan
}

// isGone says whether a task was in an earlier plan.
func (r *roster) isGone(id gearcore.TaskID) bool {
	_, ok := r.plan.Layout.Gone[id]
	return ok
}

// complete says whether all tasks of the plan are here.
func (r *roster) complete() bool {
	for id := range r.plan.Numbering {
		if r.of(id) == nil {
			return false
		}
	}
	return true
}

// weigh sets the shape of r's plan.
func (r *roster) weigh() { r.shape = checkpoint.ShapeOf(checkpoint.PlanOf(r.plan, 0).Tasks) }

// executorOf returns the executor of a task at present, nil if that does not run here.
func (e *Engine) executorOf(id gearcore.TaskID) *executor { return e.roster.Load().of(id) }

// executors returns what runs here at present, by first task.
func (e *Engine) executors() []*executor { return e.roster.Load().execs }

// plan returns the plan in force here.
func (e *Engine) plan() *dag.Plan { return e.roster.Load().plan }
