package ackers

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Entry is what a spout executor remembers of a tuple in flight.
type Entry struct {
	ID gearcore.Value // the spout's message id
	Origin
}

// Origin is where and when a tuple was emitted. It and the id are passed on each by itself: a value as large as an Entry
// is copied through memory, which costs more than everything else here.
type Origin struct {
	At     time.Duration // by the executor's clock
	Task   gearcore.TaskID
	Stream gearcore.StreamID
}

// pendingBuckets is the number of message timeouts that a tuple survives (Storm: RotatingMap with 2).
const pendingBuckets = 2

// Pending holds the tuples of one spout executor that are neither acked nor failed, and their counts. The zero Pending
// is empty. Its methods are the executor's; those of Counts are everybody's.
//
// Slots are used in turn, so that the generation of a slot advances slowly and the roots of tuples that live at the
// same time lie side by side. Mostly they end in the order in which they began. So what is vacant is a few spans, and a
// Collector may open the roots of the next one by itself: Next, which Offer prepares.
type Pending struct {
	Counts
	Next   gearcore.Openings
	chunks []*pendingChunk
	n      int    // without those of Next
	age    uint32 // counts the rotations
	vacant fifo[span]
}

// pendingChunk is the slots of one chunk of counts. Message ids are apart, for Next.
type pendingChunk struct {
	words   chunk
	ids     [chunkSlots]gearcore.Value
	entries [chunkSlots]pending
}

// pending is an Entry but for the id.
type pending struct {
	Origin
	gen  uint32 // of the root that is open, or was last
	age  uint32 // when it was opened or reset
	open bool
}

// span is n closed slots of one chunk that follow each other and are of the same generation.
type span struct{ first, n uint32 }

// Open puts a tuple with refs receivers, at least one, in flight. It withdraws what was offered.
func (p *Pending) Open(id gearcore.Value, from Origin, refs int) (root uint64) {
	p.enter()
	p.Next.IDs = nil
	if p.vacant.len() == 0 {
		p.extend()
	}
	slot := p.vacant.peek().first
	p.occupy(1)
	c, i := p.chunks[slot/chunkSlots], slot%chunkSlots
	s := &c.entries[i]
	c.ids[i] = id
	s.Origin, s.gen, s.age, s.open = from, following(s.gen), p.age, true
	return open(&c.words[i], slot, s.gen, uint32(refs))
}

// Offer makes Next the roots that would be opened next, for tuples of that origin with one receiver each.
func (p *Pending) Offer(from Origin) {
	p.enter()
	o := &p.Next
	o.IDs = nil
	if p.vacant.len() == 0 {
		return
	}
	next := p.vacant.peek()
	c, i := p.chunks[next.first/chunkSlots], next.first%chunkSlots
	gen := following(c.entries[i].gen)
	if gen%refreshEvery == 0 {
		return // their words are to be written
	}
	o.IDs, o.Root = c.ids[i:i+next.n], uint64(gen)<<32|uint64(next.first)
	o.Source, o.Stream, o.At = from.Task, from.Stream, from.At
}

// enter notes what was opened of Next.
func (p *Pending) enter() {
	o := &p.Next
	if o.N == 0 {
		return
	}
	c, from := p.chunks[uint32(o.Root)/chunkSlots], uint32(o.Root)%chunkSlots
	entries := c.entries[from : int(from)+o.N]
	for i := range entries {
		s := &entries[i]
		s.At, s.Task, s.Stream, s.gen, s.age, s.open = o.At, o.Source, o.Stream, uint32(o.Root>>32), p.age, true
	}
	p.occupy(o.N)
	o.IDs, o.Root, o.N = o.IDs[o.N:], o.Root+uint64(o.N), 0
}

// occupy takes n slots from the span that comes next.
func (p *Pending) occupy(n int) {
	p.n += n
	next := p.vacant.peek()
	next.first += uint32(n)
	if next.n -= uint32(n); next.n == 0 {
		p.vacant.pop()
	}
}

// Take ends root and returns what was known of it, valid until the next is opened or offered; nil for a root that is not in
// flight (late results).
func (p *Pending) Take(root uint64) (id *gearcore.Value, from *Origin) {
	c, i := p.find(root)
	if c == nil {
		return nil, nil
	}
	p.end(c, i, uint32(root))
	return &c.ids[i], &c.entries[i].Origin
}

// find returns the place of root, nil if it is not in flight.
func (p *Pending) find(root uint64) (*pendingChunk, uint32) {
	if p.Next.N > 0 {
		p.enter()
	}
	if at := uint(uint32(root)) / chunkSlots; at < uint(len(p.chunks)) {
		c, i := p.chunks[at], uint32(root)%chunkSlots
		if s := &c.entries[i]; s.open && s.gen == uint32(root>>32) {
			return c, i
		}
	}
	return nil, 0
}

// Reset starts root's timeout again, if it is in flight.
func (p *Pending) Reset(root uint64) {
	if c, i := p.find(root); c != nil {
		c.entries[i].age = p.age
	}
}

// Rotate ages all tuples by one message timeout and appends those that timed out, now no longer in flight, to dst. It also
// drops what ended entries still hold on to.
func (p *Pending) Rotate(dst []Entry) []Entry {
	p.enter()
	p.age++
	for slot := range p.slots {
		c, i := p.chunks[slot/chunkSlots], slot%chunkSlots
		s := &c.entries[i]
		if s.open && p.age-s.age >= pendingBuckets {
			p.end(c, i, slot)
			dst = append(dst, Entry{c.ids[i], s.Origin})
		}
		if !s.open {
			c.ids[i] = gearcore.Value{}
		}
	}
	return dst
}

// Len returns the number of tuples in flight.
func (p *Pending) Len() int { return p.n + p.Next.N }

func (p *Pending) extend() {
	c := new(pendingChunk)
	p.chunks = append(p.chunks, c)
	p.vacant.push(span{p.grow(&c.words), chunkSlots})
}

// end ends the root in slot, which is place i of c.
func (p *Pending) end(c *pendingChunk, i, slot uint32) {
	c.entries[i].open = false
	p.n--
	p.vacate(c, i, slot)
}

// vacate adds slot, which is place i of c, to those that are used again.
func (p *Pending) vacate(c *pendingChunk, i, slot uint32) {
	if p.vacant.len() > 0 && i > 0 && c.entries[i-1].gen == c.entries[i].gen {
		if last := p.vacant.last(); last.first+last.n == slot {
			last.n++
			return
		}
	}
	p.vacant.push(span{slot, 1})
}
