package streamtest

import (
	"cmp"
	"slices"
	"time"
)

// clock is the time of a test. It implements stream.Clock, and for the engine engine.Clock by engineClock.
type clock struct {
	now    time.Duration
	alarms []*alarm // by time, those of one moment in the order in which they were set
}

type alarm struct {
	at time.Duration
	f  func()
}

// begin is what the clock shows first: late enough that no event of a test is from the future.
var begin = time.Unix(4e9, 0).UTC()

func (c *clock) Now() time.Time { return begin.Add(c.now) }

func (c *clock) AfterFunc(d time.Duration, f func()) func() {
	a := &alarm{c.now + max(d, 0), f}
	i, _ := slices.BinarySearchFunc(c.alarms, a, func(b, a *alarm) int {
		if b.at <= a.at {
			return -1
		}
		return cmp.Compare(b.at, a.at)
	})
	c.alarms = slices.Insert(c.alarms, i, a)
	return func() {
		if i := slices.Index(c.alarms, a); i >= 0 {
			c.alarms = slices.Delete(c.alarms, i, i+1)
		}
	}
}

// next returns when the next alarm is.
func (c *clock) next() (at time.Duration, ok bool) {
	if len(c.alarms) == 0 {
		return 0, false
	}
	return c.alarms[0].at, true
}

// ring calls what is due.
func (c *clock) ring() {
	for len(c.alarms) > 0 && c.alarms[0].at <= c.now {
		f := c.alarms[0].f
		c.alarms = c.alarms[1:]
		f()
	}
}

// engineClock is the clock as the engine reads it.
type engineClock struct{ *clock }

func (c engineClock) Now() time.Duration { return c.now }
