package worker

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// A plan that gives this slot other executors is applied while the rest runs: first the engine, so that what comes for a
// task is known to belong here or elsewhere, then the links, which carry on what was on its way to tasks that moved.

// version orders the plans of a topology.
func version(p *stormrpc.TopologyPlan) uint64 {
	return uint64(p.Epoch)<<32 | uint64(uint32(p.PlanVersion))
}

// change makes the engine run local, of the plan of that version, with those tasks on this host.
func (h *host) change(version uint64, local []dag.Executor, onHost map[gearcore.TaskID]bool) error {
	c := engine.Change{Version: version, Add: without(local, h.local), Remove: without(h.local, local)}
	before, now := tasksOf(h.plan, h.local), tasksOf(h.plan, local)
	come, leave := without(now, before), without(before, now)
	if err := h.table.Begin(come); err != nil {
		return err
	}
	h.onHost.Store(&onHost)
	h.tasks.local = now
	if h.tasks.java != nil {
		h.tasks.java.tellLocal(now)
	}
	if _, err := h.engine.Apply(c); err != nil {
		return err
	}
	h.table.End(leave)
	h.local = local
	h.keeps.Store(keeps(h.plan, local, h.engine))
	return nil
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
	local, err := executors(w.host.plan, p.of(w.self))
	if err != nil {
		return err
	}
	before := w.host.local
	if err := w.host.change(version(next), local, p.onHost(w.self)); err != nil {
		return fmt.Errorf("%w: its executors cannot be changed while it runs: %w", errLeave, err)
	}
	if come, leave := without(local, before), without(before, local); len(come)+len(leave) > 0 {
		w.log.Info("executors change in place", slog.Int("come", len(come)), slog.Int("leave", len(leave)))
		for _, id := range tasksOf(w.host.plan, leave) {
			w.former[id] = true
		}
	}
	w.links.SetAssignment(w.linkAssignment(next, p))
	w.links.SetPeers(p.peers(w.self, w.sentTo()))
	w.placeClock(next, p)
	return nil
}

// sentTo returns the tasks elsewhere that links are kept up for: those that local executors send to, and those that were
// here before, for which something may still come.
func (w *worker) sentTo() map[gearcore.TaskID]bool {
	to := targets(w.host.plan, w.host.local)
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
	return a
}
