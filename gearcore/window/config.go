package window

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Config says what a Core does.
type Config struct {
	Windows Windows
	// Processing makes windows those of the clock (ClockTo) instead of event time; nothing is late then. It says nothing about counted windows.
	Processing bool
	// EarlyCount, if not 0, makes an early pane of a window whenever so many new records are in it. EarlyEvery, if not 0, makes one so long by
	// the clock after the first new record. Both may be set; counted windows have neither.
	EarlyCount int64
	EarlyEvery time.Duration
	// Lateness is how long after its end, in event time, a window still takes records; each makes a late pane.
	Lateness time.Duration
	// Accumulate makes panes hold all of their window so far, instead of what is new.
	Accumulate bool
	// HoldLate keeps the output watermark back by Lateness, so that late panes are not late for who gets them. Everything behind
	// waits as long.
	HoldLate bool
	// Latest is the largest event time that is believed, in milliseconds; 0: MaxTime. MaxAhead, if not 0, is how far event time may be ahead of the clock.
	Latest   int64
	MaxAhead time.Duration
}

// MaxTime is gearcore.MaxTime, the end of the year 9999 in milliseconds since 1970.
const MaxTime = gearcore.MaxTime

func (c *Config) validate(merges bool) error {
	if err := c.Windows.validate(); err != nil {
		return err
	}
	if c.Windows.kind == session && !merges {
		return errMerge
	}
	if c.EarlyCount < 0 || c.EarlyEvery < 0 || c.Lateness < 0 || c.MaxAhead < 0 || c.Latest < 0 || c.Latest > MaxTime {
		return fmt.Errorf("a window's times and counts are not negative, and event times end with the year 9999")
	}
	if c.EarlyEvery%time.Millisecond != 0 || c.Lateness%time.Millisecond != 0 || c.Lateness > maxSize || c.EarlyEvery > maxSize {
		return fmt.Errorf("early panes every %v, lateness of %v: times are whole milliseconds, up to a hundred years", c.EarlyEvery, c.Lateness)
	}
	if c.Windows.kind == counted && (c.EarlyCount > 0 || c.EarlyEvery > 0 || c.Lateness > 0) {
		return fmt.Errorf("counted windows have no early panes and no lateness")
	}
	if c.Processing && c.Lateness > 0 {
		return fmt.Errorf("by the clock nothing is late: lateness needs event time")
	}
	return nil
}

// slices reports whether overlapping windows share accumulators: not where a window has to know what is new in itself.
func (c *Config) slices(merges bool) bool {
	w := c.Windows
	return (w.kind == sliding || w.kind == counted) && w.slide < w.size && merges && c.EarlyCount == 0 && c.EarlyEvery == 0 && (c.Accumulate || c.Lateness == 0)
}

// Aggregator makes a result of records one by one. A is what it keeps of a window, its zero value being a window without records.
type Aggregator[A, In, Out any] struct {
	Add func(acc *A, v In)
	// Merge adds what from holds to into. from is not changed and goes on to live: into may not share what changes in it. It may
	// be nil; sessions need it, and overlapping windows are dearer without.
	Merge func(into, from *A)
	// Result must not change acc.
	Result func(acc *A) Out
}

// Acc is what is kept of a window or slice.
type Acc[A any] struct {
	A     A
	New   int64 // records since the last pane
	Last  int64 // the largest event time in it
	Fired bool  // its pane on time was made
}

// Panes keeps accumulators by key and span. *state.Map[K, Span, Acc[A]] is one.
type Panes[K comparable, A any] interface {
	Get(k K, s Span) (Acc[A], bool)
	// Ref returns the accumulator to be changed in place, a new one if there is none. It is good until it is deleted or the
	// Core's method returns.
	Ref(k K, s Span) (a *Acc[A], found bool)
	Delete(k K, s Span) bool
	// Each calls f with all of k until it returns false. What it gives is as good as what Ref does, but to be read only.
	Each(k K, f func(s Span, a *Acc[A]) bool)
}

// Timers keeps moments by key, each once. *state.Timers[K] is one.
type Timers[K comparable] interface {
	Set(k K, at int64)
	Delete(k K, at int64) bool
	Next() (at int64, ok bool)
	// Due takes out what is due up to and with upTo, in order of time, also what f sets meanwhile.
	Due(upTo int64, f func(k K, at int64) error) error
}

// State is where a Core keeps what it has to know again after a rollback. Early is used with EarlyEvery only.
type State[K comparable, A any] struct {
	Panes Panes[K, A]
	Ends  Timers[K]
	Early Timers[K]
}

// Outcome is what became of a record.
type Outcome uint8

// A record that is not Counted belongs to a side output.
const (
	Counted Outcome = iota
	Late            // every window it is in is over
	TooOld          // its time is before 1970, or it has none (0)
	TooFar          // its time is beyond Latest or MaxAhead
)

func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

var outcomes = [...]string{"counted", "late", "too old", "too far ahead"}

// Timing says why there is a pane.
type Timing uint8

// A window has any number of early panes, one on time and any number of late ones, in this order. One that grew together with
// others, or got its first record late, may be different.
const (
	OnTime Timing = iota
	Early
	AfterTime // late
)

func (t Timing) String() string {
	return [...]string{"on time", "early", "late"}[t%3]
}

// Pane is a result of a window.
type Pane[K comparable, Out any] struct {
	Key    K
	Span   Span
	Timing Timing
	// Time is the result's event time: the last moment of its window; where windows are not of event time, the newest of its records, but not
	// before the watermark; 0 if there is none.
	Time int64
	Out  Out
}

// Timed reports whether the windows are of event time.
func (c *Config) Timed() bool { return !c.Processing && c.Windows.kind != counted }
