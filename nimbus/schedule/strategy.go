package schedule

import (
	"cmp"
	"fmt"
	"slices"
)

// Strategy places the executors of a topology that have no place and returns how many choices it made. It places all of them,
// or it leaves the board as it found it and says why not.
type Strategy func(b *Board, j *Job) (states int, err error)

// Packed is Storm's DefaultResourceAwareStrategy: few nodes, close to each other.
func Packed(b *Board, j *Job) (int, error) { return b.greedy(j, ranking{}) }

// PackedGeneric is Storm's GenericResourceAwareStrategy: like Packed, where generic resources count as CPU and memory do.
func PackedGeneric(b *Board, j *Job) (int, error) { return b.greedy(j, ranking{generic: true}) }

// RoundRobin is Storm's RoundRobinResourceAwareStrategy: as many nodes as there are, or as the topology's Machines allow.
func RoundRobin(b *Board, j *Job) (int, error) { return b.greedy(j, ranking{few: true}) }

// greedy places one executor after the other where it fits first. Where the order in which tuples flow leads nowhere, it
// tries once more with the largest executors first, which wastes less.
func (b *Board) greedy(j *Job, r ranking) (states int, err error) {
	var stuck int
	for _, list := range [][]int{j.unplaced(), j.largestFirst(b)} {
		made, at := b.fill(newOrder(b, j, r), list)
		states += made
		if at < 0 {
			return states, nil
		}
		stuck = at
	}
	c := j.Of[stuck]
	return states, fmt.Errorf("no worker has room for an executor of component %s, which asks for %s", j.Components[c].ID, b.asks(j, c))
}

// fill places the executors of a list. At the first that fits nowhere it takes all of them back and returns it, else -1.
func (b *Board) fill(o *order, list []int) (states, stuck int) {
	j := o.j
	var done []int
	ackers := j.unplacedAckers()
	for _, e := range list {
		if j.at[e] >= 0 { // went along with a worker
			continue
		}
		s := j.wants(e)
		if s < 0 || !o.open(s) || !b.fits(j, j.Of[e], s) {
			s = o.find(j.Of[e])
		}
		states++
		if s < 0 {
			for _, d := range slices.Backward(done) {
				b.take(j, d)
			}
			return states, e
		}
		fresh := b.slots[s].job < 0
		o.put(e, s)
		done = append(done, e)
		if fresh && !j.Components[j.Of[e]].Acker {
			ackers = slices.DeleteFunc(ackers, func(a int) bool { return j.at[a] >= 0 })
			for _, a := range ackers[:min(j.AckersPerWorker, len(ackers))] {
				if !b.fits(j, j.Of[a], s) {
					break
				}
				o.put(a, s)
				done = append(done, a)
			}
		}
	}
	return states, -1
}

// asks puts the needs of one executor into words.
func (b *Board) asks(j *Job, c int) string {
	d := j.Components[c].Demand
	text := fmt.Sprintf("%.1f%% CPU, %.1f MB on-heap, %.1f MB off-heap", d.CPU, d.OnHeap, d.OffHeap)
	for i, name := range b.resources {
		if need := j.needs[c][generics+i]; need > 0 {
			text += fmt.Sprintf(", %g %s", need, name)
		}
	}
	return text
}

// unplaced lists the executors without a slot in the order of Storm's ExecSorterByConnectionCount: the component with most
// connections first, each of its executors followed by one of every neighbour, those with most connections first. Ackers
// come last.
func (j *Job) unplaced() []int {
	waiting := j.waiting()
	neighbours, links := j.links()
	byLinks := func(x, y int) int { return cmp.Or(cmp.Compare(links[y], links[x]), cmp.Compare(x, y)) }
	var out, components, ackers []int
	for c := range j.Components {
		slices.SortFunc(neighbours[c], byLinks)
		if j.Components[c].Acker {
			ackers = append(ackers, waiting[c]...)
			waiting[c] = nil
		} else {
			components = append(components, c)
		}
	}
	if !j.Proximity {
		slices.SortFunc(components, byLinks)
	}
	next := func(c int) {
		if len(waiting[c]) > 0 {
			out, waiting[c] = append(out, waiting[c][0]), waiting[c][1:]
		}
	}
	for _, c := range j.flow(components) {
		for len(waiting[c]) > 0 {
			next(c)
			for _, n := range neighbours[c] {
				next(n)
			}
		}
	}
	return append(out, ackers...)
}

// flow orders components by the way of tuples, spouts first, where the topology asks for it.
func (j *Job) flow(components []int) []int {
	if !j.Proximity {
		return components
	}
	depth := make([]int, len(j.Components))
	at := j.byID()
	for range j.Components { // cycles end with the loop
		for c := range j.Components {
			for _, id := range j.Components[c].To {
				if to, ok := at[id]; ok && depth[to] <= depth[c] && depth[c]+1 < len(j.Components) {
					depth[to] = depth[c] + 1
				}
			}
		}
	}
	slices.SortStableFunc(components, func(x, y int) int { return cmp.Compare(depth[x], depth[y]) })
	return components
}

func (j *Job) byID() map[string]int {
	at := make(map[string]int, len(j.Components))
	for i, c := range j.Components {
		at[c.ID] = i
	}
	return at
}

// links returns who exchanges tuples with whom, and by how many pairs of executors.
func (j *Job) links() (neighbours [][]int, count []int) {
	at := j.byID()
	neighbours, count = make([][]int, len(j.Components)), make([]int, len(j.Components))
	join := func(x, y int) {
		if !slices.Contains(neighbours[x], y) {
			neighbours[x] = append(neighbours[x], y)
			count[x] += j.count[x] * j.count[y]
		}
	}
	for c := range j.Components {
		for _, id := range j.Components[c].To {
			if to, ok := at[id]; ok && to != c {
				join(c, to)
				join(to, c)
			}
		}
	}
	return neighbours, count
}

// waiting lists the executors without a slot by component.
func (j *Job) waiting() [][]int {
	out := make([][]int, len(j.Components))
	for e, at := range j.at {
		if at < 0 {
			out[j.Of[e]] = append(out[j.Of[e]], e)
		}
	}
	return out
}

func (j *Job) unplacedAckers() (out []int) {
	for c, list := range j.waiting() {
		if j.Components[c].Acker {
			out = append(out, list...)
		}
	}
	return out
}

// largestFirst lists the executors without a slot by the largest part of the cluster that they ask for.
func (j *Job) largestFirst(b *Board) []int {
	total := b.sum(func(n *boardNode) []float64 { return n.total })
	size := make([]float64, len(j.Components))
	for c := range j.Components {
		for r, need := range j.needs[c] {
			if total[r] > 0 {
				size[c] = max(size[c], need/total[r])
			}
		}
	}
	var out []int
	for _, list := range j.waiting() {
		out = append(out, list...)
	}
	slices.SortStableFunc(out, func(x, y int) int { return cmp.Compare(size[j.Of[y]], size[j.Of[x]]) })
	return out
}

// sum adds up a vector of all nodes, as far as it is above 0.
func (b *Board) sum(of func(*boardNode) []float64) []float64 {
	out := make([]float64, generics+len(b.resources))
	for n := range b.nodes {
		for r, v := range of(&b.nodes[n]) {
			out[r] += max(v, 0)
		}
	}
	return out
}
