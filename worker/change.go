package worker

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// A plan that gives this slot other executors is applied while the rest runs: first the engine, so that what comes for a
// task is known to belong here or elsewhere, then the links, which carry on what was on its way to tasks that moved. Bolts that come are
// opened after that (Engine.Admit).

// version orders the plans of a topology.
func version(p *stormrpc.TopologyPlan) uint64 {
	return uint64(p.Epoch)<<32 | uint64(uint32(p.PlanVersion))
}

// change makes the engine run local, of the plan of that version, with those tasks on this host. m is what makes tasks from now on:
// of another version of the graph, or h.tasks. done is closed when the tasks of all that leaves are closed.
func (h *host) change(version uint64, m *taskMaker, local []dag.Executor, onHost map[gearcore.TaskID]bool) (done <-chan struct{}, err error) {
	was := h.tasks.Load()
	c := engine.Change{Version: version, Hold: true, Add: missing(local, h.local), Remove: missing(h.local, local)}
	before, now := tasksOf(was.plan, h.local), tasksOf(m.plan, local)
	come, leave := without(now, before), without(before, now)
	if m != was {
		c.Plan = m.plan
		c.Context = func(t dag.Task) (*gearcore.Context, error) { return m.context(t), nil }
		h.table.Extend(m.plan)
	}
	if err := h.table.Begin(come); err != nil {
		return nil, err
	}
	h.onHost.Store(&onHost)
	m.local = now
	h.tasks.Store(m)
	if was.java != nil && was.java != m.java {
		was.java.host.Local(nil)
	}
	if m.java != nil {
		m.java.tellLocal(now)
	}
	if done, err = h.engine.Apply(c); err != nil {
		return nil, err
	}
	if was.java != nil && was.java != m.java {
		was.java.retire()
	}
	h.end(m.plan, leave, done)
	h.local = local
	next := keeps(m.plan, local, h.engine)
	if m != was {
		keepFormer(*next, *h.keeps.Load())
	}
	h.keeps.Store(next)
	return done, nil
}

// ended are tasks that are counted for until they are closed.
type ended struct {
	tasks []gearcore.TaskID
	done  <-chan struct{}
}

// end has tasks counted no more: at once those that p still has, which may come back, others when they are closed.
func (h *host) end(p *dag.Plan, tasks []gearcore.TaskID, done <-chan struct{}) {
	gone := slices.DeleteFunc(slices.Clone(tasks), func(id gearcore.TaskID) bool { _, ok := p.Task(id); return ok })
	h.table.End(without(tasks, gone))
	if len(gone) > 0 {
		h.ending = append(h.ending, ended{gone, done})
	}
	h.endDone()
}

func (h *host) endDone() {
	h.ending = slices.DeleteFunc(h.ending, func(e ended) bool {
		select {
		case <-e.done:
			h.table.End(e.tasks)
			return true
		default:
			return false
		}
	})
}

// missing returns the executors of a that have other tasks than those of b.
func missing(a, b []dag.Executor) []dag.Executor {
	in := make(map[span]bool, len(b))
	for _, x := range b {
		in[span{x.First, x.Last}] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(x dag.Executor) bool { return in[span{x.First, x.Last}] })
}

// without returns what of a is not in b.
func without[T comparable](a, b []T) []T {
	in := make(map[T]bool, len(b))
	for _, v := range b {
		in[v] = true
	}
	var out []T
	for _, v := range a {
		if !in[v] {
			out = append(out, v)
		}
	}
	return out
}

// tasksOf returns the tasks of executors.
func tasksOf(plan *dag.Plan, executors []dag.Executor) []gearcore.TaskID {
	var out []gearcore.TaskID
	for _, x := range executors {
		ids := plan.TasksOf(x.Processor.Name)
		from, _ := slices.BinarySearch(ids, x.First)
		to, _ := slices.BinarySearch(ids, x.Last+1)
		out = append(out, ids[from:max(from, to)]...)
	}
	return out
}

// move brings the worker to where p, read from next, has its executors and those of others.
func (w *worker) move(next *stormrpc.TopologyPlan, p placement) error {
	local, err := executors(w.host.plan(), p.of(w.self))
	if err != nil {
		return err
	}
	before := w.host.local
	if _, pending := w.timed.pending(); !pending {
		if _, err := w.host.change(version(next), w.host.tasks.Load(), local, p.onHost(w.self)); err != nil {
			return fmt.Errorf("%w: its executors cannot be changed while it runs: %w", errLeave, err)
		}
	} else if len(missing(local, before))+len(missing(before, local)) > 0 {
		return errLater
	}
	if come, leave := missing(local, before), missing(before, local); len(come)+len(leave) > 0 {
		w.log.Info("executors change in place", slog.Int("come", len(come)), slog.Int("leave", len(leave)))
		w.remember(leave)
	}
	w.links.SetAssignment(w.linkAssignment(next, p))
	w.links.SetPeers(p.peers(w.self, w.sentTo()))
	w.host.engine.Admit()
	w.placeClock(next, p)
	return nil
}

// remember notes that the tasks of executors were here.
func (w *worker) remember(leave []dag.Executor) {
	for _, id := range tasksOf(w.host.plan(), leave) {
		w.former[id] = true
	}
}

// sentTo returns the tasks elsewhere that links are kept up for: those that local executors send to, and those that were
// here before, for which something may still come.
func (w *worker) sentTo() map[gearcore.TaskID]bool {
	to := targets(w.host.plan(), w.host.local)
	for id := range w.former {
		if !w.host.engine.Runs(id) {
			to[id] = true
		}
	}
	return to
}

// linkAssignment is what links are told of a plan.
func (w *worker) linkAssignment(plan *stormrpc.TopologyPlan, p placement) transport.Assignment {
	a := transport.Assignment{ID: plan.AssignmentID, Epoch: assignmentEpoch(plan), Plan: version(plan), Slots: map[string]string{}, Tasks: p.peers(w.self, nil)}
	for _, at := range p.spans {
		a.Slots[at.String()] = p.addr(at)
	}
	maps.Copy(a.Tasks, w.whereGone(p, plan.TaskComponents, a.Tasks))
	return a
}
