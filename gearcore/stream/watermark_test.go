package stream

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A task that says it has no splits does not keep back the event time of the others; one that has not said so does.
func TestTaskWithoutSplits(t *testing.T) {
	g := newGenerator(Bounded(0), realClock{})
	for _, step := range []struct {
		name string
		do   func()
		want gearcore.Watermark
	}{
		{"nothing is said", func() {}, 0},
		{"there are none", func() { g.keep(nil) }, gearcore.Idle},
		{"there is one", func() { g.keep([]string{"a"}) }, 0},
		{"it has an event", func() { g.enter("a"); g.saw(1000) }, 1000},
		{"it goes", func() { g.keep(nil) }, gearcore.Idle},
	} {
		if step.do(); g.watermark() != step.want {
			t.Errorf("%s: watermark %d, want %d", step.name, g.watermark(), step.want)
		}
	}
}

// Another number of tasks goes on from the least watermark, which is none where one of the tasks before had none.
func TestFewerOrMoreTasks(t *testing.T) {
	for _, c := range []struct {
		floors []int64
		tasks  int
		want   gearcore.Watermark
	}{
		{[]int64{0, 1000}, 3, 0}, {[]int64{1000, 0}, 1, 0}, {[]int64{2000, 0, 1000}, 2, 0}, {[]int64{2000, 1000}, 3, 1000}, {[]int64{0, 1000}, 2, 1000},
	} {
		r := &run{generators: []*generator{newGenerator(Bounded(0), realClock{})}}
		var parts []timeState
		for _, floor := range c.floors {
			parts = append(parts, timeState{{Floor: floor}})
		}
		r.restoreTimes(parts, min(1, c.tasks-1), c.tasks)
		if w := r.watermark(); w != c.want {
			t.Errorf("tasks were at %v, and %d go on from %d, want %d", c.floors, c.tasks, w, c.want)
		}
	}
}

// farClock notes how long an alarm waits.
type farClock struct {
	wall
	wait time.Duration
}

func (c *farClock) AfterFunc(d time.Duration, f func()) func() {
	c.wait = d
	return c.wall.AfterFunc(d, f)
}

// A timer for a moment that is further away than a Duration reaches does not ring at once, again and again.
func TestTimerInTheFarFuture(t *testing.T) {
	var c farClock
	c.set(1_700_000_000)
	k := newKeyed(&run{env: Env{Clock: &c}}, "step")
	for _, year := range []int{2100, 2400, 9999, 200_000} {
		if k.alarm(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), true); c.wait <= 0 {
			t.Errorf("the alarm for the year %d waits for %v", year, c.wait)
		}
		k.at = 0
	}
}
