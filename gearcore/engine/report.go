package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

const (
	idleFor  = time.Second // how long a task does nothing with what there is for it until it counts as stuck
	maxStuck = 8           // tasks of a component that are named
)

// shown is what an executor has shown at the end of its last run.
type shown struct {
	generation uint64
	restored   bool
	now, out   gearcore.Watermark
	aligning   uint64
	missing    gearcore.TaskID // whose marker it waits for; itself, if it has all of them and holds tuples
	since      time.Duration
	stuck      bool
	calls      int // of user code, ever
}

// stand is since when a task has made no call, as reports have seen it.
type stand struct {
	calls int
	since time.Duration
}

// show shows how the task is, at the end of a run, and tells the agent if it is restored.
func (c *timed) show() {
	c.calls += c.x.quota - c.x.calls
	s := shown{generation: c.generation, restored: c.restored, now: c.now, out: c.out, stuck: c.x.stuck, calls: c.calls}
	if c.aligning != 0 {
		s.aligning, s.missing, s.since = c.aligning, c.t.id, c.since
		if c.drain.marker == 0 {
			s.missing = c.channels[c.missing].from
		}
	}
	c.showing.Lock()
	news := s.restored && !(c.shown.restored && c.shown.generation == s.generation)
	c.shown = s
	c.showing.Unlock()
	if news {
		c.in.changed()
	}
}

// Report returns how this worker is: all of it but Worker, Life and Shape. The tasks of __acker and __clock have no part in it.
func (e *Engine) Report() checkpoint.Report {
	s := e.epochs
	if s == nil {
		return checkpoint.Report{}
	}
	now := e.cfg.Clock.Now()
	s.reporting.Lock()
	defer s.reporting.Unlock()
	roster := e.roster.Load()
	o := s.order.Load()
	r := checkpoint.Report{Version: roster.plan.Graph.Version, Shape: roster.shape, Staged: e.Staged(), Generation: o.Generation, Birth: o.Birth.Epoch}
	r.Restored = r.Generation > 0
	clocks := map[string]*checkpoint.Clock{}
	for _, x := range roster.execs {
		c := x.timed
		if c == nil {
			continue
		}
		if roster.coming[x] {
			r.Tasks = append(r.Tasks, c.t.id)
			continue
		}
		c.showing.Lock()
		is := c.shown
		c.showing.Unlock()
		r.Tasks = append(r.Tasks, c.t.id)
		if !is.restored || is.generation != r.Generation {
			r.Restored, r.Unrestored = false, append(r.Unrestored, c.t.id)
		}
		if is.aligning != 0 && is.generation == r.Generation {
			r.Waiting = append(r.Waiting, checkpoint.Wait{Task: c.t.id, For: is.missing, Since: now - is.since})
		}
		k := clocks[x.component]
		if k == nil {
			k = &checkpoint.Clock{Component: x.component, Min: is.now, Out: is.out, Task: c.t.id}
			clocks[x.component] = k
		}
		if earlier(is.now, k.Min) {
			k.Min, k.Task = is.now, c.t.id
		}
		if earlier(is.out, k.Out) {
			k.Out = is.out
		}
		if c.stands(&is, now) && len(k.Stuck) < maxStuck {
			k.Stuck = append(k.Stuck, c.t.id)
		}
	}
	for _, k := range clocks {
		r.Clocks = append(r.Clocks, *k)
	}
	slices.SortFunc(r.Clocks, func(a, b checkpoint.Clock) int { return cmp.Compare(a.Component, b.Component) })
	e.reportEpoch(&r)
	return r
}

// earlier says whether watermark a is before b; not known is before all.
func earlier(a, b gearcore.Watermark) bool { return b != 0 && (a == 0 || a < b) }

// reportEpoch fills in what there is about the newest checkpoint, which may be older than what the caller has read from executors.
func (e *Engine) reportEpoch(r *checkpoint.Report) {
	s := e.epochs
	s.mu.Lock()
	if s.order.Load().Generation == r.Generation {
		r.Epoch, r.Failed, r.Unreadable = s.epoch, s.failure, s.lost
		r.Saved = slices.Clone(s.parts)
	}
	if s.brokenIn == r.Generation {
		r.Broken = s.reason
	}
	o := s.order.Load()
	if o.Generation == r.Generation && o.Cut > r.Epoch { // nobody here has begun it
		r.Epoch, r.Failed, r.Saved = o.Cut, "", nil
	}
	dropped := o.Dropped
	s.mu.Unlock()
	for _, w := range r.Waiting {
		if w.Since > s.cfg.AlignLimit && r.Failed == "" && r.Epoch > dropped {
			r.Failed = w.Text(func(t gearcore.TaskID) string { return e.roster.Load().newest().Layout.ComponentOf(t) })
		}
	}
}

// stands says whether the task has done nothing for long though there was something to do that waited for nobody else.
func (c *timed) stands(is *shown, now time.Duration) bool {
	x := c.x
	x.mu.Lock()
	busy := x.state == running || x.in.used > 0 && is.aligning == 0 && !is.stuck && is.restored
	x.mu.Unlock()
	if !busy || c.stand.calls != is.calls || c.stand.since == 0 {
		c.stand = stand{is.calls, now}
		return false
	}
	return now-c.stand.since > idleFor
}
