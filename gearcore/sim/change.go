package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// plan says which worker runs what. Each worker has heard of one of them.
type plan struct {
	version uint64
	dag     *dag.Plan
	workers [][]dag.Executor
	owner   map[gearcore.TaskID]int             // task -> worker; also of those that are gone
	first   map[gearcore.TaskID]gearcore.TaskID // task -> first task of its executor
}

func newPlan(version uint64, p *dag.Plan, workers [][]dag.Executor, before *plan) *plan {
	out := &plan{version: version, dag: p, workers: workers, owner: map[gearcore.TaskID]int{}, first: map[gearcore.TaskID]gearcore.TaskID{}}
	if before != nil {
		maps.Copy(out.owner, before.owner)
		maps.Copy(out.first, before.first)
	}
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

// patience is how long a worker that cannot take a plan waits until it starts again.
const patience = 3 * time.Second

// Change gives the workers other executors. Each of them hears of it by itself, soon; its executors that leave have drain for what
// they have begun.
func (w *World) Change(workers [][]dag.Executor, drain time.Duration) {
	w.Become(w.plan.dag, workers, drain)
}

// Become gives the topology the next version of its graph, or, with the same plan, other places for executors.
func (w *World) Become(p *dag.Plan, workers [][]dag.Executor, drain time.Duration) {
	w.plan = newPlan(w.plan.version+1, p, workers, w.plan)
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

// Changing says whether a worker has not heard of the newest plan, or has not done with a change.
func (w *World) Changing() bool {
	return slices.ContainsFunc(w.nodes, func(n *node) bool {
		return n.driver != nil && (n.waits || n.driver.Leaving() > 0 || n.driver.Version() != w.plan.dag.Graph.Version)
	})
}

// hear tells workers of the newest plan whose time has come.
func (w *World) hear() error {
	for i, n := range w.nodes {
		if !n.waits || n.driver == nil || n.hearsAt > w.now {
			continue
		}
		if err := w.apply(i, n); err != nil {
			return fmt.Errorf("change simulated worker %d: %w", i, err)
		}
	}
	return nil
}

// apply has worker i take the newest plan. One that has another in preparation tries again, and starts anew if that takes too long.
func (w *World) apply(i int, n *node) error {
	before, is := n.plan, w.plan
	c := engine.Change{Version: is.version, Drain: w.drain,
		Remove: without(before.workers[i], is.workers[i]), Add: without(is.workers[i], before.workers[i])}
	if is.dag != before.dag {
		c.Plan = is.dag
	}
	n.plan = is // it may be asked for ways at once
	w.note(uint64(i), is.version, uint64(w.now))
	_, err := n.driver.Apply(c)
	switch {
	case err == nil:
		n.waits, n.refused = false, 0
		return nil
	case !errors.Is(err, engine.ErrPrepared):
		return err
	}
	n.plan = before
	if n.refused == 0 {
		n.refused = w.now
	}
	n.hearsAt = w.now + time.Duration(w.rnd.Int64N(int64(20*w.cfg.MaxDelay)+1)) + time.Microsecond
	if w.now-n.refused > patience {
		w.Crash(i)
		return w.Start(i)
	}
	return nil
}

// without returns what of a is not in b.
func without(a, b []dag.Executor) (out []dag.Executor) {
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y dag.Executor) bool { return x.First == y.First && x.Last == y.Last }) {
			out = append(out, x)
		}
	}
	return out
}
