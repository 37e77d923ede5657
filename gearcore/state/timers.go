package state

// Timers is a handle of moments that are due for keys: by event time or by the clock, as its user decides. A key may have
// many; the same moment twice is once. Timers stay in memory always, about 100 bytes each.
type Timers[K comparable] struct {
	t    *table[Pair[K, int64], struct{}]
	heap []alarm // the earliest first; some are gone
}

type alarm struct {
	at   int64
	slot uint32
}

// NewTimers registers the handle name with s.
func NewTimers[K comparable](s *Store, name string, keys KeyCodec[K]) *Timers[K] {
	q := &Timers[K]{}
	q.t = newTable(s, "timers", name, Pairs(keys, Codec[int64](Ints[int64]())), Nothing(), nil)
	q.t.pinned = true
	q.t.linked = q.push
	q.t.cleared = func() { q.heap = nil }
	s.handles = append(s.handles, handle{name, "timers", q.get})
	return q
}

// Set makes k due at that moment.
func (q *Timers[K]) Set(k K, at int64) {
	if e, _ := q.t.find(Pair[K, int64]{k, at}); e == nil {
		q.t.ensure(Pair[K, int64]{k, at})
	}
}

// Delete takes a moment of k back and reports whether it was set.
func (q *Timers[K]) Delete(k K, at int64) bool { return q.t.delete(Pair[K, int64]{k, at}) }

// Next returns the earliest moment.
func (q *Timers[K]) Next() (at int64, ok bool) {
	for len(q.heap) > 0 {
		if q.holds(q.heap[0]) {
			return q.heap[0].at, true
		}
		q.pop()
	}
	return 0, false
}

// Due takes every moment up to and with upTo out and calls f with it, in order of time; the order within a moment is not
// fixed. f may set and delete timers; what it sets and is due already comes in the same call. An error of f ends it.
func (q *Timers[K]) Due(upTo int64, f func(k K, at int64) error) error {
	for {
		k, at, ok := q.Take(upTo)
		if !ok {
			return nil
		}
		if err := f(k, at); err != nil {
			return err
		}
	}
}

// Take takes the earliest moment out, with its key, unless it is after upTo or there is none.
func (q *Timers[K]) Take(upTo int64) (k K, at int64, ok bool) {
	for len(q.heap) > 0 && q.heap[0].at <= upTo {
		a := q.pop()
		if !q.holds(a) {
			continue
		}
		e := q.t.at(a.slot)
		k = e.key.Key
		q.t.remove(e, a.slot)
		return k, a.at, true
	}
	return k, 0, false
}

// Len is how many timers there are.
func (q *Timers[K]) Len() int { return q.t.count }

// holds reports whether a is still set. Its slot may have been used again, for the same moment even: then one of the two is
// found gone.
func (q *Timers[K]) holds(a alarm) bool {
	if a.slot >= q.t.end {
		return false
	}
	e := q.t.at(a.slot)
	return e.flags&(live|gone) == live && e.key.Sub == a.at
}

// push is told of each new timer.
func (q *Timers[K]) push(i uint32) {
	if len(q.heap) > 64 && len(q.heap) > 2*q.t.count {
		q.rebuild()
		return // the new one is counted and found there
	}
	q.heap = append(q.heap, alarm{q.t.at(i).key.Sub, i})
	q.up(len(q.heap) - 1)
}

// rebuild drops what is gone.
func (q *Timers[K]) rebuild() {
	q.heap = q.heap[:0]
	for i := range q.t.end {
		if e := q.t.at(i); e.flags&(live|gone) == live {
			q.heap = append(q.heap, alarm{e.key.Sub, i})
		}
	}
	for i := (len(q.heap) - 2) / 4; i >= 0; i-- {
		q.down(i)
	}
}

func (q *Timers[K]) pop() alarm {
	a := q.heap[0]
	last := len(q.heap) - 1
	q.heap[0] = q.heap[last]
	q.heap = q.heap[:last]
	q.down(0)
	return a
}

// The heap has four children a node: fewer levels, and the four lie together.

func (q *Timers[K]) up(i int) {
	for i > 0 {
		p := (i - 1) / 4
		if q.heap[p].at <= q.heap[i].at {
			return
		}
		q.heap[p], q.heap[i] = q.heap[i], q.heap[p]
		i = p
	}
}

func (q *Timers[K]) down(i int) {
	for {
		least := i
		for c := 4*i + 1; c <= 4*i+4 && c < len(q.heap); c++ {
			if q.heap[c].at < q.heap[least].at {
				least = c
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}
