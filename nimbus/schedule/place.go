package schedule

import "slices"

// place puts executor e of j, which has no place, into a slot that is free or j's own. Nothing is checked.
func (b *Board) place(j *Job, e, slot int) {
	s := &b.slots[slot]
	n := &b.nodes[s.node]
	if s.job < 0 {
		s.job = j.index
		j.used = append(j.used, slot)
		if s.offered {
			n.free[s.suspect]--
		}
	}
	if b.accounts {
		b.charge(j, e, slot, 1)
	}
	j.pos[e] = len(s.execs)
	s.execs = append(s.execs, e)
	j.at[e], j.moved = slot, true
	j.placed++
}

// take takes executor e of j out of its slot.
func (b *Board) take(j *Job, e int) {
	at := j.at[e]
	s := &b.slots[at]
	n := &b.nodes[s.node]
	last := len(s.execs) - 1
	s.execs[j.pos[e]] = s.execs[last]
	j.pos[s.execs[last]] = j.pos[e]
	s.execs = s.execs[:last]
	if b.accounts {
		b.charge(j, e, at, -1)
	}
	j.at[e], j.moved = -1, true
	j.placed--
	if len(s.execs) == 0 {
		s.job, s.heap, s.points = -1, 0, 0
		i := slices.Index(j.used, at)
		j.used = slices.Delete(j.used, i, i+1)
		if s.offered {
			n.free[s.suspect]++
		}
	}
}

// account opens the books with all that is placed.
func (b *Board) account() {
	b.accounts = true
	placed := make([][]int, len(b.slots))
	for i := range b.slots { // what is shared on a node is booked with the first that has it: nobody has anything yet
		placed[i], b.slots[i].execs = b.slots[i].execs, nil
	}
	for i := range b.slots {
		s := &b.slots[i]
		for n, e := range placed[i] {
			b.charge(b.jobs[s.job], e, i, 1)
			s.execs = placed[i][:n+1]
		}
	}
}

// charge books what e costs where it is not yet, or no more, among the executors of slot.
func (b *Board) charge(j *Job, e, slot int, sign float64) {
	s := &b.slots[slot]
	left := b.nodes[s.node].left
	c := j.Of[e]
	heap, points, mb := b.cost(j, c, slot)
	if sign < 0 {
		points = b.padded(s.points, true) - b.padded(s.points-j.needs[c][cpu], len(s.execs) > 0)
	}
	left[cpu] -= sign * points
	left[memory] -= sign * mb
	for r, need := range j.needs[c][generics:] {
		left[generics+r] -= sign * need
	}
	s.heap += sign * heap
	s.points += sign * j.needs[c][cpu]
}

// padded is what a worker counts for: at least the policy's minimum, nothing if there is no worker.
func (b *Board) padded(points float64, exists bool) float64 {
	if !exists {
		return 0
	}
	return max(points, b.policy.MinWorkerCPU)
}

// cost is what an executor of component c adds in a slot: on-heap MB of the worker, CPU points and MB of the node.
func (b *Board) cost(j *Job, c, slot int) (heap, points, mb float64) {
	s := &b.slots[slot]
	exists := len(s.execs) > 0
	heap, mb = j.Components[c].OnHeap, j.needs[c][memory]
	points = b.padded(s.points+j.needs[c][cpu], true) - b.padded(s.points, exists)
	for _, sh := range j.Components[c].Shared {
		if !b.sharedIn(j, slot, sh.Name) {
			heap += sh.OnHeap
			mb += sh.OnHeap + sh.OffHeapWorker
		}
		if sh.OffHeapNode > 0 && !b.sharedOn(j, s.node, sh.Name) {
			mb += sh.OffHeapNode
		}
	}
	return heap, points, mb
}

func (b *Board) sharedIn(j *Job, slot int, name string) bool {
	return slices.ContainsFunc(b.slots[slot].execs, func(e int) bool {
		return slices.ContainsFunc(j.Components[j.Of[e]].Shared, func(s Shared) bool { return s.Name == name })
	})
}

func (b *Board) sharedOn(j *Job, node int, name string) bool {
	return slices.ContainsFunc(b.nodes[node].slots, func(s int) bool { return b.slots[s].job == j.index && b.sharedIn(j, s, name) })
}
