package engine

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// How an executor leaves. From Apply on it goes on as before, but that its sources are not asked any more, until it has
// executed and handed over all it has, its tasks hold no unsettled tuple and nothing that its sources emitted is in flight.
// A bolt whose tasks go to another worker lingers for a while even so, for what comes from workers that hear of the change
// later (admit.go). Local senders have gone over to the new place of its tasks by then; what still comes is passed on to
// there. When that takes too long, what its tasks hold fails, and what is left in the inbox is passed on as well.
//
//	running as ever --Apply--> leaves --nothing left, or time is over--> gone --tasks closed--> heirs are opened

// dismiss tells x to leave.
func (x *executor) dismiss(l *leaving) {
	x.mu.Lock()
	x.exit = l
	x.wakeLocked(nil)
}

// overdue says whether x has had its time to leave.
func (x *executor) overdue() bool { return x.leaves != nil && x.now >= x.leaves.at }

// giveUp fails what the tasks of x hold, hands over what they emitted whether there is room or not.
func (x *executor) giveUp() {
	if !x.opened {
		return
	}
	if x.role == roleSpout {
		x.expired = x.pending.Rotate(x.pending.Rotate(x.expired)) // all of them are of two timeouts ago
		x.failExpiredSafely()
	}
	if x.keeps { // else kept is everybody's
		if x.cur != nil {
			x.failRows(x.cur, x.row)
		}
		for _, k := range x.kept.list {
			x.failRows(k.b, len(k.b.Rows))
		}
		x.kept = keptBatches{}
	}
	x.publish()
	for _, o := range x.dirty {
		for b := o.full.head; b != nil; b = o.full.head {
			o.full.head, b.Next = b.Next, nil
			o.waiting--
			x.overshoot -= b.Size
			o.handOver(b)
		}
		o.room = true // flush does not wait for it either
		o.bound = false
		o.gate = nil
	}
}

// rescue passes on what is in the inbox of x, whose time to leave is over, if it is in a run: that may never end.
func (x *executor) rescue() {
	x.mu.Lock()
	var rows *gearcore.Batch
	if x.state == running {
		rows = x.in.rows.takeAll()
	}
	x.mu.Unlock()
	for rows != nil {
		b := rows
		rows = b.Next
		x.e.passOn(x, b)
	}
}

// failExpiredSafely is failExpired outside of steps: a panic of a source ends neither its other tuples nor the run.
func (x *executor) failExpiredSafely() {
	for x.expiredAt < len(x.expired) {
		func() {
			defer func() {
				if r := recover(); r != nil && x.calling != nil {
					x.e.report(x.calling.id, gearcore.Caught(r))
					x.calling = nil
				}
			}()
			x.failExpired()
		}()
	}
	x.expired, x.expiredAt = nil, 0
}

// failRows fails the rows of b before end that are not settled.
func (x *executor) failRows(b *gearcore.Batch, end int) {
	t := x.task(b.Target)
	for row := range end {
		r := &b.Rows[row]
		if r.Flags&gearcore.RowSettled != 0 || r.RootLen == 0 {
			continue
		}
		r.Flags |= gearcore.RowSettled
		tp := b.Tuple(row)
		if r.AckVal > 0 {
			x.refer(tp.Roots(), x.adopt(tp, r))
		}
		x.tellOwners(tp.Roots(), gearcore.AckFail)
		x.meter.failed(t, r)
	}
}

// doneLocked says whether x, which leaves, has nothing left to do.
func (x *executor) doneLocked() bool {
	switch {
	case x.timed != nil && x.timed.awaiting:
		return false // somebody else has the task
	case !x.opened || x.overdue():
		return true
	case x.timed != nil && x.timed.aside.head != nil:
		return false
	case x.acks != nil || x.in.acks.head != nil || x.todoAt < len(x.todo) || len(x.posts) > 0 || len(x.dirty) > 0 || x.events != 0:
		return false
	case x.role == roleSpout:
		return x.pending.Len() == 0 && x.expiredAt == len(x.expired) && x.instantAt == len(x.instant) && !x.holding()
	case x.role == roleBolt:
		return x.cur == nil && x.taken == nil && x.in.rows.head == nil && !(x.keeps && x.kept.unsettled()) && !x.holding() && int64(x.now) >= x.lingers.Load()
	}
	return true
}

// holding says whether a task of x holds tuples between calls. x is at the end of a run, or in none with mu held.
func (x *executor) holding() bool {
	if x.timed != nil && x.timed.awaiting {
		return true // it may not be asked
	}
	for _, t := range x.tasks {
		if t.begun && t.holding() {
			return true
		}
	}
	return false
}

func (t *task) holding() bool {
	h, ok := t.user().(gearcore.Holder)
	return ok && h.Holding()
}

// user is the code of t.
func (t *task) user() any {
	switch {
	case t.batch != nil:
		return t.batch
	case t.bolt != nil:
		return t.bolt
	}
	return t.source
}

// departLocked ends x, at the end of its last run, and unlocks mu.
func (x *executor) departLocked() {
	e := x.e
	x.state, x.closed = gone, true
	rows, acks := x.in.rows.takeAll(), x.in.acks.takeAll()
	x.posts = nil
	if x.posters > 0 {
		x.postRoom.Broadcast()
	}
	var wakes []func()
	if x.in.waiting != nil {
		wakes, x.in.waiting = x.in.waiting.list, nil
	}
	cur, row, taken, more := x.cur, x.row, x.taken, x.acks
	x.cur, x.taken, x.acks = nil, nil, nil
	x.mu.Unlock()
	if x.role == roleSpout {
		x.inFlight.Store(0)
		e.books.close(x.book.id)
	}
	if cur != nil {
		e.passOn(x, rest(cur, row))
	}
	for _, b := range []*gearcore.Batch{x.timed.takeHeld(), taken, rows, more, acks} {
		for b != nil {
			next := b.Next
			e.passOn(x, b)
			b = next
		}
	}
	for _, w := range wakes {
		w()
	}
	if !x.counted {
		e.countOpened(x) // it will not be
	}
	end := func() {
		x.closeTasks()
		x.unlink()
		e.departed(x)
	}
	if e.disp.single() {
		end()
		return
	}
	e.closing.Go(end)
}

// unlink lets go of all that x, which is gone, had to do with. Somebody may remember it for long (a report to its book, say), and would keep in memory
// what came after it, and after that.
func (x *executor) unlink() {
	x.wired, x.fusedTo = nil, nil
	x.eachBox((*outbox).cut)
}

// rest returns the rows of b from row on as a batch of its own; b is done with when that is.
func rest(b *gearcore.Batch, row int) *gearcore.Batch {
	if row == 0 {
		return b
	}
	c := &gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From, Done: func(*gearcore.Batch) { finish(b) }}
	for ; row < len(b.Rows); row++ {
		t := b.Tuple(row)
		c.Append(t.Row().Stream, t.SourceTask(), t.Values(), t.Roots())
	}
	c.Watermark, c.Marker, c.Generation, c.Behind = b.Watermark, b.Marker, b.Generation, b.Behind+uint64(len(b.Rows)-len(c.Rows))
	c.Size = c.Bytes()
	return c
}

// departed follows the end of the tasks of x: those who have them now may open them.
func (e *Engine) departed(x *executor) {
	var free []*executor
	e.mu.Lock()
	l := e.leavers[x]
	delete(e.leavers, x)
	for _, y := range e.heirs[x] {
		if e.unbarLocked(y) {
			free = append(free, y)
		}
	}
	delete(e.heirs, x)
	if l.left--; l.left == 0 {
		close(l.done)
	}
	e.mu.Unlock()
	for _, y := range free {
		y.unbarred()
	}
}

func (x *executor) isGone() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state == gone
}

// keptBatches are those consumed by tasks that may keep tuples and did not settle them all at once. They are known so that
// an executor that leaves can fail such tuples: nobody else knows of them, and their trees would have to time out.
type keptBatches struct {
	list []keptBatch
	look int // length of list at which settled ones are looked for
}

type keptBatch struct {
	b  *gearcore.Batch
	at time.Duration
}

// Bounds of keptBatches: beyond maxKept batches the oldest are forgotten, their trees time out then.
const (
	minLook = 64
	maxKept = 16 << 10
)

// keep notes b if a tuple of it is not settled.
func (x *executor) keep(b *gearcore.Batch) {
	if !unsettled(b) {
		return
	}
	k := &x.kept
	k.list = append(k.list, keptBatch{b, x.now})
	if len(k.list) < max(k.look, minLook) {
		return
	}
	kept := k.list[:0]
	for _, w := range k.list {
		if to := x.e.cfg.MessageTimeout; (to == 0 || x.now-w.at <= 3*to) && unsettled(w.b) {
			kept = append(kept, w)
		}
	}
	if over := len(kept) - maxKept; over > 0 {
		kept = kept[:copy(kept, kept[over:])]
	}
	clear(k.list[len(kept):])
	k.list, k.look = kept, 2*len(kept)
}

func (k *keptBatches) unsettled() bool {
	for _, w := range k.list {
		if unsettled(w.b) {
			return true
		}
	}
	return false
}

// unsettled says whether a tracked tuple of b is neither acked nor failed.
func unsettled(b *gearcore.Batch) bool {
	for i := range b.Rows {
		if r := &b.Rows[i]; r.Flags&gearcore.RowSettled == 0 && r.RootLen > 0 {
			return true
		}
	}
	return false
}
