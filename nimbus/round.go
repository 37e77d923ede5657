package nimbus

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
	return n.placeLocked(ctx, placing{spread: spread})
}

// placing says how a round is done.
type placing struct {
	spread bool
	anew   string // id of a topology that is placed as if it ran nowhere
}

// placeLocked is round for a caller that holds change.
func (n *Nimbus) placeLocked(ctx context.Context, how placing) error {
	now := n.cfg.Now()
	n.mu.Lock()
	supervisors, wanted := n.scheduleInputLocked(how, now)
	deaf := n.deafLocked(now)
	n.mu.Unlock()
	if deaf && how.anew == "" {
		return nil // what is assigned stays
	}
	placed := schedule.Even(supervisors, wanted)
	var ops []cluster.Op
	var changed []*topology
	for _, w := range wanted {
		t, _ := n.byID(w.ID)
		if t.Status == cluster.Killed {
			continue
		}
		if a, ok := n.newAssignment(t, placed[t.ID], w.ID == how.anew, now); ok {
			changed = append(changed, t.with(func(t *topology) { t.assignment = a }))
			ops = append(ops, cluster.PutAssignment(a))
		}
	}
	for batch := range slices.Chunk(ops, 100) {
		if err := n.txn(ctx, batch...); err != nil {
			return fmt.Errorf("store assignments: %w", err)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range changed {
		n.replaceLocked(t)
		n.cfg.Log.Info("topology assigned", "topology", t.ID, "assignment", t.assignment.ID,
			"executors", len(t.assignment.Executors), "workers", len(t.slots()))
	}
	return nil
}

// scheduleInputLocked says who offers slots and who needs them. Topologies that are killed or cannot be read keep the
// slots they have; their wish is exactly what they hold.
func (n *Nimbus) scheduleInputLocked(how placing, now time.Time) ([]schedule.Supervisor, []schedule.Topology) {
	suspect := make(map[string][]int32)
	var wanted []schedule.Topology
	for _, id := range slices.Sorted(maps.Keys(n.topologies)) {
		t := n.topologies[id]
		w := schedule.Topology{ID: id, Workers: t.Workers, Executors: t.executors, Current: make(map[schedule.Executor]schedule.Slot)}
		slots := t.slots()
		frozen := t.Status == cluster.Killed || t.broken != nil
		if frozen {
			w.Workers, w.Executors = max(1, len(slots)), nil
		}
		for slot, held := range slots {
			if id == how.anew {
				continue
			}
			if !frozen && !n.aliveLocked(t, slot, held[0].Started, now) {
				suspect[slot.Node] = append(suspect[slot.Node], slot.Port)
				continue
			}
			for _, p := range held {
				e := schedule.Executor{First: p.First, Last: p.Last}
				w.Current[e] = slot
				if frozen {
					w.Executors = append(w.Executors, e)
				}
			}
		}
		if frozen && len(slots) == 0 {
			continue
		}
		if !how.spread && len(w.Current) == len(w.Executors) {
			w.Workers = min(w.Workers, len(slots))
		}
		wanted = append(wanted, w)
	}
	var supervisors []schedule.Supervisor
	for id, nd := range n.nodes {
		supervisors = append(supervisors, schedule.Supervisor{Node: id, Ports: nd.ports, Suspect: suspect[id]})
	}
	return supervisors, wanted
}

// newAssignment returns the assignment for a placement and whether it differs from the topology's present one. An
// executor that stays where it is keeps its start time.
func (n *Nimbus) newAssignment(t *topology, placed map[schedule.Executor]schedule.Slot, anew bool, now time.Time) (cluster.Assignment, bool) {
	since := make(map[cluster.Placement]time.Time)
	for _, p := range t.assignment.Executors {
		since[cluster.Placement{First: p.First, Last: p.Last, Node: p.Node, Port: p.Port}] = p.Started
	}
	a := cluster.Assignment{Topology: t.ID, Hosts: make(map[string]string)}
	same := len(placed) == len(t.assignment.Executors)
	for _, e := range slices.SortedFunc(maps.Keys(placed), func(x, y schedule.Executor) int { return int(x.First - y.First) }) {
		p := cluster.Placement{First: e.First, Last: e.Last, Node: placed[e].Node, Port: placed[e].Port}
		started, kept := since[p]
		if !kept || anew {
			started, same = now.UTC(), false
		}
		p.Started = started
		a.Executors = append(a.Executors, p)
		a.Hosts[p.Node] = n.hostOf(p.Node, t.assignment.Hosts)
	}
	if same {
		return a, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.placements++
	a.ID = fmt.Sprintf("%d-%d", n.term.Epoch, n.placements)
	return a, true
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
