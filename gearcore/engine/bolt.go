package engine

import (
	"errors"

	"github.com/gearstorm/gearstorm/gearcore"
)

// consume executes tuples until the inbox is empty, the budget is used up, or x may not go on (no room, paused).
func (x *executor) consume() {
	for !x.stuck && x.paused == 0 && x.batches > 0 {
		if x.cur == nil && !x.nextBatch() {
			return
		}
		over := x.executeBatch(x.cur)
		if x.cur != nil && x.row >= len(x.cur.Rows) {
			b := x.cur
			if x.timed != nil {
				x.timed.passed(b)
			}
			x.cur, x.row = nil, 0
			x.batches--
			x.meter.drop(x.recycle)
			x.publish()
			if x.keeps && !x.allAcked {
				x.keep(b)
			}
			x.consumed(b)
		}
		if over {
			return
		}
	}
}

// nextBatch makes the next batch of the inbox the current one.
func (x *executor) nextBatch() bool {
	for {
		if x.taken == nil {
			x.mu.Lock()
			x.taken = x.in.rows.takeAll()
			x.mu.Unlock()
			if x.taken == nil {
				return false
			}
		}
		b := x.taken
		x.taken, b.Next = b.Next, nil
		if x.timed == nil || x.timed.admit(b) {
			x.cur, x.row = b, 0
			x.meter.queued(x, b)
			return true
		}
	}
}

// executeBatch executes the rows of b from x.row on, and says whether the budget is used up.
func (x *executor) executeBatch(b *gearcore.Batch) (over bool) {
	t := x.task(b.Target)
	if t.batch != nil {
		return x.executeWhole(t, b)
	}
	from := x.row
	x.from, x.began, x.allAcked = from, x.now, false
	sample := x.sampleAt(len(b.Rows) - from)
	x.calling, x.executing = t, true
	x.enter(b, from)
	for x.row < len(b.Rows) && !x.stuck && x.paused == 0 && !over {
		first := x.row
		end := first + min(len(b.Rows)-first, x.toCheck, max(x.calls, 1))
		switch at := from + sample; {
		case sample < 0 || at < first || at >= end:
		case at > first:
			end = at
		default:
			x.meter.sample(x, b.Tuple(first))
			end = first + 1
		}
		x.stretch(t, b, end)
		over = x.spend(x.row - first)
	}
	x.allAcked = x.trail.Acked == len(b.Rows)
	x.leave()
	x.calling, x.executing = nil, false
	x.executed += x.row - from
	x.meter.executed(x, b)
	return over || x.now >= x.until
}

// refused fails a tuple for which Execute returned err.
func (x *executor) refused(t *task, tp gearcore.Tuple, err error) {
	if !errors.Is(err, gearcore.ErrFailed) {
		x.e.report(t.id, err)
		if x.timed != nil {
			x.timed.broken(err)
		}
	}
	t.sink.Fail(tp)
}

// stretch executes the rows of b from x.row to before end, fewer if something needs attention.
func (x *executor) stretch(t *task, b *gearcore.Batch, end int) {
	r := x.run
	for i := r.row; i < end; i++ {
		r.row = i + 1
		if err := t.exec.Execute(b.Tuple(i), t.c); err != nil {
			x.refused(t, b.Tuple(i), err)
		}
		if x.attn.Load() {
			x.attend()
			return
		}
	}
}
