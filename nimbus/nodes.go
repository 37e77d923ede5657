package nimbus

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Bounds of what a node may report.
const (
	maxNameBytes       = 255
	maxPorts           = 1024
	maxMetaEntries     = 1024
	maxErrorsPerReport = 100
)

// node is a supervisor as its reports tell. The master forgets it when it is silent for nimbus.supervisor.timeout.secs.
type node struct {
	id         string
	host       string
	ports      []int32
	thriftPort int32
	since      time.Time // start of the supervisor
	version    string
	resources  map[string]float64
	meta       map[string]string // scheduler entries; "rack" is the node's rack
	seen       time.Time
	// plan is the version of what the node has to do; changed is closed when it grows.
	plan    int64
	changed chan struct{}
	// questions are for the workers there; the next answer takes them along.
	questions []*stormrpc.StateQuestion
	// left are topologies that had workers there, and since when they have none.
	left map[string]time.Time
	// unhealthy is what its health checks found wrong, "" if nothing: it runs no workers then.
	unhealthy string
}

// workerKey is one worker: a topology in a slot.
type workerKey struct {
	topology string
	schedule.Slot
}

// worker is what a worker last reported. It is never changed, only replaced.
type worker struct {
	id         string
	seen       time.Time
	since      time.Time // start of the worker
	assignment string
	graph      int64 // version of the graph that it runs, 0 if it does not say
	ready      bool
	atWork     bool
	stats      map[schedule.Executor]*stormrpc.ExecutorStats
	links      []*stormrpc.WorkerLink // not to be changed
	state      *stormrpc.WorkerState  // what its supervisor says of it; not to be changed
	timing     *stormrpc.TopologyTiming
}

// checkReport bounds what a node says before anything of it is kept.
func checkReport(r *stormrpc.NodeReport) error {
	switch {
	case r == nil:
		return errors.New("node report is missing")
	case !validName(r.NodeID):
		return fmt.Errorf("node id of %d bytes: wanted are 1 to %d bytes of text", len(r.NodeID), maxNameBytes)
	case !validName(r.Hostname):
		return fmt.Errorf("host name of %d bytes: wanted are 1 to %d bytes of text", len(r.Hostname), maxNameBytes)
	case len(r.Version) > maxNameBytes:
		return fmt.Errorf("version of %d bytes, allowed are %d", len(r.Version), maxNameBytes)
	case len(r.Ports) > maxPorts:
		return fmt.Errorf("%d ports, allowed are %d", len(r.Ports), maxPorts)
	case len(r.Resources) > maxMetaEntries || len(r.SchedulerMeta) > maxMetaEntries:
		return fmt.Errorf("more than %d resources or scheduler entries", maxMetaEntries)
	case len(r.Workers) > maxPorts:
		return fmt.Errorf("%d workers, allowed are %d", len(r.Workers), maxPorts)
	}
	for _, p := range r.Ports {
		if p < 1 || p > 65535 {
			return fmt.Errorf("port %d is not between 1 and 65535", p)
		}
	}
	return nil
}

func validName(s string) bool {
	return s != "" && len(s) <= maxNameBytes && utf8.ValidString(s)
}

// hear takes a node's report. It returns the node and whether the cluster's slots changed by it.
func (n *Nimbus) hear(r *stormrpc.NodeReport) (*node, bool, error) {
	now := n.cfg.Now()
	ports := slices.Compact(slices.Sorted(slices.Values(r.Ports)))
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.deafLocked(now) {
		n.hearing = now
	}
	n.heard = now
	nd, known := n.nodes[r.NodeID]
	if !known {
		if len(n.nodes) >= n.cfg.MaxNodes {
			return nil, false, fmt.Errorf("node %s cannot register: there are %d nodes, allowed are %d", r.NodeID, len(n.nodes), n.cfg.MaxNodes)
		}
		nd = &node{id: r.NodeID, plan: n.nextVersionLocked(), changed: make(chan struct{})}
		n.nodes[r.NodeID] = nd
	}
	unhealthy := shortened(r.GetUnhealthy())
	changed := !known || !slices.Equal(nd.ports, ports) || (nd.unhealthy == "") != (unhealthy == "")
	nd.host, nd.ports, nd.thriftPort, nd.version = r.Hostname, ports, r.ThriftPort, r.Version
	nd.since, nd.resources, nd.seen = now.Add(-time.Duration(max(0, r.UptimeSecs))*time.Second), r.Resources, now
	nd.meta, nd.unhealthy = r.SchedulerMeta, unhealthy
	for _, w := range r.Workers {
		n.hearWorkerLocked(nd, w, now)
	}
	return nd, changed, nil
}

// deafLocked says that no node at all was heard for so long that it is this master who cannot hear: nodes report three
// times in nimbus.task.timeout.secs. What is silent then is not taken for dead.
func (n *Nimbus) deafLocked(now time.Time) bool { return now.Sub(n.heard) > n.set.taskTimeout*2/3 }

// hearWorkerLocked takes one worker's report; one of a topology that is gone is dropped. A report without a worker id is
// the node's own: it carries errors of a slot and is no sign of life.
func (n *Nimbus) hearWorkerLocked(nd *node, r *stormrpc.WorkerReport, now time.Time) {
	if r == nil {
		return
	}
	t, ok := n.topologies[r.TopologyID]
	if !ok {
		return
	}
	slot := schedule.Slot{Node: nd.id, Port: r.Port}
	if t.Trial != nil && len(t.slots()[slot]) > 0 {
		n.noteDeathsLocked(t, slot, r)
	}
	if r.WorkerID != "" {
		n.noteWorkerLocked(t, slot, r, now)
		n.noteDoneLocked(t, slot, r.ActionsDone)
		n.noteAnswersLocked(t, slot, r.Timing)
	}
	for i, e := range r.Errors {
		if i == maxErrorsPerReport {
			break
		}
		if e != nil && t.has(e.Component) {
			n.errors.add(r.TopologyID, e.Component, cluster.Error{Message: e.Message, Time: millis(e.TimeMs), Host: nd.host, Port: r.Port})
		}
	}
}

// noteWorkerLocked keeps what a worker said of itself. A worker with more executors than fit into one report sends their
// statistics in turns, so those of the same worker's earlier reports stay. Only executors that are placed in its slot
// count: what else it says of would grow without end.
func (n *Nimbus) noteWorkerLocked(t *topology, slot schedule.Slot, r *stormrpc.WorkerReport, now time.Time) {
	key := workerKey{t.ID, slot}
	w := &worker{id: r.WorkerID, seen: now, since: now.Add(-time.Duration(max(0, r.UptimeSecs)) * time.Second),
		assignment: r.AssignmentID, graph: r.GetDagVersion(), ready: r.Ready, atWork: r.GetAtWork(), stats: make(map[schedule.Executor]*stormrpc.ExecutorStats)}
	w.links = checkedLinks(r.Links, len(t.assignment.Executors))
	w.state, w.timing = stateOf(r), checkedTiming(r.Timing)
	if was := n.workers[key]; was != nil && was.id == w.id {
		w.stats = was.stats
		if was.assignment != w.assignment {
			maps.DeleteFunc(w.stats, func(e schedule.Executor, _ *stormrpc.ExecutorStats) bool { return !t.places(e.First, e.Last, slot) })
		}
	}
	for _, e := range r.ExecutorStats {
		if e.Key != nil && e.Value != nil && e.Value.Specific != nil && t.places(e.Key.TaskStart, e.Key.TaskEnd, slot) {
			w.stats[schedule.Executor{First: e.Key.TaskStart, Last: e.Key.TaskEnd}] = e.Value
		}
	}
	n.workers[key] = w
}

// checkedLinks takes the links that a worker tells of, at most limit.
func checkedLinks(told []*stormrpc.WorkerLink, limit int) (links []*stormrpc.WorkerLink) {
	for _, l := range told[:min(len(told), limit)] {
		if len(l.Peer) <= maxNameBytes && slices.Contains([]string{"", "ring", "unix", "tcp"}, l.Over) {
			links = append(links, &stormrpc.WorkerLink{Peer: l.Peer, Over: l.Over})
		}
	}
	return links
}

// forgetSilentNodes removes nodes that did not report for too long, and what was known of workers on them.
func (n *Nimbus) forgetSilentNodes() {
	now := n.cfg.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.deafLocked(now) {
		return
	}
	for id, nd := range n.nodes {
		if now.Sub(later(nd.seen, n.hearing)) > n.set.supervisorTimeout {
			n.cfg.Log.Warn("supervisor is silent and forgotten", "supervisor", id)
			n.blacklist.Lost(schedule.Slot{Node: id}, nd.seen, now)
			close(nd.changed)
			delete(n.nodes, id)
		}
	}
	for key := range n.workers {
		t, ok := n.topologies[key.topology]
		if _, alive := n.nodes[key.Node]; !ok || !alive || len(t.slots()[key.Slot]) == 0 {
			delete(n.workers, key)
		}
	}
}

// workerTimeout is how long a worker of t may be silent (Storm's rule: a topology may ask for more than the cluster's
// nimbus.task.timeout.secs, up to worker.max.timeout.secs).
func (n *Nimbus) workerTimeout(t *topology) time.Duration {
	own, err := t.conf.SecsOr("topology.worker.timeout.secs", 0)
	if err != nil {
		own = 0
	}
	return max(n.set.taskTimeout, min(own, n.set.maxWorkerTimeout))
}

// aliveLocked tells whether the worker of t in slot, placed there at started, counts as running: it reported not long
// ago, or is still within the time it has to come up. When this master begins to hear of nodes, after a change of
// leadership or after it heard of none, all these times begin anew. Nothing runs on a node that says it is unhealthy.
func (n *Nimbus) aliveLocked(t *topology, slot schedule.Slot, started, now time.Time) bool {
	nd, ok := n.nodes[slot.Node]
	if ok && nd.unhealthy != "" {
		return false // its supervisor ends it
	}
	if !ok && now.Sub(n.hearing) > n.set.supervisorTimeout {
		return false
	}
	if started.After(now) {
		started = n.hearing // by the clock of another master, which is ahead of this one's
	}
	w, ok := n.workers[workerKey{t.ID, slot}]
	if !ok || w.seen.Before(started) {
		return now.Sub(later(started, n.hearing)) <= n.set.launchGrace
	}
	return now.Sub(later(w.seen, n.hearing)) <= n.workerTimeout(t)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
