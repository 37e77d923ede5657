package ackers

import "sync/atomic"

// Counts holds one reference count for each open root of one owner: a spout executor (Pending) or the receiving end of
// a link (Proxies).
//
// A root is a generation (high 32 bits, never 0) and the slot that holds its count (low 32 bits). The slot's word is
// the same generation and the number of references beyond the first, so a root with one holder has a count of zero.
// Only the owner opens and closes slots; a closed slot has a generation that no root had yet. Slots live in chunks that
// never move and are never given back; a chunk is found without a lock.
//
// Add and Release may be called by anybody at any time. They ignore a root whose generation is not that of its slot: it
// has ended. Who calls Add for a root that may have ended (an emit anchored to a tuple that was acked before) must live
// with that; everybody else holds a reference meanwhile. Above 2^32 references the count of a root is undefined.
type Counts struct {
	dir   atomic.Pointer[[]*chunk] // replaced when a chunk is added
	slots uint32                   // made so far; the owner's
}

const chunkSlots = 512

type chunk [chunkSlots]atomic.Uint64

const one = uint64(1) << 32 // of a generation

// Add adds n references to root.
func (c *Counts) Add(root uint64, n uint32) {
	w := c.word(root)
	if w == nil {
		return
	}
	for {
		v := w.Load()
		if v>>32 != root>>32 || w.CompareAndSwap(v, v+uint64(n)) {
			return
		}
	}
}

// Release gives one reference to root back and says whether it was the last one. Then nothing was written: the root
// still counts one reference until its owner closes it. The last holder needs no atomic exchange to know that it is the
// last: as long as it holds its reference nobody else can come to hold one but by passing on another one.
func (c *Counts) Release(root uint64) (last bool) {
	w := c.word(root)
	if w == nil {
		return false
	}
	for {
		v := w.Load()
		switch {
		case v>>32 != root>>32:
			return false
		case uint32(v) == 0:
			return true
		case w.CompareAndSwap(v, v-1):
			return false
		}
	}
}

// word returns the word of root's slot, nil if there is no such slot.
func (c *Counts) word(root uint64) *atomic.Uint64 {
	dir := c.dir.Load()
	if dir == nil {
		return nil
	}
	i := uint(uint32(root)) / chunkSlots
	if i >= uint(len(*dir)) {
		return nil
	}
	return &(*dir)[i][root%chunkSlots]
}

// live reports whether root is open.
func (c *Counts) live(root uint64) bool {
	w := c.word(root)
	return w != nil && w.Load()>>32 == root>>32
}

// grow makes chunkSlots more slots, closed. Owner only.
func (c *Counts) grow() (first uint32) {
	var dir []*chunk
	if old := c.dir.Load(); old != nil {
		dir = append(dir, *old...)
	}
	ch := new(chunk)
	for i := range ch {
		ch[i].Store(one)
	}
	dir = append(dir, ch)
	c.dir.Store(&dir)
	first = c.slots
	c.slots += chunkSlots
	return first
}

// open opens the closed slot with refs references, at least one. Owner only.
func (c *Counts) open(slot, refs uint32) (root uint64) {
	w := c.word(uint64(slot))
	v := w.Load() // nobody writes to a closed slot
	if refs > 1 {
		w.Store(v | uint64(refs-1))
	}
	return v | uint64(slot)
}

// close ends the root of the slot, whatever its count. Owner only.
func (c *Counts) close(slot uint32) {
	w := c.word(uint64(slot))
	gen := w.Load()>>32 + 1
	w.Store(max(gen&(one-1), 1) << 32)
}
