package schedule

import (
	"cmp"
	"slices"
)

// ranking says which nodes a strategy tries first.
type ranking struct {
	few     bool // nodes with few executors of the topology first, instead of those with many
	generic bool // what is left of generic resources counts as well
}

// order keeps the nodes of a board in the order in which one topology is to try them: favored ones first, unfavored ones
// late, those to be avoided last; then by rack and in it by node, each by executors of the topology, then by the scarcest
// resource that is left, by the mean of what is left, by number. It is kept up to date node by node, never sorted anew.
type order struct {
	b        *Board
	j        *Job
	rank     ranking
	tier     []int // of each node, ascending
	tiers    []int // those that occur
	place    []place
	racks    []rack
	byRack   []int // racks in order
	occupied int   // nodes with executors of the topology
	full     [][]bool
}

// place is what a node, or a rack, is ordered by.
type place struct {
	own           int // executors of the topology, negative where few are wanted first
	scarcest, all float64
}

type rack struct {
	place
	nodes       []int // in order
	total, left []float64
}

// Tiers of nodes.
const (
	favored = iota
	ordinary
	unfavored
	avoided
)

func newOrder(b *Board, j *Job, r ranking) *order {
	o := &order{b: b, j: j, rank: r, tier: make([]int, len(b.nodes)), place: make([]place, len(b.nodes)),
		racks: make([]rack, b.racks), full: make([][]bool, len(j.Components))}
	for r := range o.racks {
		o.racks[r].nodes = make([]int, 0, len(b.nodes)/b.racks+1)
	}
	own := make([]int, len(b.nodes))
	for _, s := range j.used {
		own[b.slots[s].node] += len(b.slots[s].execs)
	}
	seen := make(map[int]bool)
	for n := range b.nodes {
		node := &b.nodes[n]
		rk := &o.racks[node.rack]
		if rk.total == nil {
			rk.total, rk.left = make([]float64, len(node.total)), make([]float64, len(node.total))
		}
		for r := range node.total {
			rk.total[r] += node.total[r]
			rk.left[r] += node.left[r]
		}
		if own[n] > 0 {
			o.occupied++
		}
		o.place[n] = o.measure(o.signed(own[n]), node.total, node.left)
		rk.own += o.signed(own[n])
		rk.nodes = append(rk.nodes, n)
		o.tier[n] = o.tierOf(node)
		seen[o.tier[n]] = true
	}
	for t := favored; t <= avoided; t++ {
		if seen[t] {
			o.tiers = append(o.tiers, t)
		}
	}
	for r := range o.racks {
		rk := &o.racks[r]
		rk.place = o.measure(rk.own, rk.total, rk.left)
		slices.SortFunc(rk.nodes, o.compareNodes)
		o.byRack = append(o.byRack, r)
	}
	slices.SortFunc(o.byRack, o.compareRacks)
	return o
}

func (o *order) tierOf(n *boardNode) int {
	named := func(list []string) bool { return slices.Contains(list, n.id) || slices.Contains(list, n.host) }
	switch {
	case n.avoid:
		return avoided
	case named(o.j.Favored):
		return favored
	case named(o.j.Unfavored):
		return unfavored
	}
	return ordinary
}

func (o *order) signed(executors int) int {
	if o.rank.few {
		return -executors
	}
	return executors
}

// measure computes shares of what is left; a resource that is not there at all does not count.
func (o *order) measure(own int, total, left []float64) place {
	p := place{own: own, scarcest: 1}
	count := 0
	for r := range total {
		if total[r] <= 0 || (r >= generics && !o.rank.generic) {
			continue
		}
		share := left[r] / total[r]
		p.scarcest = min(p.scarcest, share)
		p.all += share
		count++
	}
	if count == 0 {
		return place{own: own}
	}
	p.all /= float64(count)
	return p
}

func comparePlaces(x, y place) int {
	return cmp.Or(cmp.Compare(y.own, x.own), cmp.Compare(y.scarcest, x.scarcest), cmp.Compare(y.all, x.all))
}

func (o *order) compareNodes(x, y int) int {
	return cmp.Or(comparePlaces(o.place[x], o.place[y]), cmp.Compare(x, y))
}

func (o *order) compareRacks(x, y int) int {
	return cmp.Or(comparePlaces(o.racks[x].place, o.racks[y].place), cmp.Compare(x, y))
}

// put places an executor and keeps the order.
func (o *order) put(e, slot int) {
	o.around(o.b.slots[slot].node, 1, func() { o.b.place(o.j, e, slot) })
}

// drop takes an executor out again.
func (o *order) drop(e int) {
	o.around(o.b.slots[o.j.at[e]].node, -1, func() { o.b.take(o.j, e) })
	for c := range o.full { // there is room now
		o.full[c] = nil
	}
}

// around moves a node and its rack to where they belong after a change that adds executors to them.
func (o *order) around(n, executors int, change func()) {
	node := &o.b.nodes[n]
	rk := &o.racks[node.rack]
	if i, ok := slices.BinarySearchFunc(rk.nodes, n, o.compareNodes); ok {
		rk.nodes = slices.Delete(rk.nodes, i, i+1)
	}
	if i, ok := slices.BinarySearchFunc(o.byRack, node.rack, o.compareRacks); ok {
		o.byRack = slices.Delete(o.byRack, i, i+1)
	}
	for r, left := range node.left {
		rk.left[r] -= left
	}
	change()
	for r, left := range node.left {
		rk.left[r] += left
	}
	was := o.place[n].own
	o.place[n] = o.measure(was+o.signed(executors), node.total, node.left)
	if was == 0 {
		o.occupied++
	} else if o.place[n].own == 0 {
		o.occupied--
	}
	rk.place = o.measure(rk.own+o.signed(executors), rk.total, rk.left)
	i, _ := slices.BinarySearchFunc(rk.nodes, n, o.compareNodes)
	rk.nodes = slices.Insert(rk.nodes, i, n)
	i, _ = slices.BinarySearchFunc(o.byRack, node.rack, o.compareRacks)
	o.byRack = slices.Insert(o.byRack, i, node.rack)
}

// open tells whether j may have a slot: it is offered, and nobody else's.
func (o *order) open(slot int) bool {
	s := &o.b.slots[slot]
	return s.offered && (s.job < 0 || s.job == o.j.index) && !o.b.nodes[s.node].closed
}

// find returns the first slot in which an executor of component c fits, a suspect one only if there is no other, or -1. A node that is full for c stays so until
// something is taken out; memory that components share is the exception, since an executor of another one may bring it.
func (o *order) find(c int) int {
	if o.full[c] == nil {
		o.full[c] = make([]bool, len(o.b.nodes))
	}
	lasting := len(o.j.Components[c].Shared) == 0
	last := -1
	for n := range o.all() {
		if o.full[c][n] {
			continue
		}
		s := o.slotOn(n, c)
		if s < 0 {
			o.full[c][n] = lasting
			continue
		}
		if !o.b.doubtful(s) {
			return s
		}
		if last < 0 {
			last = s
		}
	}
	return last
}

// doubtful tells whether a slot is suspect and free; where a worker is, there it is.
func (b *Board) doubtful(slot int) bool { return b.slots[slot].job < 0 && b.slots[slot].suspect > 0 }

// all yields the nodes in order.
func (o *order) all() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for _, t := range o.tiers {
			for _, r := range o.byRack {
				for _, n := range o.racks[r].nodes {
					if o.tier[n] == t && !yield(n) {
						return
					}
				}
			}
		}
	}
}

// slotOn returns a slot of a node for an executor of c: a worker of the topology before a free slot, a suspect one last.
func (o *order) slotOn(n, c int) int {
	if o.b.nodes[n].closed || (o.rank.few && o.j.Machines > 0 && o.occupied >= o.j.Machines && o.place[n].own == 0) {
		return -1
	}
	free := -1
	for _, s := range o.b.nodes[n].slots {
		slot := &o.b.slots[s]
		if slot.job == o.j.index && slot.offered && o.b.fits(o.j, c, s) {
			return s
		}
		if slot.job < 0 && slot.offered && (free < 0 || slot.suspect < o.b.slots[free].suspect) {
			free = s
		}
	}
	if free >= 0 && o.b.fits(o.j, c, free) {
		return free
	}
	return -1
}

// fits tells whether an executor of component c of j can be added to a slot that is free or j's own.
func (b *Board) fits(j *Job, c, slot int) bool {
	s := &b.slots[slot]
	heap, points, mb := b.cost(j, c, slot)
	if j.MaxHeap > 0 && s.heap+heap > j.MaxHeap+slack {
		return false
	}
	left := b.nodes[s.node].left
	if left[cpu] < points-slack || left[memory] < mb-slack {
		return false
	}
	for r, need := range j.needs[c][generics:] {
		if need > 0 && left[generics+r] < need-slack {
			return false
		}
	}
	if (j.OneExecutor || j.OneComponent) && !j.Components[c].Acker {
		for _, e := range s.execs {
			if other := j.Of[e]; !j.Components[other].Acker && (j.OneExecutor || other != c) {
				return false
			}
		}
	}
	return true
}
