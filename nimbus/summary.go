package nimbus

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func (n *Nimbus) topologySummary(t *topology) *stormrpc.TopologySummary {
	requested, assigned := t.demand()
	s := &stormrpc.TopologySummary{
		ID: t.ID, Name: t.Name, Status: string(t.Status), UptimeSecs: t.uptime(n.cfg.Now()),
		NumTasks: t.placedTasks(), NumExecutors: int32(len(t.assignment.Executors)), NumWorkers: int32(len(t.slots())),
		Owner: ref(t.Owner), ReplicationCount: ref(n.holders(client.CodeKey(t.CodeID()))), SchedStatus: n.scheduled(t),
		RequestedMemonheap: ref(requested[onHeap]), RequestedMemoffheap: ref(requested[offHeap]), RequestedCPU: ref(requested[cpuPercent]),
		AssignedMemonheap: ref(assigned[onHeap]), AssignedMemoffheap: ref(assigned[offHeap]), AssignedCPU: ref(assigned[cpuPercent]),
		RequestedGenericResources: generic(requested), AssignedGenericResources: generic(assigned),
		StormVersion: text(t.StormVersion), TopologyVersion: text(t.Version),
	}
	return s
}

// text is an optional field: unset when empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// scheduled says how complete the placement of a topology is, in the scheduler's words if it has some, and before that
// what keeps it from running anywhere else.
func (n *Nimbus) scheduled(t *topology) *string {
	n.mu.Lock()
	said := n.said[t.ID]
	n.mu.Unlock()
	lacking := n.lacks(t)
	switch {
	case t.broken != nil:
		return ref("BROKEN, it stays where it runs: " + t.broken.Error())
	case lacking != nil:
		return ref("BROKEN, its workers cannot start elsewhere: " + lacking.Error())
	case said != "":
		return &said
	case len(t.assignment.Executors) < len(t.executors):
		return ref(fmt.Sprintf("Not enough slots: %d of %d executors are placed", len(t.assignment.Executors), len(t.executors)))
	case len(t.slots()) < min(t.Workers, len(t.executors)):
		return ref(fmt.Sprintf("Fully Scheduled on %d of %d workers", len(t.slots()), t.Workers))
	}
	return ref("Fully Scheduled")
}

func (t *topology) placedTasks() int32 {
	sum := int32(0)
	for _, p := range t.assignment.Executors {
		sum += p.Last - p.First + 1
	}
	return sum
}

func (n *Nimbus) topologySummaries() []*stormrpc.TopologySummary {
	out := []*stormrpc.TopologySummary{}
	for _, t := range n.all() {
		out = append(out, n.topologySummary(t))
	}
	return out
}

// nodeList returns the nodes that are alive, in order of ids, as copies.
func (n *Nimbus) nodeList() []node {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]node, 0, len(n.nodes))
	for _, nd := range n.nodes {
		out = append(out, *nd)
	}
	slices.SortFunc(out, func(a, b node) int { return strings.Compare(a.id, b.id) })
	return out
}

func (n *Nimbus) supervisorSummary(nd node, all []*topology) *stormrpc.SupervisorSummary {
	used := make(map[schedule.Slot]bool)
	sum := make(map[string]float64)
	for _, t := range all {
		if !t.on[nd.id] {
			continue
		}
		for slot := range t.slots() {
			if slot.Node == nd.id {
				used[slot] = true
			}
		}
		addTo(sum, t.assignedOn(nd.id))
	}
	s := &stormrpc.SupervisorSummary{
		Host: nd.host, SupervisorID: nd.id, Version: nd.version, UptimeSecs: secondsBetween(nd.since, n.cfg.Now()),
		NumWorkers: int32(len(nd.ports)), NumUsedWorkers: int32(len(used)), TotalResources: n.capacityOf(nd),
		UsedMem: ref(sum[onHeap] + sum[offHeap]), UsedCPU: ref(sum[cpuPercent]), UsedGenericResources: generic(sum),
		Blacklisted: ref(nd.unhealthy != "" || n.avoids(nd.id)),
		Unhealthy:   text(nd.unhealthy), Isolation: text(shortened(nd.meta[isolationMeta])), SilentSecs: ref(secondsBetween(nd.seen, n.cfg.Now())),
	}
	if len(used) >= len(nd.ports) { // what is left cannot be used
		s.FragmentedMem = ref(max(0, s.TotalResources["memory.mb"]-*s.UsedMem))
		s.FragmentedCPU = ref(max(0, s.TotalResources[cpuPercent]-*s.UsedCPU))
	}
	if s.Version == "" {
		s.Version = n.cfg.Version
	}
	return s
}

// avoids tells whether a node is on the blacklist.
func (n *Nimbus) avoids(id string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blacklist.Avoided(schedule.Slot{Node: id}, n.cfg.Now())
}

// capacityOf is what a node offers. Clients read CPU and memory without asking whether they are there.
func (n *Nimbus) capacityOf(nd node) map[string]float64 {
	out := make(map[string]float64, len(nd.resources)+2)
	for name, v := range nd.resources {
		out[name] = finite(v)
	}
	for name, key := range map[string]string{cpuPercent: "supervisor.cpu.capacity", "memory.mb": "supervisor.memory.capacity.mb"} {
		if _, ok := out[name]; !ok {
			out[name], _ = n.cfg.Conf.FloatOr(key, 0)
		}
	}
	return out
}

func (n *Nimbus) nimbusSummary() *stormrpc.NimbusSummary {
	return &stormrpc.NimbusSummary{Host: n.cfg.Host, Port: int32(n.Port()), UptimeSecs: secondsBetween(n.started, n.cfg.Now()),
		IsLeader: n.lead() == nil, Version: n.cfg.Version, TlsPort: ref(int32(0))}
}

func (n *Nimbus) clusterSummary() *stormrpc.ClusterSummary {
	all := n.all()
	out := &stormrpc.ClusterSummary{Supervisors: []*stormrpc.SupervisorSummary{}, Topologies: []*stormrpc.TopologySummary{},
		Nimbuses: append([]*stormrpc.NimbusSummary{n.nimbusSummary()}, n.peerSummaries()...)}
	for _, nd := range n.nodeList() {
		out.Supervisors = append(out.Supervisors, n.supervisorSummary(nd, all))
	}
	for _, t := range all {
		out.Topologies = append(out.Topologies, n.topologySummary(t))
	}
	return out
}

// errorInfos gives errors of a component, newest first, the form that clients read.
func (n *Nimbus) errorInfos(topology, component string, most int) []*stormrpc.ErrorInfo {
	out := []*stormrpc.ErrorInfo{}
	for _, e := range n.errors.of(topology, component, most) {
		info := &stormrpc.ErrorInfo{Error: e.Message, ErrorTimeSecs: int32(e.Time.Unix()), Host: text(e.Host)}
		if e.Port != 0 {
			info.Port = ref(e.Port)
		}
		out = append(out, info)
	}
	return out
}

func (n *Nimbus) lastError(topology, component string) *stormrpc.ErrorInfo {
	if all := n.errorInfos(topology, component, 1); len(all) > 0 {
		return all[0]
	}
	return nil
}

// debugOptions gives stored debug options the form that clients read; nil when nothing is stored under key.
func (t *topology) debugOptions(key string) *stormrpc.DebugOptions {
	d, ok := t.Topology.Debug[key]
	if !ok {
		return nil
	}
	return &stormrpc.DebugOptions{Enable: &d.Enable, Samplingpct: &d.Sampling}
}

// maxHold bounds a held call of a node: its workers' reports come with its calls, and they must not seem dead.
func (n *Nimbus) maxHold() time.Duration { return n.set.taskTimeout / 3 }
