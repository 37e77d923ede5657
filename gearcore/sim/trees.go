package sim

import (
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// trees follows trees over one link, as the transport of workers does, with the same books: what the sender is due, the
// receiver's proxies, and numbered results on their way back, which breaks lose and which are then told again.
type trees struct {
	l       *link
	seq     uint64 // of data
	due     ackers.Outstanding
	taken   uint64 // number of the last results that the sender took
	proxies *ackers.Proxies
	book    uint64
	tellAt  time.Duration // 0: nothing to tell
	back    []results     // under way
}

type results struct {
	at     time.Duration
	number uint64
	list   []ackers.Result
}

// send notes the tracked rows of b and gives those of its copy c roots to be filled in by the receiver.
func (t *trees) send(b, c *gearcore.Batch) {
	t.seq++
	c.Seq = t.seq
	t.due.Sent(t.seq, b, 0, len(b.Rows), nil)
	for i := range c.Rows {
		if r := &c.Rows[i]; r.RootLen == 0 {
			r.RootOff = 0
		} else {
			r.RootOff, r.RootLen = uint32(len(c.Roots)), 1
			c.Roots = append(c.Roots, gearcore.RootEdge{})
		}
	}
}

// fail fails the trees of a batch that is not sent.
func (t *trees) fail(roots []gearcore.RootEdge) {
	var acks []gearcore.Ack
	for _, r := range roots {
		acks = append(acks, gearcore.Ack{Root: r.Root, Val: r.Edge, Op: gearcore.AckFail})
	}
	t.l.w.nodes[t.l.from].driver.Settle(acks)
}

// receive gives the tracked rows of b their roots.
func (t *trees) receive(b *gearcore.Batch) {
	if len(b.Roots) == 0 {
		return
	}
	if t.proxies == nil {
		p := &ackers.Proxies{}
		t.proxies = p
		t.book = t.l.w.nodes[t.l.to].driver.OpenBook(&p.Counts, func(acks []gearcore.Ack) {
			for _, a := range acks {
				p.Settle(a.Root, a.Op)
			}
			if t.proxies == p {
				t.tell()
			}
		})
	}
	t.proxies.Open(b.Seq, t.book, b.Roots)
}

func (t *trees) tell() {
	if t.tellAt == 0 && t.proxies.Fresh() {
		t.tellAt = t.l.w.now + t.l.w.delay()
	}
}

// next returns when there is something to do.
func (t *trees) next() (at time.Duration, ok bool) {
	at, ok = t.tellAt, t.tellAt > 0
	if len(t.back) > 0 && (!ok || t.back[0].at < at) {
		return t.back[0].at, true
	}
	return at, ok
}

// act does one thing that is due: results set out, arrive, or are lost in a break.
func (t *trees) act() {
	w := t.l.w
	switch {
	case w.cfg.Breaks > 0 && w.rnd.IntN(w.cfg.Breaks) == 0:
		t.back = nil
		if t.proxies != nil {
			t.proxies.Resume(t.taken)
		}
	case len(t.back) > 0 && t.back[0].at <= w.now:
		m := t.back[0]
		t.back = t.back[1:]
		if m.number != t.taken+1 {
			panic("results are out of order")
		}
		t.taken = m.number
		var acks []gearcore.Ack
		for _, r := range m.list {
			acks = t.due.Settle(r, acks)
		}
		w.nodes[t.l.from].driver.Settle(acks)
		if w.rnd.IntN(3) == 0 {
			t.proxies.Confirm(t.taken)
		}
	default:
		number, list := t.proxies.Next(nil, 1<<w.rnd.IntN(9)) // few, or all there is
		if number > 0 {
			at := w.now + w.delay()
			if n := len(t.back); n > 0 {
				at = max(at, t.back[n-1].at)
			}
			t.back = append(t.back, results{at, number, list})
		}
	}
	t.tellAt = 0
	if t.proxies != nil {
		t.tell()
	}
}

// cut ends the session because one end is gone: what the sender is due fails.
func (t *trees) cut() {
	if d := t.l.w.nodes[t.l.to].driver; d != nil && t.proxies != nil {
		t.proxies.Clear()
		d.CloseBook(t.book)
	}
	acks := t.due.Fail(nil)
	*t = trees{l: t.l}
	if d := t.l.w.nodes[t.l.from].driver; d != nil {
		d.Settle(acks)
	}
}

// rotate ages what both ends remember.
func (t *trees) rotate() {
	t.due.Rotate()
	if t.proxies != nil {
		t.proxies.Rotate()
	}
}
