package schedule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// defaultStates bounds a topology's search where nobody says anything (topology.ras.constraint.max.state.search).
const defaultStates = 10_000

// ConstraintSolver is Storm's ConstraintSolverStrategy: a search that goes back on choices. It keeps MaxPerNode and Apart of
// components. The bound is on choices it went back on, so a topology that needs no search may have any size.
func ConstraintSolver(b *Board, j *Job) (int, error) {
	s := solver{b: b, j: j, order: newOrder(b, j, ranking{}), bound: cmp.Or(j.MaxStates, defaultStates)}
	s.bound = min(s.bound, cmp.Or(b.policy.MaxStates, 100_000))
	s.list = s.hardestFirst()
	if s.place(0) {
		return s.states, nil
	}
	if s.back > s.bound {
		return s.states, fmt.Errorf("the search for a placement that keeps the constraints was ended after %d states, topology.ras.constraint.max.state.search", s.states)
	}
	return s.states, errors.New("no placement keeps the constraints of the topology")
}

type solver struct {
	b            *Board
	j            *Job
	order        *order
	list         []int
	states, back int
	bound        int
}

// hardestFirst lists the executors without a slot, those of components with most constraints first, then by size.
func (s *solver) hardestFirst() []int {
	weight := func(e int) (w int) {
		c := s.j.Of[e]
		if s.j.apart != nil {
			for _, apart := range s.j.apart[c] {
				if apart {
					w++
				}
			}
		}
		if s.j.Components[c].MaxPerNode > 0 {
			w++
		}
		return w
	}
	list := s.j.largestFirst(s.b)
	slices.SortStableFunc(list, func(x, y int) int { return cmp.Compare(weight(y), weight(x)) })
	return list
}

// place finds slots for the executors from the ith on. The first choice is looked up; all of them are listed only if it
// turns out wrong.
func (s *solver) place(i int) bool {
	if i == len(s.list) {
		return true
	}
	e := s.list[i]
	first := s.first(s.j.Of[e])
	if first < 0 {
		return false
	}
	if s.try(i, e, first) {
		return true
	}
	for _, slot := range s.choices(s.j.Of[e]) {
		if s.back > s.bound {
			return false
		}
		if slot != first && s.try(i, e, slot) {
			return true
		}
	}
	return false
}

func (s *solver) try(i, e, slot int) bool {
	s.states++
	s.order.put(e, slot)
	if s.place(i + 1) {
		return true
	}
	s.order.drop(e)
	s.back++
	return false
}

// first returns the first of choices, or -1.
func (s *solver) first(c int) int {
	last := -1
	for n := range s.order.all() {
		for _, slot := range s.on(n, c) {
			if !s.b.doubtful(slot) {
				return slot
			}
			if last < 0 {
				last = slot
			}
		}
	}
	return last
}

// choices lists the slots in which an executor of component c may be, suspect ones last.
func (s *solver) choices(c int) (out []int) {
	var doubtful []int
	for n := range s.order.all() {
		for _, slot := range s.on(n, c) {
			if s.b.doubtful(slot) {
				doubtful = append(doubtful, slot)
			} else {
				out = append(out, slot)
			}
		}
	}
	return append(out, doubtful...)
}

// on lists the slots of a node in which an executor of c may be: the topology's workers there, and one free slot, as they are
// all alike.
func (s *solver) on(n, c int) (out []int) {
	b, j := s.b, s.j
	limit, here, free := j.Components[c].MaxPerNode, 0, -1
	for _, at := range b.nodes[n].slots {
		slot := &b.slots[at]
		switch {
		case slot.job == j.index:
			for _, e := range slot.execs {
				if j.Of[e] == c {
					here++
				}
			}
			if slot.offered && b.fits(j, c, at) && !s.forbidden(c, slot.execs) {
				out = append(out, at)
			}
		case slot.job < 0 && slot.offered && (free < 0 || slot.suspect < b.slots[free].suspect):
			free = at
		}
	}
	if b.nodes[n].closed || (limit > 0 && here >= limit) {
		return nil
	}
	if free >= 0 && b.fits(j, c, free) {
		out = append(out, free)
	}
	return out
}

// forbidden tells whether c may not share a worker with these executors.
func (s *solver) forbidden(c int, execs []int) bool {
	return s.j.apart != nil && slices.ContainsFunc(execs, func(e int) bool { return s.j.apart[c][s.j.Of[e]] })
}
