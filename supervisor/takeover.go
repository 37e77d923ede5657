package supervisor

import (
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A version of a topology's graph that workers take over while they run reaches them when its code is here, and names where. One
// that they cannot take over reaches them at once: they end, and the next ones wait for the code.

// planFor is the plan of a topology as the slot's worker is told it, and whether it can be told now.
func (r *runner) planFor(plan *stormrpc.TopologyPlan) (*stormrpc.TopologyPlan, bool) {
	o := r.occupant()
	if plan.GetInPlaceFrom() <= 0 || o.graph == 0 || o.graph < plan.GetInPlaceFrom() || o.graph >= plan.DagVersion {
		return plan, true
	}
	if planned, _ := r.plans.topology(plan.TopologyID); planned != plan {
		return plan, true // the topology leaves this node
	}
	told := *plan
	if o.strict {
		told.InPlaceFrom = 0
		return &told, true
	}
	if !r.cache.Has(plan.TopologyID, localizer.Version{Number: plan.CodeVersion, Code: plan.GetCodeID()}) {
		return nil, false
	}
	dir := r.cache.Dir(plan.TopologyID)
	told.CodeDir = &dir
	return &told, true
}

// unchanged is the answer to a worker whose next plan cannot be told yet: what it has is still valid.
func unchanged(report *stormrpc.WorkerReport, known int64, plan *stormrpc.TopologyPlan) *stormrpc.TopologyPlan {
	out := stillValid(plan)
	out.PlanVersion, out.Epoch, out.AssignmentID, out.DagVersion = known, report.Epoch, report.AssignmentID, report.GetDagVersion()
	return out
}

// tookOver says that a worker runs another version of the graph than it was started with. Stamp is that of its code.
type tookOver struct {
	worker string
	graph  int64
	stamp  string
}

// noteGraph takes from a report which version of the graph a worker runs.
func (r *runner) noteGraph(o occupant, report *stormrpc.WorkerReport) {
	graph := report.GetDagVersion()
	if graph == 0 || graph == o.graph {
		return
	}
	e := tookOver{o.worker, graph, o.stamp}
	plan, _ := r.plans.topology(o.topology)
	if plan != nil && plan.DagVersion == graph && r.cache.Has(o.topology, localizer.Version{Number: plan.CodeVersion, Code: plan.GetCodeID()}) {
		e.stamp = r.cache.Stamp(o.topology)
	}
	r.mu.Lock()
	if r.now.worker == o.worker {
		r.now.graph, r.now.stamp = e.graph, e.stamp
	}
	r.mu.Unlock()
	r.send(e)
}

// keepTakenOver keeps on disk what a worker took over.
func (r *runner) keepTakenOver(e tookOver) {
	if r.record.Worker != e.worker {
		return
	}
	r.record.Graph, r.record.Stamp = e.graph, e.stamp
	r.log.Info("worker took a version over", "topology", r.record.Topology, "worker", e.worker, "version", e.graph)
	r.keepRecord()
}

// letRead has the user whose workers run a topology read code in a directory that came while they run.
func (s *Supervisor) letRead(topology, dir string) error {
	plan, _ := s.plans.topology(topology)
	if plan == nil || !s.isolation.asUser {
		return nil
	}
	u, err := isolate.LookupUser(ownerOf(plan))
	if err != nil {
		return err
	}
	return u.LetRead(dir)
}

func ownerOf(plan *stormrpc.TopologyPlan) string {
	if owner := plan.GetOwner(); owner != "" {
		return owner
	}
	return plan.Assignment.GetOwner()
}
