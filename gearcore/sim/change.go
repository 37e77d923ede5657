package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// plan says which worker runs what. Each worker has heard of one of them.
type plan struct {
	version uint64
	workers [][]dag.Executor
	owner   map[gearcore.TaskID]int             // task -> worker
	first   map[gearcore.TaskID]gearcore.TaskID // task -> first task of its executor
}

func newPlan(version uint64, p *dag.Plan, workers [][]dag.Executor) *plan {
	out := &plan{version: version, workers: workers, owner: map[gearcore.TaskID]int{}, first: map[gearcore.TaskID]gearcore.TaskID{}}
	for i, ex := range workers {
		for _, d := range ex {
			for _, id := range p.TasksOf(d.Processor.Name) {
				if d.First <= id && id <= d.Last {
					out.owner[id], out.first[id] = i, d.First
				}
			}
		}
	}
	return out
}

// Change begins a rebalance: the workers run other executors from now on, as soon as each hears of it, at different
// times. What leaves a worker has drain to end in order. A worker that is down starts with the newest plan.
func (w *World) Change(workers [][]dag.Executor, drain time.Duration) {
	w.plan = newPlan(w.plan.version+1, w.cfg.Plan, workers)
	w.drain = drain
	if w.keeper != nil {
		w.keeper.after(w.delay(), func() { w.keeper.step(w.keeper.planned()) })
	}
	for _, n := range w.nodes {
		if n.driver != nil && !n.waits {
			n.waits, n.hearsAt = true, w.now+time.Duration(w.rnd.Int64N(int64(20*w.cfg.MaxDelay)+1))
		}
	}
}

// Changing reports whether a worker has not heard of the newest plan, or has executors that leave.
func (w *World) Changing() bool {
	return slices.ContainsFunc(w.nodes, func(n *node) bool {
		return n.driver != nil && (n.waits || n.driver.Leaving() > 0)
	})
}

// hear brings workers to the newest plan whose time has come.
func (w *World) hear() error {
	for i, n := range w.nodes {
		if !n.waits || n.driver == nil || n.hearsAt > w.now {
			continue
		}
		before := n.plan.workers[i]
		n.plan, n.waits = w.plan, false
		c := engine.Change{Version: w.plan.version, Drain: w.drain}
		for _, x := range before {
			if !slices.Contains(w.plan.workers[i], x) {
				c.Remove = append(c.Remove, x)
			}
		}
		for _, x := range w.plan.workers[i] {
			if !slices.Contains(before, x) {
				c.Add = append(c.Add, x)
			}
		}
		w.note(uint64(i), w.plan.version, uint64(w.now))
		if _, err := n.driver.Apply(c); err != nil {
			return fmt.Errorf("change simulated worker %d: %w", i, err)
		}
	}
	return nil
}
