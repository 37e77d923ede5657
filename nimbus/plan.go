package nimbus

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// tellLocked gives nodes a new plan version and answers their held calls.
func (n *Nimbus) tellLocked(nodes map[string]bool) {
	for id := range nodes {
		if nd, ok := n.nodes[id]; ok {
			nd.plan = n.nextVersionLocked()
			nd.wakeLocked()
		}
	}
}

// wakeLocked has the held call of the node look again. Nimbus.mu is held.
func (nd *node) wakeLocked() {
	close(nd.changed)
	nd.changed = make(chan struct{})
}

// partingTime is for how long a node is told the plan of a topology that has left it: its workers there finish what they have
// by that plan, and their peers hear them out.
const partingTime = 30 * time.Second

// leaveLocked notes which nodes a topology leaves by going from old to t.
func (n *Nimbus) leaveLocked(old, t *topology) {
	for id := range old.on {
		if nd := n.nodes[id]; nd != nil && !t.on[id] {
			if nd.left == nil {
				nd.left = make(map[string]time.Time)
			}
			nd.left[t.ID] = n.cfg.Now()
		}
	}
}

// planLocked is what a node has to do now, with the questions to its workers, which are asked once.
func (n *Nimbus) planLocked(nd *node) *stormrpc.NodePlan {
	plan := &stormrpc.NodePlan{PlanVersion: nd.plan, Epoch: int64(n.epochLocked()), Topologies: []*stormrpc.TopologyPlan{}, Questions: nd.questions}
	nd.questions = nil
	for _, t := range n.topologies {
		if t.on[nd.id] {
			plan.Topologies = append(plan.Topologies, t.told)
		}
	}
	for id, since := range nd.left {
		switch t := n.topologies[id]; {
		case t == nil || n.cfg.Now().Sub(since) > partingTime:
			delete(nd.left, id)
		case !t.on[nd.id]:
			plan.Topologies = append(plan.Topologies, t.told)
		}
	}
	slices.SortFunc(plan.Topologies, func(a, b *stormrpc.TopologyPlan) int { return strings.Compare(a.TopologyID, b.TopologyID) })
	return plan
}

// plan is what the nodes and workers of a topology have to know.
func (t *topology) plan(version, epoch int64) *stormrpc.TopologyPlan {
	owner := t.Owner
	p := &stormrpc.TopologyPlan{
		TopologyID:     t.ID,
		PlanVersion:    version,
		Epoch:          epoch,
		AssignmentID:   t.assignment.ID,
		Status:         thriftStatus(t.runsAs()),
		Assignment:     thriftAssignment(t.assignment, t.Owner),
		TaskComponents: t.component,
		Secret:         t.Secret,
		DagVersion:     t.GraphVersion,
		Owner:          &owner,
		CodeVersion:    t.CodeVersion,
		InPlaceFrom:    t.InPlaceFrom,
		Streams:        thriftStreams(t.Streams),
		GoneTasks:      taskComponents(t.Gone),
	}
	if t.Code != "" {
		p.CodeID = &t.Code
	}
	t.orders.tell(p)
	return p
}

// runsAs is the status by which workers go. What waits for its rebalance goes on as before.
func (t *topology) runsAs() cluster.Status {
	if t.Status == cluster.Rebalancing {
		return t.Previous
	}
	return t.Status
}

func thriftStatus(s cluster.Status) stormrpc.TopologyStatus {
	switch s {
	case cluster.Active:
		return stormrpc.TopologyStatus_ACTIVE
	case cluster.Rebalancing:
		return stormrpc.TopologyStatus_REBALANCING
	case cluster.Killed:
		return stormrpc.TopologyStatus_KILLED
	}
	return stormrpc.TopologyStatus_INACTIVE
}

func thriftAssignment(a cluster.Assignment, owner string) *stormrpc.Assignment {
	hosts := a.Hosts
	if hosts == nil {
		hosts = map[string]string{}
	}
	where := make([]wire.MapEntry[[]int64, *stormrpc.NodeInfo], 0, len(a.Executors))
	since := make([]wire.MapEntry[[]int64, int64], 0, len(a.Executors))
	for _, p := range a.Executors {
		key := []int64{int64(p.First), int64(p.Last)}
		where = append(where, wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: key,
			Value: &stormrpc.NodeInfo{Node: p.Node, Port: []int64{int64(p.Port)}}})
		since = append(since, wire.MapEntry[[]int64, int64]{Key: key, Value: p.Started.Unix()})
	}
	out := stormrpc.NewAssignment()
	out.NodeHost, out.ExecutorNodePort, out.ExecutorStartTimeSecs, out.Owner = &hosts, &where, &since, &owner
	resources := make([]wire.MapEntry[*stormrpc.NodeInfo, *stormrpc.WorkerResources], 0, len(a.Workers))
	for _, w := range a.Workers {
		resources = append(resources, wire.MapEntry[*stormrpc.NodeInfo, *stormrpc.WorkerResources]{
			Key: &stormrpc.NodeInfo{Node: w.Node, Port: []int64{int64(w.Port)}}, Value: thriftResources(w)})
	}
	shared := maps.Clone(a.SharedOffHeap)
	if shared == nil {
		shared = map[string]float64{}
	}
	out.WorkerResources, out.TotalSharedOffHeap = &resources, &shared
	return out
}

// thriftResources gives what a worker got in Storm's form: its totals, and of them what is shared. Memory that the workers on a
// node share is not in it.
func thriftResources(w cluster.Worker) *stormrpc.WorkerResources {
	names := map[string]float64{cpuPercent: w.CPU, onHeap: w.OnHeap + w.SharedOnHeap, offHeap: w.OffHeap + w.SharedOffHeap}
	addTo(names, w.Generic)
	return &stormrpc.WorkerResources{CPU: ref(w.CPU), MemOnHeap: ref(w.OnHeap + w.SharedOnHeap), MemOffHeap: ref(w.OffHeap + w.SharedOffHeap),
		SharedMemOnHeap: ref(w.SharedOnHeap), SharedMemOffHeap: ref(w.SharedOffHeap), Resources: names,
		SharedResources: map[string]float64{onHeap: w.SharedOnHeap, offHeap: w.SharedOffHeap}}
}
