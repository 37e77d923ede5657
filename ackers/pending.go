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

// Pending holds the tuples of one spout executor that are neither acked nor failed, by root. The zero Pending is
// empty. It is not safe for concurrent use.
type Pending struct {
	roots table[pending]
	gen   uint32
}

type pending struct {
	Entry
	gen uint32
}

// Add puts a tuple in flight. root is not 0 and not in flight already.
func (p *Pending) Add(root uint64, e Entry) {
	at, _ := p.roots.put(root)
	v := &p.roots.slots[at].val
	v.Entry, v.gen = e, p.gen
}

// Take removes root and returns what was known of it; ok is false for a root that is not in flight (late results).
func (p *Pending) Take(root uint64) (e Entry, ok bool) {
	at := p.roots.find(root)
	if at < 0 {
		return Entry{}, false
	}
	e = p.roots.slots[at].val.Entry
	p.roots.remove(at)
	return e, true
}

// Reset starts root's timeout again, if it is in flight.
func (p *Pending) Reset(root uint64) {
	if at := p.roots.find(root); at >= 0 {
		p.roots.slots[at].val.gen = p.gen
	}
}

// Rotate ages all tuples by one message timeout and appends those that timed out, now no longer in flight, to dst.
func (p *Pending) Rotate(dst []Entry) []Entry {
	p.gen++
	var dead []uint64
	for i := range p.roots.slots {
		if s := &p.roots.slots[i]; s.key != 0 && p.gen-s.val.gen >= pendingBuckets {
			dead = append(dead, s.key)
			dst = append(dst, s.val.Entry)
		}
	}
	for _, k := range dead {
		p.roots.remove(p.roots.find(k))
	}
	p.roots.shrink()
	return dst
}

// Len returns the number of tuples in flight.
func (p *Pending) Len() int { return p.roots.n }
