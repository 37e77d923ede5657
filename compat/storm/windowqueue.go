package storm

import (
	"iter"
	"math"
)

// windowQueue decides which tuples are in which window, in the way of Storm's WindowManager and its policies. It knows no clock and
// belongs to one task.
//
// A trigger asks for a window as of a reference time; then every tuple is, by the eviction policy, expired, in the window, kept for
// a later one, or beyond what has to be looked at.
type windowQueue struct {
	evict     eviction
	kept      *windowStore  // where the tuples are; nil: in the events
	lazy      bool          // windows hold no tuples: they are read one after the other, and nobody hears which are new or have left
	events    []windowEvent // in the order in which they came
	expired   []windowEvent // left the window since the last trigger
	seq       uint64        // of the last trigger
	sinceScan int           // adds since the last look for expired ones
	onExpiry  func([]windowEvent)
	onWindow  func(w Window, reference int64)
}

type windowEvent struct {
	t  Tuple  // where there is no windowStore
	n  uint64 // its number in that
	at int64
	in uint64 // the last trigger whose window had it
}

// verdict is what an eviction policy says of a tuple.
type verdict uint8

const (
	process verdict = iota // it is in the window
	keep                   // it is not, and may be in a later one
	expire                 // it will be in none any more
	stop                   // it is not, and neither is what came after it
)

// scanEvery is after how many tuples the first ones are looked at, whether they have expired meanwhile.
const scanEvery = 100

// add puts a tuple into the queue.
func (q *windowQueue) add(t Tuple, at int64) {
	e := windowEvent{at: at}
	if q.kept != nil {
		e.n = q.kept.add(t, at)
	} else {
		e.t = t
	}
	q.events = append(q.events, e)
	q.evict.added()
}

// tuple returns the tuple of e.
func (q *windowQueue) tuple(e *windowEvent) Tuple {
	if q.kept != nil {
		return q.kept.tuple(e.n)
	}
	return e.t
}

// compact is called after every tuple and watermark.
func (q *windowQueue) compact(now int64) {
	if q.sinceScan++; q.sinceScan >= scanEvery {
		q.evict.now(now)
		q.scan(nil)
	}
}

// trigger makes the window as of c, and says whether it had tuples.
func (q *windowQueue) trigger(c windowContext) bool {
	q.evict.begin(c)
	q.seq++
	var w Window
	n := q.scan(&w)
	gone := q.expired
	q.expired = nil
	if n > 0 {
		for i := range gone {
			w.Expired = append(w.Expired, q.tuple(&gone[i]))
		}
		over := false
		if q.lazy {
			w.kept = q.all(&over)
		}
		q.onWindow(w, c.reference)
		over = true
	}
	q.forget(gone)
	return n > 0
}

// all returns the tuples of the window of the last trigger, which are read when they are asked for, until it is over.
func (q *windowQueue) all(over *bool) iter.Seq[Tuple] {
	return func(yield func(Tuple) bool) {
		for i := range q.events {
			if *over {
				panic("storm: the window is read after Execute has returned")
			}
			if e := &q.events[i]; e.in == q.seq && !yield(q.tuple(e)) {
				return
			}
		}
	}
}

// scan drops what has expired. If w is not nil it looks at all the rest, too: w gets what is in the window, and the result is how many that
// are.
func (q *windowQueue) scan(w *Window) (n int) {
	q.sinceScan = 0
	var gone []windowEvent
	kept := 0
	i := 0
loop:
	for ; i < len(q.events); i++ {
		e := q.events[i]
		v := q.evict.judge(&e)
		switch {
		case v == expire:
			gone = append(gone, e)
			continue
		case w == nil || v == stop:
			break loop
		case v == process:
			n++
			q.put(w, &e)
		}
		q.events[kept] = e
		kept++
	}
	q.close(kept, i)
	q.leave(gone)
	return n
}

// put notes that e is in the window w, which is that of the present trigger.
func (q *windowQueue) put(w *Window, e *windowEvent) {
	fresh := e.in == 0 || e.in != q.seq-1
	e.in = q.seq
	if q.lazy {
		return
	}
	t := q.tuple(e)
	w.Tuples = append(w.Tuples, t)
	if fresh {
		w.New = append(w.New, t)
	}
}

// leave takes note of what has expired.
func (q *windowQueue) leave(gone []windowEvent) {
	if len(gone) == 0 {
		return
	}
	if q.lazy {
		q.forget(gone)
	} else {
		q.expired = append(q.expired, gone...)
	}
	q.onExpiry(gone)
}

// forget says that nobody asks for these tuples any more.
func (q *windowQueue) forget(gone []windowEvent) {
	if q.kept == nil {
		return
	}
	for i := range gone {
		q.kept.forget(gone[i].n)
	}
}

// close shuts the gap between the first kept events and those from rest on. Where nothing was kept before the gap, the slice begins behind
// it, so that a long queue is not moved for a few that left.
func (q *windowQueue) close(kept, rest int) {
	if kept == 0 {
		clear(q.events[:rest])
		q.events = q.events[rest:]
		return
	}
	if kept < rest {
		n := copy(q.events[kept:], q.events[rest:])
		clear(q.events[kept+n:])
		q.events = q.events[:kept+n]
	}
}

// earliest returns the least time above after and up to upTo, none if there is no such tuple.
func (q *windowQueue) earliest(after, upTo int64) int64 {
	least := none
	for i := range q.events {
		if at := q.events[i].at; at > after && at <= upTo {
			least = min(least, at)
		}
	}
	return least
}

// none is no time.
const none int64 = math.MaxInt64

// upTo counts the tuples that are not after at.
func (q *windowQueue) upTo(at int64) (n int) {
	for i := range q.events {
		if q.events[i].at <= at {
			n++
		}
	}
	return n
}

// slides returns the time of every n-th of the tuples above after and up to upTo, the latest up to there.
func (q *windowQueue) slides(after, upTo int64, n int) (out []int64) {
	count, latest := 0, int64(math.MinInt64)
	for i := range q.events {
		at := q.events[i].at
		if at <= after || at > upTo {
			continue
		}
		latest = max(latest, at)
		if count++; count%n == 0 {
			out = append(out, latest)
		}
	}
	return out
}
