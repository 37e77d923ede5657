package state

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

// settleAlone is up to how many slots one goroutine puts into the index.
const settleAlone = 1 << 14

// settle takes up what loaders have brought, when all of it is there: of each key the newest entry. The slots of others, and of deleted
// ones, become free. The index is made part by part, each of which fits the caches, and of several by several goroutines.
func (t *table[K, V]) settle() {
	a := &t.arrivals
	t.compact()
	workers := 1
	if t.end > settleAlone {
		workers = min(runtime.GOMAXPROCS(0), indexParts)
	}
	over := make([][]uint32, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() { over[w] = t.indexArrived(w*indexParts/workers, (w+1)*indexParts/workers) })
	}
	all.Wait()
	for _, r := range a.all {
		t.count += r.n
	}
	for _, slots := range over {
		t.count -= len(slots)
		t.free = append(t.free, slots...)
	}
	for _, i := range a.gone {
		if i >= t.end || t.at(i).flags&gone == 0 { // it was moved, or a newer one has come
			continue
		}
		t.vacate(t.at(i), i)
		t.count--
	}
	a.all, a.part, a.gone = nil, nil, nil
	if t.linked == nil {
		return
	}
	for i := range t.end {
		if t.at(i).flags&live != 0 {
			t.linked(i)
		}
	}
}

// compact moves the last entries into the room that is left in slabs before, so that no slot is free but behind them.
func (t *table[K, V]) compact() {
	a := &t.arrivals
	slices.SortFunc(a.part, func(r, o *arrived[K, V]) int { return cmp.Compare(r.first, o.first) })
	for _, to := range a.part {
		for to.n < slabSize {
			from := a.all[len(a.all)-1]
			if from.first <= to.first {
				break
			}
			from.n--
			e := &from.entries[from.n]
			to.entries[to.n], to.hashes[to.n] = *e, from.hashes[from.n]
			if e.flags&gone != 0 {
				a.gone = append(a.gone, to.first+uint32(to.n))
			}
			*e = entry[K, V]{}
			to.n++
			if from.n == 0 {
				a.all, t.slabs = a.all[:len(a.all)-1], t.slabs[:len(t.slabs)-1]
			}
		}
	}
	if n := len(a.all); n > 0 {
		t.end = a.all[n-1].first + uint32(a.all[n-1].n)
	}
}

// indexArrived makes the parts of the index from first on that are before end. It returns the slots that it has cleared, since their keys have
// newer entries.
func (t *table[K, V]) indexArrived(first, end int) (over []uint32) {
	var sizes [indexParts]int
	for _, r := range t.arrivals.all {
		for _, h := range r.hashes[:r.n] {
			sizes[h>>58]++
		}
	}
	var cells [indexParts][]cell
	for p := first; p < end; p++ {
		cells[p] = make([]cell, 0, sizes[p])
	}
	for _, r := range t.arrivals.all {
		for n, h := range r.hashes[:r.n] {
			if p := int(h >> 58); p >= first && p < end {
				cells[p] = append(cells[p], cell{uint32(h), r.first + uint32(n) + 1})
			}
		}
	}
	for p := first; p < end; p++ {
		for _, c := range cells[p] {
			if i, two := t.adopt(&t.index.parts[p], c); two {
				*t.at(i) = entry[K, V]{}
				over = append(over, i)
			}
		}
		cells[p] = nil
	}
	return over
}

// adopt puts c into p. If its key is there already, the newer of both stays, and the slot of the other is returned.
func (t *table[K, V]) adopt(p *part, c cell) (over uint32, two bool) {
	if p.used+1 > len(p.cells)*7/8 {
		p.grow(1)
	}
	mask := uint32(len(p.cells) - 1)
	i := c.hash & mask
	for ; p.cells[i].slot != 0; i = (i + 1) & mask {
		o := p.cells[i]
		if o.hash != c.hash {
			continue
		}
		was, is := t.at(o.slot-1), t.at(c.slot-1)
		if was.key != is.key {
			continue
		}
		if was.seq >= is.seq {
			return c.slot - 1, true
		}
		p.cells[i] = c
		return o.slot - 1, true
	}
	p.cells[i] = c
	p.used++
	return 0, false
}
