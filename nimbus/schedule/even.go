package schedule

import (
	"cmp"
	"maps"
	"slices"
)

// Even is Storm's default scheduler, whatever resources are asked for: the executors of a topology are dealt in turn over as
// many workers as it wants, the workers in turn over the nodes, those with most free slots first.
func Even(b *Board) {
	for _, j := range b.jobs {
		if !j.Fixed {
			b.even(j)
		}
	}
}

// even places one topology. It acts where executors have no place or workers are missing; then as few executors move as it
// takes to have the same number in every worker, give or take one.
func (b *Board) even(j *Job) {
	want := max(1, min(j.Workers, len(j.at)))
	complete := j.placed == len(j.at)
	short := len(j.used) < want && j.Wish != Keep
	if complete && !short && j.Wish != Spread && len(j.used) <= want {
		return
	}
	slots := j.workers(b)
	for len(slots) > want {
		slots = b.closeWorker(j, slots)
	}
	if !complete || short || j.Wish == Spread {
		slots = append(slots, b.freeSlots(j, want-len(slots))...)
	}
	if len(slots) == 0 {
		return
	}
	if len(slots) > len(j.used) || j.placed < len(j.at) || j.Wish == Spread {
		b.level(j, slots)
	}
	if j.Wish == Spread {
		b.spread(j, false)
	}
}

// workers returns the slots of j in order of nodes and ports.
func (j *Job) workers(b *Board) []int {
	return slices.SortedFunc(slices.Values(j.used), func(x, y int) int { return compareSlots(b.slots[x].Slot, b.slots[y].Slot) })
}

// closeWorker empties the worker that can best be spared: one whose node is gone or suspect, else one of the node that has
// most of them, else the one with the least to move. It returns the workers left.
func (b *Board) closeWorker(j *Job, slots []int) []int {
	own := b.ownWorkers(j)
	least := slices.MinFunc(slots, func(x, y int) int {
		s, o := &b.slots[x], &b.slots[y]
		return cmp.Or(
			-compareBool(!s.offered, !o.offered),
			cmp.Compare(o.suspect, s.suspect),
			cmp.Compare(own[o.node], own[s.node]),
			cmp.Compare(len(s.execs), len(o.execs)),
			-compareSlots(s.Slot, o.Slot))
	})
	b.empty(j, least)
	return slices.DeleteFunc(slots, func(s int) bool { return s == least })
}

// empty takes all executors out of a worker and returns them.
func (b *Board) empty(j *Job, slot int) []int {
	execs := slices.Clone(b.slots[slot].execs)
	for _, e := range execs {
		b.take(j, e)
	}
	return execs
}

// ownWorkers counts the workers of j by node.
func (b *Board) ownWorkers(j *Job) map[int]int {
	own := make(map[int]int)
	for _, s := range j.used {
		own[b.slots[s].node]++
	}
	return own
}

// freeSlots chooses up to count slots that nobody uses: in turn from the nodes with the fewest workers of j, of those first
// from the one with most free slots. Suspect slots come last.
func (b *Board) freeSlots(j *Job, count int) (chosen []int) {
	own := b.ownWorkers(j)
	for suspect := range 2 {
		if len(chosen) >= count {
			break
		}
		var order []int
		most := 0
		for n := range b.nodes {
			if !b.nodes[n].closed && b.nodes[n].free[suspect] > 0 {
				order = append(order, n)
				most = max(most, own[n])
			}
		}
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(b.nodes[y].free[suspect], b.nodes[x].free[suspect]) })
		given := make(map[int]int)
		for level := 0; len(chosen) < count && len(order) > 0; level++ {
			order = slices.DeleteFunc(order, func(n int) bool {
				if len(chosen) >= count || own[n] > level {
					return false
				}
				if s := b.freeSlot(n, suspect, given[n]); s >= 0 {
					chosen = append(chosen, s)
					own[n]++
					given[n]++
					return false
				}
				return true
			})
		}
	}
	return chosen
}

// freeSlot returns a free slot of a node, the skip first ones left out, or -1.
func (b *Board) freeSlot(node, suspect, skip int) int {
	for _, s := range b.nodes[node].slots {
		if slot := &b.slots[s]; slot.job < 0 && slot.offered && slot.suspect == suspect {
			if skip == 0 {
				return s
			}
			skip--
		}
	}
	return -1
}

// level gives every slot its share of the executors of j. Workers that have most keep one more where they do not divide.
func (b *Board) level(j *Job, slots []int) {
	quota := b.quotas(j, slots)
	for _, s := range slots {
		for _, e := range j.spare(b.slots[s].execs, len(b.slots[s].execs)-quota[s]) {
			b.take(j, e)
		}
	}
	for e := range j.near { // those that were near come first
		if s := j.wants(e); s >= 0 && len(b.slots[s].execs) < quota[s] {
			b.place(j, e, s)
		}
	}
	next := 0
	for e, at := range j.at {
		if at >= 0 {
			continue
		}
		for len(b.slots[slots[next]].execs) >= quota[slots[next]] {
			next = (next + 1) % len(slots)
		}
		b.place(j, e, slots[next])
		next = (next + 1) % len(slots)
	}
}

// quotas says how many executors each slot is to hold.
func (b *Board) quotas(j *Job, slots []int) map[int]int {
	has := make(map[int]int, len(slots))
	for _, s := range slots {
		has[s] = len(b.slots[s].execs)
	}
	for e := range j.near {
		has[j.wants(e)]++
	}
	fullest := slices.SortedStableFunc(slices.Values(slots), func(x, y int) int { return cmp.Compare(has[y], has[x]) })
	quota := make(map[int]int, len(slots))
	for i, s := range fullest {
		quota[s] = len(j.at) / len(slots)
		if i < len(j.at)%len(slots) {
			quota[s]++
		}
	}
	return quota
}

// spare chooses count of a worker's executors that are to go: each time the last one of the component of which the worker
// has the largest part.
func (j *Job) spare(execs []int, count int) (gone []int) {
	if count <= 0 {
		return nil
	}
	here := make(map[int][]int)
	for _, e := range slices.Sorted(slices.Values(execs)) {
		here[j.Of[e]] = append(here[j.Of[e]], e)
	}
	components := slices.Sorted(maps.Keys(here))
	for range count {
		most := slices.MaxFunc(components, func(x, y int) int {
			return cmp.Or(cmp.Compare(len(here[x])*j.count[y], len(here[y])*j.count[x]), cmp.Compare(x, y))
		})
		last := len(here[most]) - 1
		gone, here[most] = append(gone, here[most][last]), here[most][:last]
	}
	return gone
}

// spread moves whole workers of j to other nodes as long as that makes the nodes more alike: first in workers of j, then in
// workers of all. With fit, a node is not given more than it has.
func (b *Board) spread(j *Job, fit bool) {
	for range len(j.used) {
		from, to := b.uneven(j)
		if from < 0 {
			return
		}
		own := slices.DeleteFunc(slices.Clone(b.nodes[from].slots), func(s int) bool { return b.slots[s].job != j.index })
		least := slices.MinFunc(own, func(x, y int) int {
			return cmp.Or(cmp.Compare(len(b.slots[x].execs), len(b.slots[y].execs)), cmp.Compare(x, y))
		})
		slot := b.freeSlot(to, 0, 0)
		b.moveWorker(j, least, slot)
		if fit && b.overdrawn(to) {
			b.moveWorker(j, slot, least)
			return
		}
	}
}

// uneven finds a node that should give a worker of j to another one, or -1.
func (b *Board) uneven(j *Job) (from, to int) {
	own := b.ownWorkers(j)
	from, to = -1, -1
	for n := range b.nodes {
		node := &b.nodes[n]
		if own[n] > 0 && (from < 0 || b.busier(own, n, from)) {
			from = n
		}
		if node.free[0] > 0 && !node.closed && (to < 0 || b.busier(own, to, n)) {
			to = n
		}
	}
	if from < 0 || to < 0 {
		return -1, -1
	}
	more := own[from] - own[to]
	if more >= 2 || (more == 1 && b.busy(from)-b.busy(to) >= 2) {
		return from, to
	}
	return -1, -1
}

// busier tells whether node x has more workers than y: of the job whose workers are counted, else of all.
func (b *Board) busier(own map[int]int, x, y int) bool {
	return cmp.Or(cmp.Compare(own[x], own[y]), cmp.Compare(b.busy(x), b.busy(y))) > 0
}

// busy counts the workers of a node.
func (b *Board) busy(node int) int {
	n := 0
	for _, s := range b.nodes[node].slots {
		if b.slots[s].job >= 0 {
			n++
		}
	}
	return n
}

// moveWorker moves all executors of a worker to a free slot.
func (b *Board) moveWorker(j *Job, from, to int) {
	for _, e := range b.empty(j, from) {
		b.place(j, e, to)
	}
}

func compareBool(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}
