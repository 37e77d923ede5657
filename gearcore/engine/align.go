package engine

import (
	"fmt"
	"math"

	"github.com/gearstorm/gearstorm/gearcore"
)

// How a task takes part in checkpoint k. A source (and a task that nobody sends anything to) does so at the start of a run, when
// the order says so. Any other task waits until marker k has come from all its senders; what those send whose marker it has
// is set aside. Then its state is fixed, marker k goes to all receivers, behind all that was emitted before, and what was set
// aside comes in its order.
//
// What is set aside holds back its sender, but it may not hold back anybody whose marker is awaited. So batches of other workers do not
// count in the inbox as long as they are set aside: the credit of their link bounds them, and is theirs alone. Senders of this
// worker share inboxes and links with one another: none of them sends anything behind its marker before all have sent theirs
// (gate.go).

// admit decides about a batch that was taken from the inbox: whether it is executed now.
func (c *timed) admit(b *gearcore.Batch) bool {
	if b.From == gearcore.SystemTask {
		c.from = nil
		return true
	}
	switch {
	case c.ended:
		c.discard(b)
		return false
	case b.Generation < c.generation:
		c.discard(b)
		return false
	case b.Generation > c.generation:
		c.ahead.push(b)
		return false
	}
	if c.drain.closed {
		c.setAside(b)
		return false
	}
	ch := c.channelFrom(b.From)
	if ch == nil || c.generation == 0 {
		if ch == nil && c.tooSoon(b.From) {
			c.setAside(b)
			return false
		}
		c.from = ch
		return true
	}
	if c.aligning != 0 && ch.marker == c.aligning {
		c.setAside(b)
		return false
	}
	if ch.torn || b.Behind != ch.rows {
		if !ch.torn {
			ch.torn = true
			c.broken(fmt.Errorf("of what task %d sent, %d rows have come before a batch that had %d before it", ch.from, ch.rows, b.Behind))
		}
		c.discard(b)
		return false
	}
	ch.rows += uint64(len(b.Rows))
	c.from = ch
	return true
}

// passed follows the last row of the batch that was admitted last.
func (c *timed) passed(b *gearcore.Batch) {
	ch := c.from
	if ch == nil {
		return
	}
	if b.Watermark != 0 {
		c.raise(ch, b.Watermark)
	}
	if b.Marker > ch.marker {
		c.marked(ch, b.Marker)
	}
}

// discard drops a batch of the inbox that is not executed.
func (c *timed) discard(b *gearcore.Batch) {
	c.x.tellOwners(b.Roots, gearcore.AckFail)
	c.x.consumed(b)
}

// setAside keeps b for after the alignment.
func (c *timed) setAside(b *gearcore.Batch) {
	c.aside.push(b)
	if c.x.e.executorOf(b.From) != nil {
		return
	}
	x := c.x
	c.lent.batches++
	c.lent.bytes += b.Size
	x.mu.Lock()
	wakes := x.in.release(b.Size)
	x.mu.Unlock()
	for _, w := range wakes {
		w()
	}
	clear(wakes)
}

// lent is room of an inbox that batches have given back though they have not been consumed.
type lent struct {
	batches int32
	bytes   int
}

// readmit puts what was set aside, in order, before what else has come.
func (c *timed) readmit() {
	x := c.x
	if c.lent.batches > 0 {
		x.mu.Lock()
		x.in.used += c.lent.batches
		x.in.usedBytes += c.lent.bytes
		x.in.weigh()
		x.mu.Unlock()
		c.lent = lent{}
	}
	x.taken = c.aside.before(x.taken)
}

// takeHeld returns what was set aside and what is of generations to come, which c does not hold any more. c may be nil.
func (c *timed) takeHeld() *gearcore.Batch {
	if c == nil {
		return nil
	}
	return c.aside.before(c.ahead.takeAll())
}

// before returns the batches of l, which is empty then, followed by those from b on.
func (l *batches) before(b *gearcore.Batch) *gearcore.Batch {
	if l.head == nil {
		return b
	}
	l.tail.Next = b
	return l.takeAll()
}

// marked takes a marker.
func (c *timed) marked(ch *channel, k uint64) {
	ch.marker = k
	if k <= c.done || k < c.aligning {
		return
	}
	if k > c.aligning {
		c.readmit() // an earlier one was given up
		c.aligning, c.since = k, c.x.now
		c.in.begun(c.generation, k)
	}
	for i := range c.channels {
		if c.channels[i].marker < k {
			c.missing = i
			return
		}
	}
	c.ripe(k)
}

// take fixes the state of the task for checkpoint k and sends the marker on.
func (c *timed) take(k uint64) {
	c.done, c.aligning = k, 0
	next := c.birth(k)
	c.readmit()
	c.in.begun(c.generation, k)
	part := gearcore.TaskPart{Task: c.t.id, Watermark: c.now}
	if c.now == gearcore.Idle && c.at > math.MinInt64 {
		part.Watermark = c.at // where the clock goes on when the task is not idle any more
	}
	d, _ := c.x.wired.plan.Task(c.t.id)
	part.Index = d.Index
	if c.state == nil {
		c.in.saved(c.generation, k, part)
	} else {
		c.x.calling = c.t
		f, err := c.state.Freeze(k)
		c.x.called()
		switch {
		case err != nil:
			c.x.e.report(c.t.id, err)
			c.in.failed(c.generation, k, fmt.Errorf("freeze task %d of %s: %w", c.t.id, c.x.component, err))
		case f == nil:
			c.in.saved(c.generation, k, part)
		default:
			c.save(f, k, part)
		}
	}
	for _, o := range c.outboxes() {
		if o.cur == nil {
			o.beginBare()
		}
		o.cur.Marker = k
		o.seal()
	}
	if next != nil {
		c.cross(next)
	}
}

// follow does what the order says, once the task is what the generation begins with. It says whether the task goes on.
func (c *timed) follow() bool {
	o := c.seen
	if o.Dropped > c.dropped {
		c.drop(o.Dropped)
	}
	if o.Committed > c.committed {
		c.committed = o.Committed
		if c.commits != nil {
			c.x.calling = c.t
			c.commits.Commit(c.committed)
			c.x.called()
		}
	}
	if len(c.channels) == 0 && o.Cut > max(c.done, c.drain.marker) && o.Go {
		c.ripe(o.Cut)
	}
	return !c.ended
}

// drop ends all that is under way for checkpoints up to k.
func (c *timed) drop(k uint64) {
	c.dropped = k
	c.done = max(c.done, k)
	c.drain.forgetMarker(k)
	if c.aligning != 0 && c.aligning <= k {
		c.aligning = 0
		c.readmit()
	}
	c.cancelSaves(k)
}
