package window

import (
	"sync"
	"time"
)

// Clock makes of the machine's clock, which people and daemons set, one for windows: it never goes back. After the machine's was set back it goes
// on at half the speed until that has caught up, so windows are longer for a while, and none stands still or comes twice. When the machine's
// is set forward it is as well. The zero Clock is ready for use, by any goroutine.
type Clock struct {
	mu     sync.Mutex
	now    int64         // nanoseconds since 1970
	passed time.Duration // as it was then
	begun  bool          // passed is there
}

// Now returns the time in milliseconds since 1970. wall is what the machine's clock shows, passed how much time has gone by since any fixed moment,
// by a clock that nobody sets (time.Time has one: Sub).
func (c *Clock) Now(wall time.Time, passed time.Duration) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		c.passed, c.begun = passed, true
	}
	c.now = max(wall.UnixNano(), c.now+int64(max(passed-c.passed, 0)/2))
	c.passed = max(c.passed, passed)
	return c.now / int64(time.Millisecond)
}

// Reach says that the time had come to ms already, in milliseconds since 1970, with the one who had the windows before.
func (c *Clock) Reach(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = max(c.now, ms*int64(time.Millisecond))
}
