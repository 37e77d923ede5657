package schedule

import "slices"

// Job is a topology while it is placed.
type Job struct {
	Topology
	index  int
	at     []int       // slot of each executor, -1 for none
	pos    []int       // of each executor among the slot's execs
	placed int         // executors with a slot
	used   []int       // slots that hold executors, in no order
	needs  [][]float64 // of an executor of each component
	asked  []float64   // of all executors
	count  []int       // executors of each component
	near   []int       // slot that an executor without one prefers, -1 for none; nil if none has one
	apart  [][]bool    // components that may not share a worker; nil if there are none
	status string
	moved  bool // something differs from Current
}

func (b *Board) addJob(t *Topology, known map[string]int, slots map[Slot]int) {
	j := &Job{Topology: *t, index: len(b.jobs), at: make([]int, len(t.Executors)), pos: make([]int, len(t.Executors)),
		needs: make([][]float64, len(t.Components))}
	j.Workers = max(j.Workers, 1)
	for i, c := range t.Components {
		j.needs[i] = b.vector(c.CPU, c.OnHeap+c.OffHeap, c.Generic)
	}
	j.asked, j.count = b.vector(0, 0, nil), make([]int, len(t.Components))
	for _, c := range t.Of {
		j.count[c]++
		for r, need := range j.needs[c] {
			j.asked[r] += need
		}
	}
	j.apart = j.keptApart()
	b.jobs = append(b.jobs, j)
	turn := 0 // executors of a worker stand together, or they were dealt over workers in turn
	for e := range j.at {
		j.at[e] = -1
		if e >= len(t.Current) || t.Current[e] == (Slot{}) {
			continue
		}
		at := -1
		for range min(2, len(j.used)) {
			if b.slots[j.used[turn]].Slot == t.Current[e] {
				at = j.used[turn]
				break
			}
			turn = (turn + 1) % len(j.used)
		}
		if at < 0 {
			at = b.slotOf(t.Current[e], known, slots)
		}
		if s := &b.slots[at]; s.job < 0 || s.job == j.index {
			b.place(j, e, at)
		}
	}
	for e, slot := range t.Near {
		if slot == (Slot{}) {
			continue
		}
		if j.near == nil {
			j.near = slices.Repeat([]int{-1}, len(j.at))
		}
		j.near[e] = b.slotOf(slot, known, slots)
	}
	j.moved = false
}

// wants returns the slot that an executor without one prefers, or -1.
func (j *Job) wants(e int) int {
	if j.near == nil || j.at[e] >= 0 {
		return -1
	}
	return j.near[e]
}

// keptApart gives the pairs of components that may not share a worker; each of a pair may have named the other.
func (j *Job) keptApart() [][]bool {
	byID := make(map[string]int, len(j.Components))
	for i, c := range j.Components {
		byID[c.ID] = i
	}
	var out [][]bool
	for i, c := range j.Components {
		for _, id := range c.Apart {
			k, ok := byID[id]
			if !ok {
				continue
			}
			if out == nil {
				out = make([][]bool, len(j.Components))
				for r := range out {
					out[r] = make([]bool, len(j.Components))
				}
			}
			out[i][k], out[k][i] = true, true
		}
	}
	return out
}
