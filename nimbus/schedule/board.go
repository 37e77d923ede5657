package schedule

import (
	"cmp"
	"slices"
)

// Places of resources in a vector; generic ones follow in order of names.
const (
	cpu = iota
	memory
	generics
)

// slack is what sums of resources may be off by.
const slack = 1e-6

// Scheduler places the topologies of a board in the order and with the rights that it sees fit.
type Scheduler func(*Board)

// Board is a cluster while topologies are placed. Nodes, slots, jobs and racks go by number: in order of names, ports and
// input.
type Board struct {
	policy    Policy
	resources []string // generic ones, by their place less generics
	nodes     []boardNode
	slots     []boardSlot
	racks     int
	jobs      []*Job
	evicted   []string
}

// boardNode is a node and what is left of it. One that no supervisor offers any more, but where something runs, has no
// resources and no free slots.
type boardNode struct {
	id, host    string
	rack        int
	avoid       bool
	closed      bool      // not for the topology whose turn it is
	slots       []int     // in order of ports
	free        [2]int    // slots that nobody uses: good ones, suspect ones
	total, left []float64 // left may be below 0, where nobody asked whether it fits
}

type boardSlot struct {
	Slot
	node    int
	offered bool
	suspect int // 0 or 1, the index in free
	job     int // who uses it, -1 for nobody
	execs   []int
	heap    float64 // on-heap MB
	points  float64 // CPU asked for, without the least of a worker
}

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

func newBoard(p Policy, nodes []Node, topologies []Topology) *Board {
	b := &Board{policy: p}
	b.nameResources(nodes, topologies)
	known, slots := b.addNodes(nodes)
	for i := range topologies {
		b.addJob(&topologies[i], known, slots)
	}
	return b
}

func (b *Board) nameResources(nodes []Node, topologies []Topology) {
	names := make(map[string]bool)
	for _, n := range nodes {
		for name := range n.Generic {
			names[name] = true
		}
	}
	for _, t := range topologies {
		for _, c := range t.Components {
			for name := range c.Generic {
				names[name] = true
			}
		}
	}
	for name := range names {
		b.resources = append(b.resources, name)
	}
	slices.Sort(b.resources)
}

func (b *Board) vector(cpuPoints, mb float64, generic map[string]float64) []float64 {
	v := append(make([]float64, 0, generics+len(b.resources)), cpuPoints, mb)
	for _, name := range b.resources {
		v = append(v, generic[name])
	}
	return v
}

func (b *Board) addNodes(nodes []Node) (known map[string]int, slots map[Slot]int) {
	known, slots = make(map[string]int, len(nodes)), make(map[Slot]int)
	racks := make(map[string]int)
	for _, n := range slices.SortedFunc(slices.Values(nodes), func(x, y Node) int { return cmp.Compare(x.Rack, y.Rack) }) {
		if _, ok := racks[n.Rack]; !ok {
			racks[n.Rack] = len(racks)
		}
	}
	for _, n := range slices.SortedFunc(slices.Values(nodes), func(x, y Node) int { return cmp.Compare(x.ID, y.ID) }) {
		at := len(b.nodes)
		known[n.ID] = at
		total := b.vector(n.CPU, n.Memory, n.Generic)
		b.nodes = append(b.nodes, boardNode{id: n.ID, host: cmp.Or(n.Host, n.ID), rack: racks[n.Rack], avoid: n.Avoid,
			total: total, left: slices.Clone(total)})
		for _, port := range slices.Compact(slices.Sorted(slices.Values(n.Ports))) {
			suspect := 0
			if n.Avoid || slices.Contains(n.Suspect, port) {
				suspect = 1
			}
			slots[Slot{n.ID, port}] = b.addSlot(at, Slot{n.ID, port}, true, suspect)
		}
	}
	b.racks = len(racks)
	return known, slots
}

func (b *Board) addSlot(node int, s Slot, offered bool, suspect int) int {
	at := len(b.slots)
	b.slots = append(b.slots, boardSlot{Slot: s, node: node, offered: offered, suspect: suspect, job: -1})
	b.nodes[node].slots = append(b.nodes[node].slots, at)
	if offered {
		b.nodes[node].free[suspect]++
	}
	return at
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
	last, lastAt := Slot{}, -1 // executors of a worker often stand together
	for e := range j.at {
		j.at[e] = -1
		if e >= len(t.Current) || t.Current[e] == (Slot{}) {
			continue
		}
		if t.Current[e] != last {
			last, lastAt = t.Current[e], b.slotOf(t.Current[e], known, slots)
		}
		if s := &b.slots[lastAt]; s.job < 0 || s.job == j.index {
			b.place(j, e, lastAt)
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

// slotOf finds a slot, also one that is not offered any more.
func (b *Board) slotOf(s Slot, known map[string]int, slots map[Slot]int) int {
	if at, ok := slots[s]; ok {
		return at
	}
	node, ok := known[s.Node]
	if !ok {
		node = len(b.nodes)
		known[s.Node] = node
		b.nodes = append(b.nodes, boardNode{id: s.Node, host: s.Node, total: b.vector(0, 0, nil), left: b.vector(0, 0, nil)})
		b.racks = max(b.racks, 1)
	}
	slots[s] = b.addSlot(node, s, false, 0)
	return slots[s]
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
	b.charge(j, e, slot, 1)
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
	b.charge(j, e, at, -1)
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

func (b *Board) result() Result {
	r := Result{Placed: make(map[string][]Slot, len(b.jobs)), Status: make(map[string]string), Evicted: b.evicted}
	for _, j := range b.jobs {
		if j.status != "" {
			r.Status[j.ID] = j.status
		}
		if !j.moved && len(j.Current) == len(j.at) && j.placed == len(j.at) {
			r.Placed[j.ID] = j.Current
			continue
		}
		out := make([]Slot, len(j.at))
		for e, at := range j.at {
			if at >= 0 {
				out[e] = b.slots[at].Slot
			}
		}
		r.Placed[j.ID] = out
	}
	return r
}
