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
	accounts  bool // whether the books of resources are kept
	evicted   []string
}

// boardNode is a node and what is left of it.
type boardNode struct {
	id, host    string
	rack        int
	ghost       bool // something runs there, but no supervisor offers it: it has no resources and no free slots
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

// slotOf finds a slot, also one that is not offered any more.
func (b *Board) slotOf(s Slot, known map[string]int, slots map[Slot]int) int {
	if at, ok := slots[s]; ok {
		return at
	}
	node, ok := known[s.Node]
	if !ok {
		node = len(b.nodes)
		known[s.Node] = node
		b.nodes = append(b.nodes, boardNode{id: s.Node, host: s.Node, ghost: true, total: b.vector(0, 0, nil), left: b.vector(0, 0, nil)})
		b.racks = max(b.racks, 1)
	}
	slots[s] = b.addSlot(node, s, false, 0)
	return slots[s]
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
