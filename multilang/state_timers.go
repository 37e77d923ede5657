package multilang

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// Timers of children. A timer that is due is taken out of the state and goes to the child in its place among the tuples, as one from __system on
// stream __timer, with the content of its key if the child has not got it. The child acks it when its callback has ended; what it
// changes there comes before that, as with tuples. Until then the task holds it, so that no checkpoint is made and no watermark told on in between. With the child
// lost what it had not acked is set again, or, where there are checkpoints, the topology goes back.

const (
	timersAtOnce = 128              // that a child has and has not acked
	maxMoment    = 1 << 53          // milliseconds since 1970, as far as JavaScript counts
	longestWait  = time.Hour        // the machine's clock may be set meanwhile
	shortestWait = time.Millisecond // so that a timer which sets itself again for now leaves room for a checkpoint
)

// timerOrigin is what the origin of timers is called in a batched framing.
const timerOrigin gearcore.StreamID = -1

// timerStream is the stream of __system on which timers come.
const timerStream = "__timer"

// timerHandle is a state of timers.
type timerHandle struct {
	q     *state.Timers[state.Key]
	index int   // of the state
	clock bool  // by the machine's, not by event time
	upTo  int64 // what is not after that is due
}

// content implements stateHandle: the child is told of a timer when it is due, not before.
func (h *timerHandle) content(state.Key) gearcore.Value { return gearcore.Null() }

func (h *timerHandle) change(k state.Key, _ int64, vals []gearcore.Value) error {
	if len(vals)%2 != 0 {
		return fmt.Errorf("%d moments and whether they are set", len(vals))
	}
	for i := 0; i < len(vals); i += 2 {
		at, ok := wholeNumber(vals[i])
		if !ok || vals[i].IsNull() || at < 0 || at > maxMoment {
			return wrongType("moment", "milliseconds since 1970", vals[i])
		}
		if vals[i+1].Bool() {
			h.q.Set(k, at)
		} else {
			h.q.Delete(k, at)
		}
	}
	return nil
}

// pending says whether a timer is due.
func (h *timerHandle) pending() bool {
	at, ok := h.q.Next()
	return ok && at <= h.upTo
}

// dueTimer is a timer that the child has.
type dueTimer struct {
	h   *timerHandle
	key state.Key
	at  int64
}

// timers are those of a task.
type timers struct {
	handles []*timerHandle
	given   map[uint32]dueTimer // to the child, by the slot among what is in flight
	ringsAt int64               // when ring is called, 0: not
	stop    func() bool         // ends that; nil as long as nothing was to ring
}

// pending says whether a timer is due that the child has not got.
func (t *timers) pending() bool {
	for _, h := range t.handles {
		if h.pending() {
			return true
		}
	}
	return false
}

// take takes out the earliest timer that is due.
func (t *timers) take() (d dueTimer, ok bool) {
	var next *timerHandle
	for _, h := range t.handles {
		if at, there := h.q.Next(); there && at <= h.upTo && (next == nil || at < d.at) {
			next, d.at = h, at
		}
	}
	if next == nil {
		return d, false
	}
	d.h = next
	d.key, d.at, ok = next.q.Take(next.upTo)
	return d, ok
}

// give notes that the child has d, in a slot of what is in flight.
func (t *timers) give(at uint32, d dueTimer) {
	if t.given == nil {
		t.given = map[uint32]dueTimer{}
	}
	t.given[at] = d
}

// settled says that the child has done with what is in that slot, and whether it was a timer.
func (t *timers) settled(at uint32) (d dueTimer, ok bool) {
	if d, ok = t.given[at]; ok {
		delete(t.given, at)
	}
	return d, ok
}

// again sets what the child had, which is lost, and returns how many timers that were.
func (t *timers) again() (n int) {
	for _, d := range t.given {
		d.h.q.Set(d.key, d.at)
		n++
	}
	clear(t.given)
	return n
}

// tick makes timers due up to a moment of event time or, clock, of the machine's.
func (t *timers) tick(upTo int64, clock bool) {
	for _, h := range t.handles {
		if h.clock == clock {
			h.upTo = upTo
		}
	}
}

// next is the earliest moment of the clock for which a timer is set and not due.
func (t *timers) next() (at int64, ok bool) {
	for _, h := range t.handles {
		if n, there := h.q.Next(); h.clock && there && n > h.upTo && (!ok || n < at) {
			at, ok = n, true
		}
	}
	return at, ok
}

// soonest is the earliest moment of event time for which a timer is set.
func (t *timers) soonest() (at int64, ok bool) {
	for _, h := range t.handles {
		if n, there := h.q.Next(); !h.clock && there && (!ok || n < at) {
			at, ok = n, true
		}
	}
	return at, ok
}

// ring has f called, by any goroutine, when the next timer by the clock is due, unless it will be.
func (t *timers) ring(now int64, f func(at int64)) {
	at, ok := t.next()
	if !ok || t.ringsAt != 0 && t.ringsAt <= at {
		return
	}
	t.silence()
	t.ringsAt = at
	wait := min(max(time.Duration(min(at-now, longestWait.Milliseconds()))*time.Millisecond, shortestWait), longestWait)
	t.stop = time.AfterFunc(wait, func() { f(at) }).Stop
}

// silence takes back ring.
func (t *timers) silence() {
	if t.stop != nil {
		t.stop()
	}
	t.ringsAt = 0
}

// reset forgets everything that does not stand in the state.
func (t *timers) reset() {
	t.silence()
	clear(t.given)
	for _, h := range t.handles {
		h.upTo = 0
	}
}
