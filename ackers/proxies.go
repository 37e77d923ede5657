package ackers

import (
	"math/bits"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Result says what became of some rows of a frame: bit i of each mask is the tracked row 64*At+i of it. A result may
// repeat what an earlier one said.
type Result struct {
	Frame               uint64
	At                  uint32
	Done, Failed, Reset uint64
}

// proxyBuckets is the number of message timeouts that a proxy survives: longer than any spout waits (pendingBuckets) and
// as long as Storm's ackers remember (RotatingMap with 3).
const proxyBuckets = 3

// PageRows is the number of rows that one Result is about.
const PageRows = 64

// Proxies stands in for the trees of tuples that came from another worker: the receiving end of a link opens a root for
// every tracked row of a frame, and tells the sender how it ended.
//
// Results are told in numbered messages (Next) and kept until the sender has confirmed them, so that they can be told
// again after a break (Resume). The rows of a frame are kept in pages of 64, one Result each. Results for rows that
// have ended are ignored.
//
// The zero Proxies is empty. Its methods need a lock of the caller's; those of Counts do not.
type Proxies struct {
	Counts
	pages     []page // by slot / PageRows
	vacant    fifo[uint32]
	fresh     fifo[uint32] // with something to tell
	told      fifo[uint32] // wholly settled and told, but not confirmed; by number
	number    uint64
	confirmed uint64
	age       uint32
	rows      int
}

type page struct {
	frame              uint64
	at                 uint32
	age                uint32
	number             uint64 // of the message that told of it last
	open, done, failed uint64
	reset, resetTold   uint64
	gen                uint32 // of all its roots
	used, fresh        bool
}

// Open opens a root for each of the rows tracked rows of a frame and writes them to roots, which has that length.
func (p *Proxies) Open(frame, book uint64, roots []gearcore.RootEdge) {
	for at := uint32(0); len(roots) > 0; at++ {
		n := min(len(roots), PageRows)
		i := p.vacancy()
		gen := following(p.pages[i].gen)
		p.pages[i] = page{frame: frame, at: at, age: p.age, open: 1<<n - 1, gen: gen, used: true} // 1<<64 is 0
		p.rows += n
		if gen%refreshEvery == 0 {
			p.refresh(i, gen)
		}
		for j := range roots[:n] {
			roots[j] = gearcore.RootEdge{Root: uint64(gen)<<32 | uint64(i*PageRows+uint32(j)), Edge: book}
		}
		roots = roots[n:]
	}
}

// refresh writes the words of all slots of page i: also of those for which its frame has no row, since their next row may
// come only 2^31 generations later.
func (p *Proxies) refresh(i, gen uint32) {
	for slot := i * PageRows; slot < (i+1)*PageRows; slot++ {
		open(p.word(uint64(slot)), slot, gen, 1)
	}
}

func (p *Proxies) vacancy() uint32 {
	if p.vacant.len() == 0 {
		for at := p.grow(new(chunk)); at < p.slots; at += PageRows {
			p.pages = append(p.pages, page{})
			p.vacant.push(at / PageRows)
		}
	}
	return p.vacant.pop()
}

// Settle takes a result of a root: AckDone, AckFail or AckReset.
func (p *Proxies) Settle(root uint64, op gearcore.AckOp) {
	i := uint32(root) / PageRows
	if uint(i) >= uint(len(p.pages)) {
		return
	}
	g, bit := &p.pages[i], uint64(1)<<(root%PageRows)
	if g.gen != uint32(root>>32) || g.open&bit == 0 {
		return
	}
	switch op {
	case gearcore.AckDone:
		g.done |= bit
	case gearcore.AckFail:
		g.failed |= bit
	case gearcore.AckReset:
		g.reset |= bit
		g.age = p.age
	default:
		return
	}
	if op != gearcore.AckReset {
		g.open &^= bit
		p.rows--
	}
	p.tell(i)
}

func (p *Proxies) tell(i uint32) {
	if g := &p.pages[i]; !g.fresh {
		g.fresh = true
		p.fresh.push(i)
	}
}

// vacate makes page i free for another frame.
func (p *Proxies) vacate(i uint32) {
	p.pages[i] = page{gen: p.pages[i].gen}
	p.vacant.push(i)
}

// Fresh reports whether there is something to tell.
func (p *Proxies) Fresh() bool { return p.fresh.len() > 0 }

// Next appends at most limit results to dst. They are the message of that number; numbers count from 1. Without
// anything to tell there is no message, and number is 0.
func (p *Proxies) Next(dst []Result, limit int) (number uint64, results []Result) {
	if p.fresh.len() == 0 {
		return 0, dst
	}
	p.number++
	for ; limit > 0 && p.fresh.len() > 0; limit-- {
		i := p.fresh.pop()
		g := &p.pages[i]
		dst = append(dst, Result{Frame: g.frame, At: g.at, Done: g.done, Failed: g.failed, Reset: g.reset})
		if g.number <= p.confirmed {
			g.resetTold = 0
		}
		g.resetTold |= g.reset
		g.fresh, g.reset, g.number = false, 0, p.number
		if g.open == 0 {
			p.told.push(i)
		}
	}
	return p.number, dst
}

// Confirm notes that the sender has all messages up to number.
func (p *Proxies) Confirm(number uint64) {
	p.confirmed = max(p.confirmed, min(number, p.number))
	for p.told.len() > 0 && p.pages[*p.told.peek()].number <= p.confirmed {
		p.vacate(p.told.pop())
	}
}

// Resume follows a break: the sender has all messages up to number. What came after will be told again, and numbers go
// on from there.
func (p *Proxies) Resume(number uint64) {
	p.Confirm(number)
	p.number = p.confirmed
	p.told.clear()
	for i := range p.pages {
		if g := &p.pages[i]; g.used && g.number > p.confirmed {
			g.reset, g.resetTold, g.number = g.reset|g.resetTold, 0, 0
			p.tell(uint32(i))
		}
	}
}

// Rotate ages all rows by one message timeout and forgets those of three, told or not: their spouts have given them up.
func (p *Proxies) Rotate() {
	p.age++
	p.drop(func(g *page) bool { return p.age-g.age >= proxyBuckets })
}

// Clear forgets all rows: nobody is left to be told.
func (p *Proxies) Clear() { p.drop(func(*page) bool { return true }) }

func (p *Proxies) drop(old func(*page) bool) {
	keep := func(i uint32) bool { return p.pages[i].used }
	n := 0
	for i := range p.pages {
		g := &p.pages[i]
		if !g.used || !old(g) {
			continue
		}
		p.rows -= bits.OnesCount64(g.open)
		p.vacate(uint32(i))
		n++
	}
	if n > 0 {
		p.fresh.filter(keep)
		p.told.filter(keep)
	}
}

// Len returns the number of rows that have not ended.
func (p *Proxies) Len() int { return p.rows }
