package nimbus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// topologyPage makes what the page of one topology shows.
func (n *Nimbus) topologyPage(ctx context.Context, t *topology, window string, system bool) (*stormrpc.TopologyPageInfo, error) {
	confJSON, err := confText(t.conf)
	if err != nil {
		return nil, err
	}
	executors := n.executorsOf(t)
	s := n.topologySummary(t)
	requested, assigned := t.demand()
	page := &stormrpc.TopologyPageInfo{
		ID: t.ID, Name: ref(t.Name), UptimeSecs: &s.UptimeSecs, Status: &s.Status, Owner: s.Owner, SchedStatus: s.SchedStatus,
		NumTasks: ref(int32(len(t.component))), NumWorkers: &s.NumWorkers, NumExecutors: &s.NumExecutors,
		TopologyConf: &confJSON, TopologyStats: topologyStats(executors, system), DebugOptions: t.debugOptions(t.ID),
		ReplicationCount: s.ReplicationCount, StormVersion: s.StormVersion, TopologyVersion: s.TopologyVersion,
		Workers:            n.workerSummaries(t, executors, system, true),
		RequestedMemonheap: s.RequestedMemonheap, RequestedMemoffheap: s.RequestedMemoffheap, RequestedCPU: s.RequestedCPU,
		AssignedMemonheap: s.AssignedMemonheap, AssignedMemoffheap: s.AssignedMemoffheap, AssignedCPU: s.AssignedCPU,
		RequestedRegularOnHeapMemory: ref(requested[onHeap] - requested[sharedOnHeap]), RequestedSharedOnHeapMemory: ref(requested[sharedOnHeap]),
		RequestedRegularOffHeapMemory: ref(requested[offHeap] - requested[sharedOffHeap]), RequestedSharedOffHeapMemory: ref(requested[sharedOffHeap]),
		AssignedRegularOnHeapMemory: ref(assigned[onHeap] - assigned[sharedOnHeap]), AssignedSharedOnHeapMemory: ref(assigned[sharedOnHeap]),
		AssignedRegularOffHeapMemory: ref(assigned[offHeap] - assigned[sharedOffHeap]), AssignedSharedOffHeapMemory: ref(assigned[sharedOffHeap]),
		RequestedGenericResources: s.RequestedGenericResources, AssignedGenericResources: s.AssignedGenericResources,
	}
	page.IDToSpoutAggStats, page.IDToBoltAggStats = n.componentStats(t, executors, window, system)
	return page, nil
}

// componentStats sums figures by component. Components that run nowhere stand there with zeros.
func (n *Nimbus) componentStats(t *topology, executors []executor, window string, system bool) (spouts, bolts map[string]*stormrpc.ComponentAggregateStats) {
	sums := make(map[string]tally)
	for _, e := range executors {
		sum := sums[e.component]
		sum.add(e.tally(window, system))
		sums[e.component] = sum
	}
	spouts, bolts = make(map[string]*stormrpc.ComponentAggregateStats), make(map[string]*stormrpc.ComponentAggregateStats)
	for _, c := range components(t.system) {
		if isSystem(c.id) && (!system || countTasks(t, c.id) == 0) {
			continue
		}
		resources, err := c.resources(t.conf)
		if err != nil {
			resources = nil
		}
		stats := sums[c.id].thrift(c.spout, n.lastError(t.ID, c.id), resources)
		if c.spout {
			spouts[c.id] = stats
		} else {
			bolts[c.id] = stats
		}
	}
	return spouts, bolts
}

// topologyStats sums a topology's figures by window. Results are those of spouts.
func topologyStats(executors []executor, system bool) *stormrpc.TopologyStats {
	out := &stormrpc.TopologyStats{WindowToEmitted: map[string]int64{}, WindowToTransferred: map[string]int64{},
		WindowToAcked: map[string]int64{}, WindowToFailed: map[string]int64{}, WindowToCompleteLatenciesMs: map[string]float64{}}
	for _, w := range windows {
		var all, spouts tally
		for _, e := range executors {
			sum := e.tally(w, system)
			all.add(sum)
			if e.spout {
				spouts.add(sum)
			}
		}
		out.WindowToEmitted[w], out.WindowToTransferred[w] = all.emitted, all.transferred
		out.WindowToAcked[w], out.WindowToFailed[w] = spouts.acked, spouts.failed
		out.WindowToCompleteLatenciesMs[w] = average(spouts.completeTime, spouts.acked)
	}
	return out
}

// workerSummaries lists the workers of a topology in order of slots. Without open, nothing of what runs there is told.
func (n *Nimbus) workerSummaries(t *topology, executors []executor, system, open bool) []*stormrpc.WorkerSummary {
	bySlot := make(map[schedule.Slot][]executor)
	for _, e := range executors {
		bySlot[e.Slot] = append(bySlot[e.Slot], e)
	}
	slots := slices.SortedFunc(maps.Keys(bySlot), func(a, b schedule.Slot) int {
		return strings.Compare(fmt.Sprintf("%s:%05d", a.Node, a.Port), fmt.Sprintf("%s:%05d", b.Node, b.Port))
	})
	each := make(map[string]map[string]float64)
	if t.system != nil {
		for _, c := range components(t.system) {
			each[c.id], _ = c.resources(t.conf)
		}
	}
	out := []*stormrpc.WorkerSummary{}
	for _, slot := range slots {
		sum, tasks := make(map[string]float64), make(map[string]int64)
		uptime := int32(0)
		for _, e := range bySlot[slot] {
			addTo(sum, each[e.component])
			uptime = max(uptime, e.uptime)
			if open && (system || !isSystem(e.component)) {
				tasks[e.component] += int64(e.tasks())
			}
		}
		got := t.assignedIn(slot)
		out = append(out, &stormrpc.WorkerSummary{
			SupervisorID: ref(slot.Node), Host: ref(t.assignment.Hosts[slot.Node]), Port: ref(slot.Port), TopologyID: ref(t.ID),
			TopologyName: ref(t.Name), NumExecutors: ref(int32(len(bySlot[slot]))), ComponentToNumTasks: tasks,
			TimeSecs: ref(int32(n.cfg.Now().Unix())), UptimeSecs: &uptime, Owner: ref(t.Owner),
			RequestedMemonheap: ref(sum[onHeap]), RequestedMemoffheap: ref(sum[offHeap]), RequestedCPU: ref(sum[cpuPercent]),
			AssignedMemonheap: ref(got[onHeap]), AssignedMemoffheap: ref(got[offHeap]), AssignedCPU: ref(got[cpuPercent]),
		})
	}
	return out
}

// supervisorPage makes what the page of one node, or of all nodes of a host, shows.
func (n *Nimbus) supervisorPage(ctx context.Context, id, host string, system bool) *stormrpc.SupervisorPageInfo {
	page := &stormrpc.SupervisorPageInfo{SupervisorSummaries: []*stormrpc.SupervisorSummary{}, WorkerSummaries: []*stormrpc.WorkerSummary{},
		States: []*stormrpc.WorkerState{}}
	all := n.all()
	for _, nd := range n.nodeList() {
		if (id != "" && nd.id != id) || (id == "" && nd.host != host) {
			continue
		}
		page.SupervisorSummaries = append(page.SupervisorSummaries, n.supervisorSummary(nd, all))
		for _, t := range all {
			here := slices.DeleteFunc(n.executorsOf(t), func(e executor) bool { return e.Node != nd.id })
			open := n.may(ctx, "getTopology", t.Name, t.conf) == nil
			page.WorkerSummaries = append(page.WorkerSummaries, n.workerSummaries(t, here, system, open)...)
			if open {
				page.States = append(page.States, n.statesOf(t, nd.id)...)
			}
		}
	}
	return page
}

// componentPage makes what the page of one component shows.
func (n *Nimbus) componentPage(t *topology, id, window string, system bool) (*stormrpc.ComponentPageInfo, error) {
	id, err := url.QueryUnescape(id)
	if err != nil {
		return nil, fmt.Errorf("decode component id: %w", err)
	}
	c, ok := findComponent(t.system, id)
	if !ok {
		return nil, fmt.Errorf("topology %s has no component %s", t.ID, id)
	}
	shown := system || !isSystem(id) // else as if it had none, as in Storm
	executors := slices.DeleteFunc(n.executorsOf(t), func(e executor) bool { return e.component != id || !shown })
	tasks := 0
	if shown {
		tasks = countTasks(t, id)
	}
	resources, err := c.resources(t.conf)
	if err != nil {
		return nil, err
	}
	page := &stormrpc.ComponentPageInfo{
		ComponentID: id, ComponentType: stormrpc.ComponentType_BOLT, TopologyID: ref(t.ID), TopologyName: ref(t.Name),
		TopologyStatus: ref(string(t.Status)), NumExecutors: ref(int32(len(executors))), NumTasks: ref(int32(tasks)),
		WindowToStats: make(map[string]*stormrpc.ComponentAggregateStats), ExecStats: []*stormrpc.ExecutorAggregateStats{},
		Errors: n.errorInfos(t.ID, id, errorsKept), DebugOptions: t.debugOptions(id), ResourcesMap: resources,
	}
	if c.spout {
		page.ComponentType = stormrpc.ComponentType_SPOUT
	}
	for _, w := range windows {
		if !shown {
			break
		}
		var sum tally
		for _, e := range executors {
			sum.add(e.tally(w, system))
		}
		page.WindowToStats[w] = sum.thrift(c.spout, nil, nil)
	}
	fillStreams(page, c, executors, window, system)
	return page, nil
}

// fillStreams adds the figures by executor and by stream.
func fillStreams(page *stormrpc.ComponentPageInfo, c component, executors []executor, window string, system bool) {
	outputs, inputs := make(map[string]tally), make(map[source]tally)
	for _, e := range executors {
		for stream, t := range e.outputs(window, system) {
			sum := outputs[stream]
			sum.add(t)
			outputs[stream] = sum
		}
		for from, t := range e.inputs(window) {
			sum := inputs[from]
			sum.add(t)
			inputs[from] = sum
		}
		page.ExecStats = append(page.ExecStats, &stormrpc.ExecutorAggregateStats{
			ExecSummary: &stormrpc.ExecutorSummary{ExecutorInfo: e.info(), ComponentID: c.id, Host: e.host, Port: e.Port, UptimeSecs: e.uptime},
			Stats:       e.tally(window, system).thrift(c.spout, nil, nil),
		})
	}
	page.SidToOutputStats = make(map[string]*stormrpc.ComponentAggregateStats)
	for stream, t := range outputs {
		page.SidToOutputStats[stream] = t.thrift(c.spout, nil, nil)
	}
	if c.spout {
		return
	}
	page.GsidToInputStats = []wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.ComponentAggregateStats]{}
	for _, from := range slices.SortedFunc(maps.Keys(inputs), func(a, b source) int {
		return strings.Compare(a.component+"\x00"+a.stream, b.component+"\x00"+b.stream)
	}) {
		page.GsidToInputStats = append(page.GsidToInputStats, wire.MapEntry[*stormrpc.GlobalStreamId, *stormrpc.ComponentAggregateStats]{
			Key: &stormrpc.GlobalStreamId{ComponentId: from.component, StreamId: from.stream}, Value: inputs[from].thrift(false, nil, nil)})
	}
}

// topologyInfo makes what monitors and the command line read.
func (n *Nimbus) topologyInfo(ctx context.Context, t *topology, choice stormrpc.NumErrorsChoice) *stormrpc.TopologyInfo {
	s := n.topologySummary(t)
	info := &stormrpc.TopologyInfo{ID: t.ID, Name: t.Name, UptimeSecs: s.UptimeSecs, Status: s.Status, Owner: s.Owner,
		Executors: []*stormrpc.ExecutorSummary{}, Errors: make(map[string][]*stormrpc.ErrorInfo),
		StormVersion: s.StormVersion, SchedStatus: s.SchedStatus, ReplicationCount: ref(n.holders(client.CodeKey(t.CodeID()))),
		RequestedMemonheap: s.RequestedMemonheap, RequestedMemoffheap: s.RequestedMemoffheap, RequestedCPU: s.RequestedCPU,
		AssignedMemonheap: s.AssignedMemonheap, AssignedMemoffheap: s.AssignedMemoffheap, AssignedCPU: s.AssignedCPU}
	for _, e := range n.executorsOf(t) {
		info.Executors = append(info.Executors, &stormrpc.ExecutorSummary{ExecutorInfo: e.info(), ComponentID: e.component,
			Host: e.host, Port: e.Port, UptimeSecs: e.uptime, Stats: e.stats})
	}
	info.Links, info.Workers, info.Timing = n.linksOf(t), n.statesOf(t, ""), n.timingOf(t)
	most := errorsKept
	switch choice {
	case stormrpc.NumErrorsChoice_NONE:
		most = 0
	case stormrpc.NumErrorsChoice_ONE:
		most = 1
	}
	for _, component := range t.component {
		if _, ok := info.Errors[component]; !ok {
			info.Errors[component] = n.errorInfos(t.ID, component, most)
		}
	}
	if own := n.errorInfos(t.ID, gearcore.SystemComponent, most); len(own) > 0 { // ends of workers; it has no tasks
		info.Errors[gearcore.SystemComponent] = own
	}
	if len(t.Topology.Debug) > 0 {
		info.ComponentDebug = make(map[string]*stormrpc.DebugOptions)
		for key := range t.Topology.Debug {
			info.ComponentDebug[key] = t.debugOptions(key)
		}
	}
	return info
}

// linksOf returns what the workers of t last said of their links, by sender.
func (n *Nimbus) linksOf(t *topology) (links []*stormrpc.WorkerLink) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for slot := range t.slots() {
		w := n.workers[workerKey{t.ID, slot}]
		if w == nil || w.assignment != t.assignment.ID {
			continue
		}
		for _, l := range w.links {
			links = append(links, &stormrpc.WorkerLink{Peer: l.Peer, Over: l.Over, Host: ref(t.assignment.Hosts[slot.Node]), Port: ref(slot.Port)})
		}
	}
	slices.SortFunc(links, func(a, b *stormrpc.WorkerLink) int {
		return cmp.Or(strings.Compare(*a.Host, *b.Host), cmp.Compare(*a.Port, *b.Port), strings.Compare(a.Peer, b.Peer))
	})
	return links
}
