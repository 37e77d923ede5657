// Package schedule decides which executor runs in which slot. It is pure: supervisors and topologies in, placements
// out.
//
// The rule is Storm's default scheduler (DefaultScheduler.java, EvenScheduler.java): a topology that runs as it should
// is left alone; one that misses executors or workers keeps the workers that already hold a fair share, and the rest of
// its executors are dealt round robin over free slots, which are taken in turns from the supervisors, those with the
// most free slots first.
//
// Where Storm walks a hash map, this package goes in order of nodes and ports, so the same input gives the same output.
package schedule

import (
	"cmp"
	"maps"
	"slices"
)

// Slot is a place for one worker: a port of a supervisor's node.
type Slot struct {
	Node string
	Port int32
}

// Executor is a run of tasks, First to Last, that are driven together.
type Executor struct {
	First, Last int32
}

// Supervisor is a node that offers slots.
type Supervisor struct {
	Node  string
	Ports []int32
	// Suspect ports are taken only when a topology finds nothing else: a worker just died or never came up there.
	Suspect []int32
}

// Topology is what wants to run.
type Topology struct {
	ID        string
	Workers   int        // wanted; below 1 is taken as 1
	Executors []Executor // all of them
	// Current is where executors are and may stay. Leave out executors whose worker is dead, and leave it empty to
	// place everything anew (a rebalance).
	Current map[Executor]Slot
}

// Even places the executors of topologies, in their order, on supervisors. For each topology it returns where all of
// its executors are now; executors that found no slot are missing. Its arguments are not changed or kept.
func Even(supervisors []Supervisor, topologies []Topology) map[string]map[Executor]Slot {
	b := newBoard(supervisors, topologies)
	out := make(map[string]map[Executor]Slot, len(topologies))
	for _, t := range topologies {
		t.Workers = max(t.Workers, 1)
		placed := make(map[Executor]Slot, len(t.Executors))
		for _, e := range t.Executors {
			if slot, ok := t.Current[e]; ok {
				placed[e] = slot
			}
		}
		if needsWork(t, placed) {
			b.release(t, placed)
			b.deal(t, placed)
		}
		out[t.ID] = placed
	}
	return out
}

// needsWork tells whether a topology misses workers or executors.
func needsWork(t Topology, placed map[Executor]Slot) bool {
	if len(bySlot(placed)) < t.Workers {
		return true
	}
	return len(placed) < len(t.Executors)
}

// board is the state of all slots while topologies are placed one after the other.
type board struct {
	supervisors []Supervisor
	used        map[Slot]bool
	offered     map[Slot]bool
}

func newBoard(supervisors []Supervisor, topologies []Topology) *board {
	b := &board{supervisors: supervisors, used: make(map[Slot]bool), offered: make(map[Slot]bool)}
	for _, s := range supervisors {
		for _, p := range s.Ports {
			b.offered[Slot{s.Node, p}] = true
		}
	}
	for _, t := range topologies {
		for _, slot := range t.Current {
			b.used[slot] = true
		}
	}
	return b
}

// free returns the slots nobody uses, in the order in which they are to be taken.
func (b *board) free() []Slot {
	return append(b.freeOf(func(s Supervisor, p int32) bool { return !slices.Contains(s.Suspect, p) }),
		b.freeOf(func(s Supervisor, p int32) bool { return slices.Contains(s.Suspect, p) })...)
}

func (b *board) freeOf(want func(Supervisor, int32) bool) []Slot {
	var groups [][]Slot
	for _, s := range slices.SortedFunc(slices.Values(b.supervisors), func(x, y Supervisor) int { return cmp.Compare(x.Node, y.Node) }) {
		var group []Slot
		for _, p := range slices.Compact(slices.Sorted(slices.Values(s.Ports))) {
			if slot := (Slot{s.Node, p}); !b.used[slot] && want(s, p) {
				group = append(group, slot)
			}
		}
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(x, y []Slot) int { return cmp.Compare(len(y), len(x)) })
	return interleave(groups)
}

// interleave takes the first of every group, then the second of every group, and so on.
func interleave(groups [][]Slot) []Slot {
	var out []Slot
	for i, more := 0, true; more; i++ {
		more = false
		for _, g := range groups {
			if i < len(g) {
				out, more = append(out, g[i]), true
			}
		}
	}
	return out
}

// release frees the slots of t that do not hold a fair share of its executors, so that these are dealt anew. Nothing is
// released when t has all its executors and cannot get more slots than it has.
func (b *board) release(t Topology, placed map[Executor]Slot) {
	alive := bySlot(placed)
	usable := 0
	for slot := range alive {
		if b.offered[slot] {
			usable++
		}
	}
	total := min(t.Workers, usable+len(b.free()))
	if total == 0 || (total <= len(alive) && len(placed) == len(t.Executors)) {
		return
	}
	shares := shares(len(t.Executors), total)
	for _, slot := range slices.SortedFunc(maps.Keys(alive), compareSlots) {
		if n := len(alive[slot]); shares[n] > 0 {
			shares[n]--
			continue
		}
		for _, e := range alive[slot] {
			delete(placed, e)
		}
		delete(b.used, slot)
	}
}

// deal gives the executors of t that have no slot to as many free slots as t may still take.
func (b *board) deal(t Topology, placed map[Executor]Slot) {
	free, have := b.free(), len(bySlot(placed))
	take := min(t.Workers, len(free)+have) - have
	if take <= 0 {
		return
	}
	slots := free[:take]
	n := 0
	for _, e := range slices.SortedFunc(slices.Values(t.Executors), func(x, y Executor) int { return cmp.Compare(x.First, y.First) }) {
		if _, ok := placed[e]; ok {
			continue
		}
		slot := slots[n%len(slots)]
		placed[e], b.used[slot] = slot, true
		n++
	}
}

// shares says how many workers hold how many executors when n executors are spread over k workers.
func shares(n, k int) map[int]int {
	out := map[int]int{n / k: k - n%k}
	if n%k > 0 {
		out[n/k+1] = n % k
	}
	return out
}

func bySlot(placed map[Executor]Slot) map[Slot][]Executor {
	out := make(map[Slot][]Executor)
	for e, slot := range placed {
		out[slot] = append(out[slot], e)
	}
	return out
}

func compareSlots(x, y Slot) int {
	return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Port, y.Port))
}
