package window

import (
	"cmp"
	"fmt"
	"slices"
)

// Core is the window step of one task. It belongs to one executor.
type Core[K comparable, A, In, Out any] struct {
	cfg      Config
	w        Windows
	agg      Aggregator[A, In, Out]
	st       State[K, A]
	emit     func(Pane[K, Out]) error
	sliced   bool
	lateness int64
	early    int64

	mark int64 // the watermark
	seen int64 // the largest watermark that was an event time, not the end
	now  int64 // the clock
	out  int64 // the output watermark

	// Kept, so that calls through interfaces allocate nothing.
	found    []piece[A]
	gather   func(s Span, a *Acc[A]) bool
	ended    func(k K, at int64) error
	reminded func(k K, at int64) error
}

// piece is a window or slice of a key that was found.
type piece[A any] struct {
	span Span
	acc  *Acc[A]
}

// New returns a Core. emit is called inside Add, AdvanceTo and ClockTo; its errors come back from there.
func New[K comparable, A, In, Out any](cfg Config, agg Aggregator[A, In, Out], st State[K, A], emit func(Pane[K, Out]) error) (*Core[K, A, In, Out], error) {
	if agg.Add == nil || agg.Result == nil {
		return nil, fmt.Errorf("windows: an aggregator needs Add and Result")
	}
	if err := cfg.validate(agg.Merge != nil); err != nil {
		return nil, fmt.Errorf("windows: %w", err)
	}
	if cfg.Latest == 0 {
		cfg.Latest = MaxTime
	}
	c := &Core[K, A, In, Out]{cfg: cfg, w: cfg.Windows, agg: agg, st: st, emit: emit, sliced: cfg.slices(agg.Merge != nil),
		lateness: cfg.Lateness.Milliseconds(), early: cfg.EarlyEvery.Milliseconds()}
	if c.w.kind == counted {
		c.w.offset = -(c.w.size % c.w.slide) // their ends are multiples of the slide
	}
	c.gather = func(s Span, a *Acc[A]) bool {
		c.found = append(c.found, piece[A]{s, a})
		return true
	}
	c.ended, c.reminded = c.end, c.remind
	return c, nil
}

// Resume tells the watermark of the checkpoint whose state the Core's State now has. Nothing is emitted. The clock is to be told anew: the end of
// input, which had stopped it, is still to come.
func (c *Core[K, A, In, Out]) Resume(watermark int64) {
	c.mark, c.seen, c.out, c.now = watermark, 0, 0, 0
	if watermark < Forever {
		c.seen = watermark
	}
}

// progress is how far the time of the windows is.
func (c *Core[K, A, In, Out]) progress() int64 {
	if c.cfg.Processing {
		return c.now
	}
	return c.mark
}

// Add adds a record of k with event time at. ClockTo is called before where the clock matters.
func (c *Core[K, A, In, Out]) Add(k K, v In, at int64) (Outcome, error) {
	t := at
	switch {
	case c.w.kind == counted:
		return Counted, c.addCounted(k, v, at)
	case c.cfg.Processing:
		t = c.now
	case at <= 0:
		return TooOld, nil
	case at > c.cfg.Latest || c.cfg.MaxAhead > 0 && at > plus(c.now, c.cfg.MaxAhead.Milliseconds()):
		return TooFar, nil
	}
	switch {
	case c.w.kind == session:
		return c.addSession(k, v, t, at)
	case c.w.kind == global:
		return c.addTo(k, Span{0, Forever}, v, at)
	case c.sliced:
		return c.addSlice(k, v, t, at)
	}
	outcome := Late
	for start := c.w.last(t); start > t-c.w.size; start -= c.w.slide {
		o, err := c.addTo(k, Span{start, start + c.w.size}, v, at)
		if err != nil {
			return o, err
		}
		if o == Counted {
			outcome = Counted
		}
	}
	return outcome, nil
}

// addTo adds a record to one window.
func (c *Core[K, A, In, Out]) addTo(k K, s Span, v In, at int64) (Outcome, error) {
	progress := c.progress()
	if plus(s.End, c.lateness) <= progress {
		return Late, nil
	}
	a, found := c.st.Panes.Ref(k, s)
	c.put(a, v, at)
	if !found {
		c.watch(k, s.End, progress)
	}
	return Counted, c.added(k, s, a, progress)
}

func (c *Core[K, A, In, Out]) put(a *Acc[A], v In, at int64) {
	c.agg.Add(&a.A, v)
	a.New++
	a.Last = max(a.Last, at)
}

// watch sets the timer of a window that ends at end.
func (c *Core[K, A, In, Out]) watch(k K, end, progress int64) {
	if end > progress {
		c.st.Ends.Set(k, end)
	} else {
		c.st.Ends.Set(k, plus(end, c.lateness))
	}
}

// added makes the panes that a new record brings, and sees to later ones.
func (c *Core[K, A, In, Out]) added(k K, s Span, a *Acc[A], progress int64) error {
	switch {
	case s.End <= progress:
		return c.fire(k, s, a, AfterTime)
	case c.cfg.EarlyCount > 0 && a.New >= c.cfg.EarlyCount:
		return c.fire(k, s, a, Early)
	case c.early > 0 && a.New == 1:
		c.st.Early.Set(k, plus(c.now, c.early))
	}
	return nil
}

// fire emits a pane of a window and notes that it did.
func (c *Core[K, A, In, Out]) fire(k K, s Span, a *Acc[A], timing Timing) error {
	p := Pane[K, Out]{Key: k, Span: s, Timing: timing, Time: c.stamp(s, a.Last), Out: c.agg.Result(&a.A)}
	a.New = 0
	a.Fired = a.Fired || timing != Early
	if !c.cfg.Accumulate {
		var none A
		a.A = none
	}
	return c.emit(p)
}

// stamp is the event time of a result. At the end of input, too, it is not before a watermark that was told.
func (c *Core[K, A, In, Out]) stamp(s Span, last int64) int64 {
	if c.cfg.Processing || c.w.kind == counted || s.End == Forever {
		return max(last, c.seen)
	}
	return s.End - 1
}

// AdvanceTo says that the watermark is w: records that come from now on are not older, but for late ones. It emits what is due and returns the
// output watermark. gearcore.Idle changes nothing; gearcore.End ends every window, also those of the clock, but those that count.
func (c *Core[K, A, In, Out]) AdvanceTo(w int64) (int64, error) {
	if w == Forever-1 {
		return w, nil
	}
	c.mark = max(c.mark, w)
	if w < Forever {
		c.seen = max(c.seen, w)
	} else {
		c.now = Forever
	}
	if !c.cfg.Processing || w == Forever {
		if err := c.st.Ends.Due(c.progress(), c.ended); err != nil {
			return c.out, err
		}
	}
	if c.early > 0 && w == Forever { // all windows are over: the clock is not asked for any more
		if err := c.st.Early.Due(Forever, c.reminded); err != nil {
			return c.out, err
		}
	}
	c.out = max(c.out, c.hold())
	return c.out, nil
}

// hold is the output watermark that the watermark allows: results are not older. Those on time are as old as their windows' last
// moments, which the watermark has not reached before it ends them; only late ones can be older, by the lateness at most. A late record may
// be the first of its window, so what is kept says nothing about them.
func (c *Core[K, A, In, Out]) hold() int64 {
	if c.cfg.HoldLate && c.mark < Forever && c.w.kind != global {
		return c.mark - c.lateness
	}
	return c.mark
}

// ClockTo says what the clock shows, in milliseconds since 1970, and emits what is due by it. It never goes back.
func (c *Core[K, A, In, Out]) ClockTo(now int64) error {
	if now <= c.now {
		return nil
	}
	c.now = now
	if c.cfg.Processing {
		if err := c.st.Ends.Due(now, c.ended); err != nil {
			return err
		}
	}
	if c.early > 0 {
		return c.st.Early.Due(now, c.reminded)
	}
	return nil
}

// NextClock is when ClockTo has something to do; ok is false while it has nothing.
func (c *Core[K, A, In, Out]) NextClock() (at int64, ok bool) {
	at = Forever
	if c.cfg.Processing {
		if next, some := c.st.Ends.Next(); some {
			at = next
		}
	}
	if c.early > 0 {
		if next, some := c.st.Early.Next(); some {
			at = min(at, next)
		}
	}
	return at, at < Forever
}

// end does what is due for k at that moment.
func (c *Core[K, A, In, Out]) end(k K, at int64) error {
	switch {
	case c.sliced:
		return c.endSlices(k, at)
	case c.w.kind == session:
		c.find(k)
		for _, p := range c.found {
			if err := c.endWindow(k, p.span, at); err != nil {
				return err
			}
		}
		return nil
	case c.w.kind == global:
		return c.endWindow(k, Span{0, Forever}, at)
	}
	if err := c.endWindow(k, Span{at - c.w.size, at}, at); err != nil || c.lateness == 0 {
		return err
	}
	return c.endWindow(k, Span{at - c.lateness - c.w.size, at - c.lateness}, at)
}

// endWindow makes the pane on time of a window that ends now, and forgets one that is over.
func (c *Core[K, A, In, Out]) endWindow(k K, s Span, at int64) error {
	over := plus(s.End, c.lateness)
	if s.End != at && over != at {
		return nil
	}
	a, found := c.st.Panes.Get(k, s)
	if !found {
		return nil
	}
	if over == at {
		c.st.Panes.Delete(k, s)
	}
	if s.End == at && !a.Fired {
		timing, empty := OnTime, a.New == 0 && !c.cfg.Accumulate
		if over > at {
			c.st.Ends.Set(k, over)
			p, _ := c.st.Panes.Ref(k, s)
			p.Fired = true
			if empty {
				return nil
			}
			return c.fire(k, s, p, timing)
		}
		if !empty {
			return c.fire(k, s, &a, timing)
		}
	}
	return nil
}

// remind makes the early panes of k.
func (c *Core[K, A, In, Out]) remind(k K, _ int64) error {
	c.find(k)
	for _, p := range c.found {
		if p.acc.New == 0 || p.span.End <= c.progress() {
			continue
		}
		a, _ := c.st.Panes.Ref(k, p.span)
		if err := c.fire(k, p.span, a, Early); err != nil {
			return err
		}
	}
	return nil
}

// find lists what is kept of k, by time.
func (c *Core[K, A, In, Out]) find(k K) {
	clear(c.found)
	c.found = c.found[:0]
	c.st.Panes.Each(k, c.gather)
	if len(c.found) > 1 {
		slices.SortFunc(c.found, func(a, b piece[A]) int { return cmp.Compare(a.span.Start, b.span.Start) })
	}
}
