package state

import "hash/maphash"

// index finds slots by key: open addressing with linear probing, in 64 parts by the upper bits of the hash, so that growing
// moves a 64th at a time. A cell has 32 bits of the hash beside the slot, so a part grows, and most other keys are passed over, without looking at keys.
// Beside a Go map it takes a third of the memory, one access less that misses the caches, and hashes can be computed elsewhere (tableLoader).
type index struct {
	seed  maphash.Seed
	parts [indexParts]part
}

const indexParts = 1 << 6

// part is a power of two of cells, at most 7/8 of them in use.
type part struct {
	cells []cell
	used  int
}

type cell struct {
	hash uint32
	slot uint32 // plus one; 0: the cell is free
}

func (x *index) part(h uint64) *part { return &x.parts[h>>58] }

// grow makes room for n more.
func (p *part) grow(n int) {
	need := 8
	for need*7/8 < p.used+n {
		need *= 2
	}
	if need <= len(p.cells) {
		return
	}
	old := p.cells
	p.cells = make([]cell, need)
	for _, c := range old {
		if c.slot != 0 {
			p.place(c)
		}
	}
}

// place puts c into the first free cell from its home on.
func (p *part) place(c cell) {
	mask := uint32(len(p.cells) - 1)
	i := c.hash & mask
	for p.cells[i].slot != 0 {
		i = (i + 1) & mask
	}
	p.cells[i] = c
}

// remove frees the cell of a slot, and moves up what follows it, so that no search ends too early.
func (p *part) remove(hash, slot uint32) {
	mask := uint32(len(p.cells) - 1)
	i := hash & mask
	for p.cells[i].slot != slot+1 {
		i = (i + 1) & mask
	}
	p.used--
	for j := i; ; {
		j = (j + 1) & mask
		c := p.cells[j]
		if c.slot == 0 {
			break
		}
		if (j-c.hash)&mask >= (j-i)&mask { // its home is not behind the hole
			p.cells[i] = c
			i = j
		}
	}
	p.cells[i] = cell{}
}

// hash is the hash of a key in this table, in this process.
func (t *table[K, V]) hash(k K) uint64 { return maphash.Comparable(t.index.seed, k) }

// locate returns the slot of k.
func (t *table[K, V]) locate(k K, h uint64) (uint32, bool) {
	p := t.index.part(h)
	if len(p.cells) == 0 {
		return 0, false
	}
	mask := uint32(len(p.cells) - 1)
	for i := uint32(h) & mask; ; i = (i + 1) & mask {
		c := p.cells[i]
		if c.slot == 0 {
			return 0, false
		}
		if c.hash == uint32(h) && t.at(c.slot-1).key == k {
			return c.slot - 1, true
		}
	}
}

// insert makes slot i that of a key which has none.
func (t *table[K, V]) insert(h uint64, i uint32) {
	p := t.index.part(h)
	if p.used+1 > len(p.cells)*7/8 {
		p.grow(1)
	}
	p.used++
	p.place(cell{uint32(h), i + 1})
}
