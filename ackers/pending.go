package ackers

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Entry is what a spout executor remembers of a tuple in flight.
type Entry struct {
	ID     gearcore.Value // the spout's message id
	Task   gearcore.TaskID
	Stream gearcore.StreamID
	At     time.Duration // when it was emitted, by the executor's clock
}

// pendingBuckets is the number of message timeouts that a tuple survives (Storm: RotatingMap with 2).
const pendingBuckets = 2

// Pending holds the tuples of one spout executor that are neither acked nor failed, and their counts. The zero Pending
// is empty. Its methods are the executor's; those of Counts are everybody's.
//
// Slots are used in turn, so that the generation of a slot advances slowly and the roots of tuples that live at the
// same time lie side by side.
type Pending struct {
	Counts
	chunks []*pendingChunk
	n      int
	age    uint32 // counts the rotations
	vacant fifo   // closed slots
}

// pendingChunk is the slots of one chunk of counts.
type pendingChunk struct {
	words   chunk
	entries [chunkSlots]pending
}

type pending struct {
	Entry
	gen  uint32 // of the root that is open, or was last
	age  uint32 // when it was opened or reset
	open bool
}

// Open puts a tuple with refs receivers, at least one, in flight. The caller fills its entry, all of it, where it is: a large
// value that is put together elsewhere and copied costs more than everything else here.
func (p *Pending) Open(refs int) (root uint64, e *Entry) {
	if p.vacant.len() == 0 {
		p.extend()
	}
	slot := p.vacant.pop()
	c := p.chunks[slot/chunkSlots]
	s := &c.entries[slot%chunkSlots]
	p.n++
	s.gen, s.age, s.open = following(s.gen), p.age, true
	return open(&c.words[slot%chunkSlots], slot, s.gen, uint32(refs)), &s.Entry
}

// Take ends root and returns what was known of it, valid until the next Open; nil for a root that is not in flight (late
// results).
func (p *Pending) Take(root uint64) *Entry {
	s := p.find(root)
	if s == nil {
		return nil
	}
	return p.end(s, uint32(root))
}

// find returns what is known of root, nil if it is not in flight.
func (p *Pending) find(root uint64) *pending {
	if i := uint(uint32(root)) / chunkSlots; i < uint(len(p.chunks)) {
		if s := &p.chunks[i].entries[root%chunkSlots]; s.open && s.gen == uint32(root>>32) {
			return s
		}
	}
	return nil
}

// Reset starts root's timeout again, if it is in flight.
func (p *Pending) Reset(root uint64) {
	if s := p.find(root); s != nil {
		s.age = p.age
	}
}

// Rotate ages all tuples by one message timeout and appends those that timed out, now no longer in flight, to dst. It also
// drops what ended entries still hold on to.
func (p *Pending) Rotate(dst []Entry) []Entry {
	p.age++
	for slot := range p.slots {
		s := p.at(slot)
		if s.open && p.age-s.age >= pendingBuckets {
			dst = append(dst, *p.end(s, slot))
		}
		if !s.open {
			s.Entry = Entry{}
		}
	}
	return dst
}

// Len returns the number of tuples in flight.
func (p *Pending) Len() int { return p.n }

func (p *Pending) at(slot uint32) *pending {
	return &p.chunks[slot/chunkSlots].entries[slot%chunkSlots]
}

func (p *Pending) extend() {
	c := new(pendingChunk)
	first := p.grow(&c.words)
	p.chunks = append(p.chunks, c)
	for slot := first; slot < p.slots; slot++ {
		p.vacant.push(slot)
	}
}

// end ends the root in slot, which is s.
func (p *Pending) end(s *pending, slot uint32) *Entry {
	s.open = false
	p.n--
	p.vacant.push(slot)
	return &s.Entry
}
