package multilang

import (
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

var (
	_ gearcore.Clocked = (*Bolt)(nil)
	_ gearcore.Holder  = (*Bolt)(nil)
)

// Holding implements gearcore.Holder: the child has tuples or timers that it has not settled, or is to get timers that are due.
func (b *Bolt) Holding() bool {
	return b.waiting.len() > 0 || b.states != nil && b.states.timers.pending()
}

// Advance implements gearcore.Clocked: the child is told and gets the timers that are due, and the engine asks again when it has done them. It
// is for the same w as long as there are steps on the way to that.
func (b *Bolt) Advance(w gearcore.Watermark, c *gearcore.Collector) (gearcore.Watermark, error) {
	if b.states == nil || w == gearcore.Idle || w <= b.states.mark {
		return w, nil
	}
	for {
		b.states.setTime(b.states.step(w))
		b.tellTime()
		b.fire(c)
		if b.states.mark >= w || b.Holding() { // else what was due could not be given to the child
			return w, nil
		}
	}
}

// step is how far event time goes on at once on the way to w. A timer finds what has not expired by its moment, however far w is.
func (s *states) step(w gearcore.Watermark) gearcore.Watermark {
	ages := func(d stateDecl) bool { return d.ttl.EventTime }
	at, ok := s.timers.soonest()
	if !ok || s.mark == 0 || gearcore.Watermark(at) <= s.mark || !slices.ContainsFunc(s.decls, ages) {
		return w
	}
	return min(w, gearcore.Watermark(at))
}

// setTime makes w the event time.
func (s *states) setTime(w gearcore.Watermark) {
	s.mark = w
	s.store.SetEventTime(w)
	s.timers.tick(int64(w), false)
}

// tellTime tells the child the event time, if it has any use for it.
func (b *Bolt) tellTime() {
	if b.cur == nil || b.states.mark >= gearcore.Idle || !b.states.byEventTime() {
		return
	}
	if err := b.cur.out.addCommand("watermark", gearcore.Long(int64(b.states.mark))); err != nil {
		b.cur.fail(err)
	}
}

// byEventTime says whether any state goes by event time.
func (s *states) byEventTime() bool {
	for i := range s.decls {
		if s.decls[i].byEventTime() {
			return true
		}
	}
	return false
}

// fire gives the child timers that are due, as many as it may have, and sees to it that those by the clock will be.
func (b *Bolt) fire(c *gearcore.Collector) {
	if b.states == nil || b.cur == nil || len(b.states.timers.handles) == 0 {
		return
	}
	t := &b.states.timers
	for len(t.given) < timersAtOnce && !b.full {
		d, ok := t.take()
		if !ok {
			break
		}
		b.fireOne(d, c)
	}
	t.ring(time.Now().UnixMilli(), b.rung)
}

// rung is called by any goroutine when a timer by the clock is due.
func (b *Bolt) rung(at int64) {
	// An executor that has ended has nothing to do any more.
	_ = b.child.async.Do(64, func(c *gearcore.Collector) {
		t := &b.states.timers
		if t.ringsAt != at {
			return // it was set anew meanwhile
		}
		t.ringsAt = 0
		t.tick(time.Now().UnixMilli(), true)
		b.fire(c)
	})
}

// fireOne gives the child a timer.
func (b *Bolt) fireOne(d dueTimer, c *gearcore.Collector) {
	id := b.waiting.add(gearcore.Tuple{})
	slot := uint32(id)
	key := d.key.Values()
	ref, err := b.states.placeOf(key, slot)
	if err == nil {
		var full bool
		var sent uint64
		if full, sent, err = b.cur.out.addTimer(id, d, key, ref); err == nil {
			b.states.keys.told(ref)
			b.states.timers.give(slot, d)
			b.queued(c, full, sent)
			return
		}
		b.states.keys.forget(slot, !ref.content.IsNull())
	}
	b.waiting.release(slot)
	err = fmt.Errorf("timer %d of state %s: %w", d.at, b.states.decls[d.h.index].name, err)
	c.ReportError(err)
	c.Lost(err)
}

// timerSettled is called when the child has done with a timer. One that failed was told of by the child; where there are checkpoints the topology
// goes back, as with a tuple.
func (b *Bolt) timerSettled(d dueTimer, failed bool, c *gearcore.Collector) {
	if failed {
		c.Lost(fmt.Errorf("timer %d of state %s of %s failed", d.at, b.states.decls[d.h.index].name, b.child.ctx.Component))
	}
}
