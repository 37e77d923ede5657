package window

import (
	"testing"
	"time"
)

// The machine's clock is set forward and back: windows' time goes on.
func TestClockIsSet(t *testing.T) {
	var c Clock
	start := time.UnixMilli(1_700_000_000_000)
	for i, s := range []struct {
		passed, wall, want time.Duration // since the beginning
	}{
		{0, 0, 0},
		{time.Second, time.Second, time.Second},
		{2 * time.Second, time.Hour, time.Hour},                                   // set forward
		{4 * time.Second, 4 * time.Second, time.Hour + time.Second},               // and back
		{4 * time.Second, 4 * time.Second, time.Hour + time.Second},               // at the same time
		{3 * time.Second, 4 * time.Second, time.Hour + time.Second},               // another goroutine was slower
		{time.Hour, time.Hour, time.Hour + time.Second + 3596*time.Second/2},      // it goes on by half
		{3 * time.Hour, 3 * time.Hour, 3 * time.Hour},                             // and is caught up with
		{3*time.Hour + time.Minute, 3*time.Hour + time.Minute, 181 * time.Minute}, // then both are the same
	} {
		if got := time.Duration(c.Now(start.Add(s.wall), s.passed)-start.UnixMilli()) * time.Millisecond; got != s.want {
			t.Errorf("step %d: %v, want %v", i, got, s.want)
		}
	}
}

// A task that begins with what another process had goes on from there.
func TestClockReaches(t *testing.T) {
	var c Clock
	c.Reach(2000)
	c.Reach(1000)
	for i, want := range []int64{2000, 2500} {
		if got := c.Now(time.UnixMilli(500), time.Hour+time.Duration(i)*time.Second); got != want {
			t.Errorf("it is %d, want %d", got, want)
		}
	}
}
