package engine

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// roster is what runs in this worker from one change to the next. It is immutable: a change makes another one, and each
// executor goes over to that at the start of its next run (rewire.go).
type roster struct {
	version uint64      // of the plan, as Change says
	execs   []*executor // ordered by first
	byTask  []*executor // by task id; nil for tasks of other workers
	fused   map[*executor]*executor
}

func newRoster(version uint64, execs []*executor) *roster {
	r := &roster{version: version, execs: execs}
	slices.SortFunc(r.execs, func(a, b *executor) int { return int(a.first - b.first) })
	for _, x := range execs {
		for _, t := range x.tasks {
			if need := int(t.id) + 1 - len(r.byTask); need > 0 {
				r.byTask = append(r.byTask, make([]*executor, need)...)
			}
			r.byTask[t.id] = x
		}
	}
	return r
}

// of returns the executor of a task, nil if that does not run here.
func (r *roster) of(id gearcore.TaskID) *executor {
	if uint(id) >= uint(len(r.byTask)) {
		return nil
	}
	return r.byTask[id]
}

// executorOf returns the executor of a task at present, nil if that does not run here.
func (e *Engine) executorOf(id gearcore.TaskID) *executor { return e.roster.Load().of(id) }

// executors returns what runs here at present, by first task.
func (e *Engine) executors() []*executor { return e.roster.Load().execs }
