package storm

import "math"

// windowQueue decides which tuples are in which window, in the way of Storm's WindowManager and its policies. It knows no clock and
// belongs to one task.
//
// A trigger asks for a window as of a reference time; then every tuple is, by the eviction policy, expired, in the window, kept for
// a later one, or beyond what has to be looked at.
type windowQueue struct {
	evict     eviction
	events    []windowEvent // in the order in which they came
	expired   []Tuple       // left the window since the last one that had tuples
	seq       uint64        // of the last trigger
	sinceScan int           // adds since the last look for expired ones
	onExpiry  func([]Tuple)
	onWindow  func(w Window, reference int64)
}

type windowEvent struct {
	t  Tuple
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
	q.events = append(q.events, windowEvent{t: t, at: at})
	q.evict.added()
}

// compact is called after every tuple and watermark.
func (q *windowQueue) compact(now int64) {
	if q.sinceScan++; q.sinceScan >= scanEvery {
		q.evict.now(now)
		q.scan(false)
	}
}

// trigger makes the window as of c, and says whether it had tuples.
func (q *windowQueue) trigger(c windowContext) bool {
	q.evict.begin(c)
	q.seq++
	in := q.scan(true)
	var w Window
	w.Expired, q.expired = q.expired, nil
	for _, i := range in {
		e := &q.events[i]
		w.Tuples = append(w.Tuples, e.t)
		if e.in != q.seq-1 || e.in == 0 {
			w.New = append(w.New, e.t)
		}
		e.in = q.seq
	}
	if len(w.Tuples) > 0 {
		q.onWindow(w, c.reference)
	}
	return len(w.Tuples) > 0
}

// scan drops what has expired and, if it looks at all, returns the positions of what is in the window.
func (q *windowQueue) scan(all bool) (in []int) {
	q.sinceScan = 0
	var gone []Tuple
	kept := 0
	i := 0
loop:
	for ; i < len(q.events); i++ {
		e := q.events[i]
		v := q.evict.judge(&e)
		switch {
		case v == expire:
			gone = append(gone, e.t)
			continue
		case !all || v == stop:
			break loop
		case v == process:
			in = append(in, kept)
		}
		if kept != i {
			q.events[kept] = e
		}
		kept++
	}
	in = q.close(kept, i, in)
	q.expired = append(q.expired, gone...)
	if len(gone) > 0 {
		q.onExpiry(gone)
	}
	return in
}

// close shuts the gap between the first kept events and those from rest on. Where nothing was kept before the gap, the slice begins behind
// it, so that a long queue is not moved for a few that left.
func (q *windowQueue) close(kept, rest int, in []int) []int {
	if kept == 0 {
		clear(q.events[:rest])
		q.events = q.events[rest:]
		return in
	}
	if kept < rest {
		n := copy(q.events[kept:], q.events[rest:])
		clear(q.events[kept+n:])
		q.events = q.events[:kept+n]
	}
	return in
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
