package nimbus

import (
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// ownerSummaries sums topologies by owner; an empty owner means all of them.
func (n *Nimbus) ownerSummaries(owner string) []*stormrpc.OwnerResourceSummary {
	byOwner := make(map[string][]*topology)
	if owner != "" {
		byOwner[owner] = nil
	}
	for _, t := range n.all() {
		if owner == "" || t.Owner == owner {
			byOwner[t.Owner] = append(byOwner[t.Owner], t)
		}
	}
	out := []*stormrpc.OwnerResourceSummary{}
	for _, name := range slices.Sorted(maps.Keys(byOwner)) {
		s := ownerSummary(name, byOwner[name])
		n.policy.guarantee(s)
		out = append(out, s)
	}
	return out
}

func ownerSummary(owner string, all []*topology) *stormrpc.OwnerResourceSummary {
	requested, assigned := make(map[string]float64), make(map[string]float64)
	var executors, workers, tasks int32
	for _, t := range all {
		r, a := t.demand()
		addTo(requested, r)
		addTo(assigned, a)
		executors += int32(len(t.assignment.Executors))
		workers += int32(len(t.slots()))
		tasks += t.placedTasks()
	}
	return &stormrpc.OwnerResourceSummary{Owner: owner, TotalTopologies: ref(int32(len(all))), TotalExecutors: &executors,
		TotalWorkers: &workers, TotalTasks: &tasks, MemoryUsage: ref(assigned[onHeap] + assigned[offHeap]), CPUUsage: ref(assigned[cpuPercent]),
		RequestedOnHeapMemory: ref(requested[onHeap]), RequestedOffHeapMemory: ref(requested[offHeap]),
		RequestedTotalMemory: ref(requested[onHeap] + requested[offHeap]), RequestedCPU: ref(requested[cpuPercent]),
		AssignedOnHeapMemory: ref(assigned[onHeap]), AssignedOffHeapMemory: ref(assigned[offHeap])}
}

// guarantee adds what the scheduler keeps for an owner and what is left of it, where it keeps something.
func (p *policy) guarantee(s *stormrpc.OwnerResourceSummary) {
	if g, ok := p.Guarantees[s.Owner]; ok && p.aware {
		s.MemoryGuarantee, s.CPUGuarantee = ref(g.Memory), ref(g.CPU)
		s.MemoryGuaranteeRemaining, s.CPUGuaranteeRemaining = ref(g.Memory-s.GetMemoryUsage()), ref(g.CPU-s.GetCPUUsage())
	}
	if machines, ok := p.Tenants[s.Owner]; ok && p.tenants {
		s.IsolatedNodeGuarantee = ref(int32(machines))
	}
}
