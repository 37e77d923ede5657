package clock

import (
	"fmt"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Stall says that the clock of a topology stands, and who is the first that holds it up.
type Stall struct {
	Clock     gearcore.Watermark
	For       time.Duration // how long it has not moved
	Component string        // the first one at Clock, from the sources on
	Tasks     []gearcore.TaskID
}

// String is for people.
func (s *Stall) String() string {
	ids := make([]string, len(s.Tasks))
	for i, t := range s.Tasks {
		ids[i] = fmt.Sprint(t)
	}
	if s.Clock == 0 {
		return fmt.Sprintf("no watermark has come for %v: the first without one is %s, task %s", s.For.Round(time.Second), s.Component, strings.Join(ids, ", "))
	}
	return fmt.Sprintf("the clock has stood at %s for %v: the first at it is %s, task %s", Format(s.Clock), s.For.Round(time.Second), s.Component, strings.Join(ids, ", "))
}

// Watch finds stalls. The zero value with a limit is ready.
type Watch struct {
	// Limit is how long a clock may stand.
	Limit      time.Duration
	begun      bool
	generation uint64
	clock      gearcore.Watermark
	moved      time.Duration // when it was seen first at clock
}

// See takes a View in at a time that never goes back, and returns the verdict: nil if the clock moves, or need not as everybody is idle or
// has ended.
func (w *Watch) See(now time.Duration, v View) *Stall {
	if !w.begun || v.Generation != w.generation || v.Min != w.clock || len(v.Components) == 0 {
		w.begun, w.generation, w.clock, w.moved = true, v.Generation, v.Min, now
		return nil
	}
	if v.Min >= gearcore.Idle || now-w.moved < w.Limit {
		return nil
	}
	for _, c := range v.Components {
		if c.Min == v.Min {
			return &Stall{Clock: v.Min, For: now - w.moved, Component: c.Name, Tasks: c.Tasks}
		}
	}
	return nil // not reached: the minimum is somebody's
}

// Format writes a watermark for people.
func Format(w gearcore.Watermark) string {
	switch w {
	case 0:
		return "none"
	case gearcore.Idle:
		return "idle"
	case gearcore.End:
		return "end"
	}
	return time.UnixMilli(int64(w)).UTC().Format("2006-01-02T15:04:05.000Z")
}
