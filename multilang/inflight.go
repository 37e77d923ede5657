package multilang

import "github.com/gearstorm/gearstorm/gearcore"

// inflight are the tuples that a child has and has not settled. An id names a slot and a generation, so that an id of a
// settled tuple, or of one given to an earlier child, is known to be stale. It has no bound: a bolt may hold back as many
// tuples as the spouts' pending limit lets through.
type inflight struct {
	slots []inflightSlot
	free  []uint32
}

type inflightSlot struct {
	t   gearcore.Tuple
	gen uint32 // odd while the slot is in use
}

// add returns the id for t.
func (f *inflight) add(t gearcore.Tuple) uint64 {
	var at uint32
	if n := len(f.free); n > 0 {
		at = f.free[n-1]
		f.free = f.free[:n-1]
	} else {
		at = uint32(len(f.slots))
		f.slots = append(f.slots, inflightSlot{})
	}
	s := &f.slots[at]
	s.gen++
	s.t = t
	return uint64(s.gen)<<32 | uint64(at)
}

// get returns the tuple called id if it is not settled.
func (f *inflight) get(id uint64) (gearcore.Tuple, bool) {
	at, gen := id&0xffffffff, uint32(id>>32)
	if at >= uint64(len(f.slots)) || gen&1 == 0 || f.slots[at].gen != gen {
		return gearcore.Tuple{}, false
	}
	return f.slots[at].t, true
}

// take is get, and the tuple is settled from now on.
func (f *inflight) take(id uint64) (gearcore.Tuple, bool) {
	t, ok := f.get(id)
	if ok {
		f.release(uint32(id))
	}
	return t, ok
}

func (f *inflight) release(at uint32) {
	s := &f.slots[at]
	s.gen++
	s.t = gearcore.Tuple{}
	f.free = append(f.free, at)
}

// drain takes all tuples out.
func (f *inflight) drain(settle func(gearcore.Tuple)) {
	for at := range f.slots {
		if s := &f.slots[at]; s.gen&1 == 1 {
			t := s.t
			f.release(uint32(at))
			settle(t)
		}
	}
}

// len returns the number of tuples not settled.
func (f *inflight) len() int { return len(f.slots) - len(f.free) }

// Short ids name a slot and 7 bits of its generation in 31 bits, for framings whose clients settle each tuple once at most.
const shortSlots = 24

// shortID returns the short form of an id; there is none for slots beyond 16 million.
func shortID(id uint64) (uint32, bool) {
	at, gen := uint32(id), uint32(id>>32)
	return gen>>1&0x7f<<shortSlots | at, at < 1<<shortSlots
}

// long returns the id whose short form is short, if its tuple is not settled.
func (f *inflight) long(short uint64) (uint64, bool) {
	at := short & (1<<shortSlots - 1)
	if at >= uint64(len(f.slots)) {
		return 0, false
	}
	id := uint64(f.slots[at].gen)<<32 | at
	s, _ := shortID(id)
	return id, f.slots[at].gen&1 == 1 && uint64(s) == short
}
