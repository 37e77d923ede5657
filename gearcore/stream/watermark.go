package stream

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Watermarks says how far behind the events that came a task of a source puts its watermark, and which times it believes.
// The zero Watermarks expects events in order.
type Watermarks struct {
	lateness, idle, ahead time.Duration
}

// maxAhead is how far in the future an event may be unless MaxAhead says otherwise.
const maxAhead = 24 * time.Hour

// Bounded expects no event to be more than lateness behind the newest one of its split. What comes later still is late: windows
// say what becomes of it.
func Bounded(lateness time.Duration) Watermarks { return Watermarks{lateness: lateness} }

// IdleAfter leaves a split out that had no event for d of processing time, so that it does not hold back the time of the
// others. Without it, or with 0, a split without events stops the clock of all that come together with it.
func (w Watermarks) IdleAfter(d time.Duration) Watermarks {
	w.idle = d
	return w
}

// MaxAhead bounds how far in the future the time of an event may be, by the clock of the task: one beyond it is not believed, since it
// would make all others late. The default is a day; a negative d is no bound but the end of the year 9999.
func (w Watermarks) MaxAhead(d time.Duration) Watermarks {
	w.ahead = d
	return w
}

// validate says what is wrong with w, with which everything would be late or nothing be idle.
func (w Watermarks) validate() error {
	if w.lateness < 0 || w.idle < 0 {
		return fmt.Errorf("events are at least 0 behind the newest one and idle after at least 0, not %v (Bounded) and %v (IdleAfter)", w.lateness, w.idle)
	}
	return nil
}

// generator makes the watermark of one assigner of times in one task of a source: the least one over its splits that are not
// idle. Times are in milliseconds.
type generator struct {
	w      Watermarks
	clock  Clock
	began  time.Time
	splits map[string]*split
	others map[string]int64 // at the checkpoint it goes on from: the newest events of splits that other tasks had
	kept   bool             // the source has said which splits there are
	cur    *split
	floor  int64 // what was said last, 0 before
}

// split is a part of a source whose events come in some order of their own, such as a partition.
type split struct {
	max  int64     // newest event; 0: none yet
	seen time.Time // when it came; before the first one, when the split was first heard of
}

func newGenerator(w Watermarks, clock Clock) *generator {
	if w.ahead == 0 {
		w.ahead = maxAhead
	}
	return &generator{w: w, clock: clock, began: clock.Now(), splits: map[string]*split{}}
}

// believable reports whether an event may be of that time.
func (g *generator) believable(at int64) bool {
	return at > 0 && at <= gearcore.MaxTime && (g.w.ahead < 0 || at <= g.clock.Now().Add(g.w.ahead).UnixMilli())
}

// enter says of which split the next events are.
func (g *generator) enter(id string) {
	if g.cur = g.splits[id]; g.cur == nil {
		g.cur = &split{max: g.others[id], seen: g.clock.Now()}
		g.splits[id] = g.cur
	}
}

// keep says which splits there are. One that is new holds back the watermark until it has an event or is idle.
func (g *generator) keep(ids []string) {
	there := make(map[string]*split, len(ids))
	for _, id := range ids {
		g.enter(id)
		there[id] = g.cur
	}
	g.splits, g.cur, g.kept = there, nil, true
}

// saw notes an event of the present split.
func (g *generator) saw(at int64) {
	if g.cur == nil {
		g.enter("")
	}
	g.cur.max = max(g.cur.max, at)
	if g.w.idle > 0 {
		g.cur.seen = g.clock.Now()
	}
}

// watermark returns the watermark of now. It never goes back, but from Idle.
func (g *generator) watermark() gearcore.Watermark {
	low, active := int64(1<<63-1), false
	for _, s := range g.splits {
		if g.idle(s.seen) {
			continue
		}
		active = true
		if s.max == 0 {
			low = 0
		}
		low = min(low, s.max-g.w.lateness.Milliseconds())
	}
	switch {
	case active:
		g.floor = max(g.floor, low)
	case len(g.splits) > 0 || g.kept || g.idle(g.began): // or there is none, or nothing was heard of any
		return gearcore.Idle
	}
	return gearcore.Watermark(g.floor)
}

// idle reports whether what had no event since then is left out.
func (g *generator) idle(since time.Time) bool {
	return g.w.idle > 0 && g.clock.Now().Sub(since) >= g.w.idle
}
