package ackers

import "sync/atomic"

// Counts holds one reference count for each open root of one owner: a spout executor (Pending) or the receiving end of
// a link (Proxies).
//
// A root is a generation (high 32 bits, never 0) and the slot that holds its count (low 32 bits). The owner gives every
// root a later generation than the slot's last one, in turn. A slot's word is the generation that wrote to it last and
// the number of that root's references beyond the first. So a word of an earlier generation says that the root has one
// reference: a root that is opened with one, whose holders pass it on and give it back, is counted without a single
// write, and the words of such trees stay in the caches of all processors. A word of a later generation says that the
// root has ended. Slots live in chunks that never move and are never given back; a chunk is found without a lock.
//
// Add and Release may be called by anybody at any time. What they do to a root that has ended, but whose slot was not
// written to since, reaches nobody: the next root of the slot does not read it, and the owner knows which roots are
// open. Who calls Add for a root that may have ended (an emit anchored to a tuple that was acked before) must live with
// that; everybody else holds a reference meanwhile. Above 2^32 references the count of a root is undefined.
type Counts struct {
	dir   atomic.Pointer[[]*chunk] // replaced when a chunk is added
	slots uint32                   // made so far; the owner's
}

const chunkSlots = 512

type chunk [chunkSlots]atomic.Uint64

// refreshEvery is how many generations apart the owner writes a word itself. Generations are compared by their distance,
// so a word may not fall behind by 2^31.
const refreshEvery = 1 << 20

// Add adds n references to root.
func (c *Counts) Add(root uint64, n uint32) {
	w := c.word(root)
	if w == nil {
		return
	}
	for {
		v := w.Load()
		next := v + uint64(n)
		switch d := later(v, root); {
		case d > 0:
			return
		case d < 0:
			next = root>>32<<32 | uint64(n)
		}
		if w.CompareAndSwap(v, next) {
			return
		}
	}
}

// Release gives one reference to root back and says whether it was the last one. Then nothing was written: the root
// still counts one reference until its owner ends it. The last holder needs no atomic exchange to know that it is the
// last: as long as it holds its reference nobody else can come to hold one but by passing on another one.
func (c *Counts) Release(root uint64) (last bool) {
	w := c.word(root)
	if w == nil {
		return false
	}
	for {
		v := w.Load()
		switch d := later(v, root); {
		case d > 0:
			return false
		case d < 0 || uint32(v) == 0:
			return true
		case w.CompareAndSwap(v, v-1):
			return false
		}
	}
}

// ReleaseRun is Release for the n roots from root on, which are of one generation and in slots that follow each other. It
// ends early behind the first root that keeps a reference, and says how many roots before that lost their last one.
func (c *Counts) ReleaseRun(root uint64, n int) (last int) {
	for last < n {
		words := c.wordsFrom(root + uint64(last))
		words = words[:min(len(words), n-last)]
		for i := range words {
			if v := words[i].Load(); later(v, root) >= 0 && (later(v, root) > 0 || uint32(v) != 0) && !c.Release(root+uint64(last+i)) {
				return last + i
			}
		}
		if last += len(words); len(words) == 0 {
			break
		}
	}
	return last
}

// later returns how many generations the word v is ahead of root.
func later(v, root uint64) int32 { return int32(uint32(v>>32) - uint32(root>>32)) }

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

// wordsFrom returns the words from that of root's slot to the end of its chunk; none if there is no such slot.
func (c *Counts) wordsFrom(root uint64) []atomic.Uint64 {
	dir := c.dir.Load()
	if dir == nil {
		return nil
	}
	if i := uint(uint32(root)) / chunkSlots; i < uint(len(*dir)) {
		return (*dir)[i][root%chunkSlots:]
	}
	return nil
}

// grow makes chunkSlots more slots, of the words in ch, which are 0 and not used otherwise. Owner only.
func (c *Counts) grow(ch *chunk) (first uint32) {
	var dir []*chunk
	if old := c.dir.Load(); old != nil {
		dir = append(dir, *old...)
	}
	dir = append(dir, ch)
	c.dir.Store(&dir)
	first = c.slots
	c.slots += chunkSlots
	return first
}

// open returns the root of that generation in the slot that w is the word of, with refs references, at least one. Owner
// only.
func open(w *atomic.Uint64, slot, gen, refs uint32) (root uint64) {
	if refs > 1 || gen%refreshEvery == 0 {
		w.Store(uint64(gen)<<32 | uint64(refs-1))
	}
	return uint64(gen)<<32 | uint64(slot)
}

// following returns the generation after gen.
func following(gen uint32) uint32 {
	if gen++; gen == 0 {
		gen = 1
	}
	return gen
}
