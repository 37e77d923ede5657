package nimbus

import (
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

// whereNow says where each executor of t is, if its worker is alive. For one with tasks that belonged to others until now it
// says where most of them are.
func (t *topology) whereNow(alive map[schedule.Slot]bool) (current, near []schedule.Slot) {
	current, near = make([]schedule.Slot, len(t.executors)), make([]schedule.Slot, len(t.executors))
	old := t.assignment.Executors // in order of First, as t.executors is
	for i, e := range t.executors {
		for len(old) > 0 && old[0].Last < e.First {
			old = old[1:]
		}
		if len(old) > 0 && old[0].First == e.First && old[0].Last == e.Last {
			if slot := (schedule.Slot{Node: old[0].Node, Port: old[0].Port}); alive[slot] {
				current[i] = slot
			}
			continue
		}
		near[i] = mostOf(e, old, alive)
	}
	return current, near
}

// nearFormer has new executors of a component that was there before begin where the executors of the version before are, in turns:
// they take the places that those leave.
func (t *topology) nearFormer(was *topology, alive map[schedule.Slot]bool, current, near []schedule.Slot) {
	former := make(map[string][]schedule.Slot)
	for _, p := range was.assignment.Executors {
		if slot := (schedule.Slot{Node: p.Node, Port: p.Port}); alive[slot] {
			former[was.component[p.First]] = append(former[was.component[p.First]], slot)
		}
	}
	seen := make(map[string]int)
	for i, e := range t.executors {
		name := t.component[e.First]
		if at := former[name]; current[i] == (schedule.Slot{}) && near[i] == (schedule.Slot{}) && len(at) > 0 {
			near[i] = at[seen[name]%len(at)]
			seen[name]++
		}
	}
}

// mostOf says where most tasks of e are, of those whose worker is alive.
func mostOf(e schedule.Executor, old []cluster.Placement, alive map[schedule.Slot]bool) (most schedule.Slot) {
	tasks := make(map[schedule.Slot]int32)
	for _, p := range old {
		if p.First > e.Last {
			break
		}
		slot := schedule.Slot{Node: p.Node, Port: p.Port}
		if !alive[slot] {
			continue
		}
		tasks[slot] += min(p.Last, e.Last) - max(p.First, e.First) + 1
		if tasks[slot] > tasks[most] {
			most = slot
		}
	}
	return most
}
