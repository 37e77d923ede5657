package nimbus

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

// round places what has no place, stores the assignments that changed and tells the nodes. With spread, topologies that
// run in fewer workers than they want are spread over slots that became free. A round that follows an event does not:
// while the nodes of a cluster come up one after the other, each would restart what runs.
func (n *Nimbus) round(ctx context.Context, spread bool) error {
	n.change.Lock()
	defer n.change.Unlock()
	how := placing{wish: schedule.Keep}
	if spread {
		how.wish = schedule.Fill
	}
	return n.placeLocked(ctx, how)
}

// placing says how a round is done.
type placing struct {
	wish      schedule.Wish
	rebalance string    // id of a topology that is spread anew, whatever wish says
	next      *topology // a version that takes the place of the one that runs
}

// placeLocked is round for a caller that holds change.
func (n *Nimbus) placeLocked(ctx context.Context, how placing) error {
	r := n.workOutLocked(how)
	if r.deaf && how.rebalance == "" {
		return nil // what is assigned stays
	}
	for batch := range slices.Chunk(r.ops(), 100) {
		if err := n.txn(ctx, batch...); err != nil {
			return fmt.Errorf("store assignments: %w", err)
		}
	}
	n.carryOut(r)
	return nil
}

// workedOut is what a round decided.
type workedOut struct {
	wanted  []schedule.Topology
	placed  schedule.Result
	changed []*topology // with their new assignments
	deaf    bool
}

// workOutLocked decides, and stores nothing. The caller holds change.
func (n *Nimbus) workOutLocked(how placing) (r workedOut) {
	now := n.cfg.Now()
	n.mu.Lock()
	var nodes []schedule.Node
	nodes, r.wanted = n.scheduleInputLocked(how, now)
	r.deaf = n.deafLocked(now)
	policy := n.policy.Policy
	policy.Settling = r.deaf || now.Sub(n.hearing) <= n.set.supervisorTimeout
	n.mu.Unlock()
	r.placed = schedule.Run(policy, nodes, r.wanted)
	for _, w := range r.wanted {
		t, _ := n.byID(w.ID)
		where := r.placed.Placed[t.ID]
		if how.next != nil && w.ID == how.next.ID {
			if how.next.InPlaceFrom != 0 && how.rebalance == "" && !slices.Contains(r.placed.Evicted, w.ID) {
				where = unmoved(w, where)
			}
			a := n.nextAssignment(how.next, w, where, now)
			r.changed = append(r.changed, how.next.with(func(t *topology) { t.assignment = a }))
			continue
		}
		if w.Fixed || (w.ID != how.rebalance && stays(w, where)) {
			continue
		}
		if a, ok := n.newAssignment(t, w, where, now); ok {
			r.changed = append(r.changed, t.with(func(t *topology) { t.assignment = a }))
		}
	}
	return r
}

// ops stores the assignments of a round.
func (r *workedOut) ops() (ops []cluster.Op) {
	for _, t := range r.changed {
		ops = append(ops, cluster.PutAssignment(t.assignment))
	}
	return ops
}

// carryOut puts into force what is stored of a round.
func (n *Nimbus) carryOut(r workedOut) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hearSchedulerLocked(r.wanted, r.placed, r.changed)
	for _, t := range r.changed {
		n.replaceLocked(t)
		n.cfg.Log.Info("topology assigned", "topology", t.ID, "assignment", t.assignment.ID,
			"executors", len(t.assignment.Executors), "workers", len(t.slots()))
	}
	for _, id := range r.placed.Evicted {
		n.cfg.Log.Warn("topology had to give way to one of a higher priority", "topology", id)
	}
}

// stays tells whether all executors of a topology were placed and are where they were: most are, in most rounds.
func stays(w schedule.Topology, where []schedule.Slot) bool {
	return !slices.Contains(where, schedule.Slot{}) && slices.Equal(w.Current, where)
}

// unmoved is a placement in which whoever has a place keeps it. The scheduler evens workers out when executors come or go; but a version
// that running workers take over adds executors and takes some away, and moves none.
func unmoved(w schedule.Topology, where []schedule.Slot) []schedule.Slot {
	out := slices.Clone(where)
	for i, at := range w.Current {
		if at != (schedule.Slot{}) {
			out[i] = at
		}
	}
	return out
}

// placedBy is how the scheduler's sentence of a topology begins that it has just placed.
const placedBy = "Running - Fully Scheduled"

// hearSchedulerLocked keeps what the scheduler said of topologies. That one was placed, and how, stays until it moves again.
func (n *Nimbus) hearSchedulerLocked(wanted []schedule.Topology, placed schedule.Result, changed []*topology) {
	moved := make(map[string]bool)
	for _, t := range changed {
		moved[t.ID] = true
	}
	said := make(map[string]string)
	for _, w := range wanted {
		text := placed.Status[w.ID]
		if was := n.said[w.ID]; text == schedule.Complete && !moved[w.ID] && strings.HasPrefix(was, placedBy) {
			text = was
		}
		if text != "" {
			said[w.ID] = text
		}
	}
	n.said = said
}

// scheduleInputLocked says who offers slots and who needs them. While nobody is heard all is taken to be where it was, and what a new version
// brings to be where it would go.
func (n *Nimbus) scheduleInputLocked(how placing, now time.Time) ([]schedule.Node, []schedule.Topology) {
	suspect, deaf := make(map[string][]int32), n.deafLocked(now)
	var wanted []schedule.Topology
	for _, id := range slices.Sorted(maps.Keys(n.topologies)) {
		t := n.topologies[id]
		was := t
		if how.next != nil && id == how.next.ID {
			t = how.next
		}
		if t.Status == cluster.Killed || t.broken != nil {
			if len(t.assignment.Executors) > 0 {
				wanted = append(wanted, t.frozen())
			}
			continue
		}
		alive := make(map[schedule.Slot]bool)
		for slot, held := range t.slots() {
			if alive[slot] = deaf || n.aliveLocked(t, slot, held[0].Started, now); !alive[slot] {
				suspect[slot.Node] = append(suspect[slot.Node], slot.Port)
				if nd := n.nodes[slot.Node]; nd == nil || nd.unhealthy == "" { // else it says itself when it is well again
					n.blacklist.Lost(slot, held[0].Started, now)
				}
			}
		}
		w := t.shape
		w.Current, w.Near = t.whereNow(alive)
		if t != was {
			t.nearFormer(was, alive, w.Current, w.Near)
		}
		for i, at := range w.Current {
			if deaf && at == (schedule.Slot{}) {
				w.Current[i] = w.Near[i]
			}
		}
		w.Workers, w.Uptime, w.Wish = t.Workers, now.Sub(t.Launched), how.wish
		if id == how.rebalance {
			w.Wish = schedule.Spread
		}
		wanted = append(wanted, w)
	}
	n.blacklist.Expire(now)
	var nodes []schedule.Node
	for _, nd := range n.nodes {
		for _, p := range nd.ports {
			if n.blacklist.Avoided(schedule.Slot{Node: nd.id, Port: p}, now) {
				suspect[nd.id] = append(suspect[nd.id], p)
			}
		}
		nodes = append(nodes, n.offered(nd, suspect[nd.id], n.blacklist.Avoided(schedule.Slot{Node: nd.id}, now)))
	}
	return nodes, wanted
}

// offered is a node as the scheduler sees it.
func (n *Nimbus) offered(nd *node, suspect []int32, avoid bool) schedule.Node {
	capacity := n.capacityOf(*nd)
	out := schedule.Node{ID: nd.id, Host: nd.host, Rack: nd.meta["rack"], Ports: nd.ports, Suspect: suspect, Avoid: avoid,
		CPU: max(0, capacity[cpuPercent]), Memory: max(0, capacity["memory.mb"]), Generic: make(map[string]float64)}
	for name, v := range capacity {
		if name != cpuPercent && name != "memory.mb" {
			out.Generic[name] = max(0, v)
		}
	}
	return out
}

// frozen is a topology that is killed or cannot be read: it keeps the slots that it has, and its wish is exactly what it
// holds.
func (t *topology) frozen() schedule.Topology {
	w := schedule.Topology{ID: t.ID, Name: t.Name, Owner: t.Owner, Workers: len(t.slots()), Fixed: true, Components: slices.Clone(t.shape.Components)}
	at := make(map[string]int)
	for i, c := range w.Components {
		at[c.ID] = i
	}
	for _, p := range t.assignment.Executors {
		name := t.component[p.First]
		if _, ok := at[name]; !ok {
			at[name] = len(w.Components)
			w.Components = append(w.Components, schedule.Component{ID: name})
		}
		w.Executors, w.Of = append(w.Executors, schedule.Executor{First: p.First, Last: p.Last}), append(w.Of, at[name])
		w.Current = append(w.Current, schedule.Slot{Node: p.Node, Port: p.Port})
	}
	return w
}

// newAssignment returns the assignment for a placement and whether it differs from the topology's present one. An
// executor that stays where it is keeps its start time.
func (n *Nimbus) newAssignment(t *topology, w schedule.Topology, placed []schedule.Slot, now time.Time) (cluster.Assignment, bool) {
	since := make(map[cluster.Placement]time.Time)
	for _, p := range t.assignment.Executors {
		since[cluster.Placement{First: p.First, Last: p.Last, Node: p.Node, Port: p.Port}] = p.Started
	}
	a := cluster.Assignment{Topology: t.ID, Hosts: make(map[string]string)}
	same := true
	for i, slot := range placed {
		if slot == (schedule.Slot{}) {
			continue
		}
		p := cluster.Placement{First: w.Executors[i].First, Last: w.Executors[i].Last, Node: slot.Node, Port: slot.Port}
		started, kept := since[p]
		if !kept {
			started, same = now.UTC(), false
		}
		p.Started = started
		a.Executors = append(a.Executors, p)
		a.Hosts[p.Node] = n.hostOf(p.Node, t.assignment.Hosts)
	}
	a.Workers, a.SharedOffHeap = workersOf(n.policy.Policy, w, placed)
	same = same && len(a.Executors) == len(t.assignment.Executors) && reflect.DeepEqual(a.Workers, t.assignment.Workers) &&
		maps.Equal(a.SharedOffHeap, t.assignment.SharedOffHeap)
	if same {
		return a, false
	}
	a.ID = n.newAssignmentID()
	return a, true
}

// nextAssignment is the assignment of a version that takes the place of another. Where workers start again all executors start
// now, wherever they are.
func (n *Nimbus) nextAssignment(t *topology, w schedule.Topology, placed []schedule.Slot, now time.Time) cluster.Assignment {
	if t.InPlaceFrom == 0 {
		t = t.with(func(t *topology) { t.assignment = cluster.Assignment{Hosts: t.assignment.Hosts} })
	}
	a, differs := n.newAssignment(t, w, placed, now)
	if !differs {
		a.ID = n.newAssignmentID()
	}
	return a
}

func (n *Nimbus) newAssignmentID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.placements++
	return fmt.Sprintf("%d-%d", n.epochLocked(), n.placements)
}

// workersOf says what each worker of a placement gets.
func workersOf(p schedule.Policy, w schedule.Topology, placed []schedule.Slot) (out []cluster.Worker, onNode map[string]float64) {
	workers, onNode := schedule.Workers(p, w, placed)
	for slot, v := range workers {
		out = append(out, cluster.Worker{Node: slot.Node, Port: slot.Port, CPU: v.CPU, OnHeap: v.OnHeap, OffHeap: v.OffHeap,
			SharedOnHeap: v.SharedOnHeap, SharedOffHeap: v.SharedOffHeap, Generic: v.Generic})
	}
	slices.SortFunc(out, func(x, y cluster.Worker) int {
		if x.Node != y.Node {
			return strings.Compare(x.Node, y.Node)
		}
		return int(x.Port - y.Port)
	})
	if len(onNode) == 0 {
		onNode = nil
	}
	return out, onNode
}

// hostOf is the name of a node's host; a node that did not report yet has the name it had.
func (n *Nimbus) hostOf(id string, known map[string]string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if nd, ok := n.nodes[id]; ok {
		return nd.host
	}
	return known[id]
}
