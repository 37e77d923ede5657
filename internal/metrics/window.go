package metrics

import (
	"strconv"
	"time"
)

// DefaultBuckets is Storm's num.stat.buckets.
const DefaultBuckets = 20

// maxBuckets bounds num.stat.buckets, which costs memory in every counter.
const maxBuckets = 1000

// AllTime is the name of the window that never forgets; the others are called by their length in seconds.
const AllTime = ":all-time"

// windows are the lengths of Storm's windows, in seconds.
var windows = [...]int64{600, 10800, 86400}

// frame is what of a counter's past a window leaves out: the counter's value at each of the last bucket boundaries.
// A window's count is the total less the oldest of them, so it covers the running bucket and buckets-1 whole ones.
type frame struct {
	at   []int64 // ring
	next int     // place of the oldest
}

// series is a counter with windows. The zero series is 0 everywhere; rings are made when first needed.
type series struct {
	total  int64
	frames *[len(windows)]frame
}

// passed notes that n boundaries of window w have passed since the last call, in a table of so many buckets.
func (s *series) passed(w, n, buckets int) {
	if s.frames == nil {
		if s.total == 0 {
			return
		}
		s.frames = new([len(windows)]frame)
	}
	f := &s.frames[w]
	if f.at == nil {
		f.at = make([]int64, buckets)
	}
	for range min(n, buckets) {
		f.at[f.next] = s.total
		f.next = (f.next + 1) % buckets
	}
}

// count returns what was added in window w; len(windows) is all time.
func (s *series) count(w int) int64 {
	if w == len(windows) || s.frames == nil || s.frames[w].at == nil {
		return s.total
	}
	return s.total - s.frames[w].at[s.frames[w].next]
}

// cursor says how far the windows have moved.
type cursor struct {
	start   time.Duration
	moved   [len(windows)]int64 // boundaries passed since start
	buckets int64
}

// advance returns how many boundaries of each window lie between the last call and now, both measured from any fixed
// point. A clock that went back moves nothing.
func (c *cursor) advance(now time.Duration) (n [len(windows)]int, any bool) {
	for w, secs := range windows {
		at := int64(now-c.start) * c.buckets / (secs * int64(time.Second))
		if d := at - c.moved[w]; d > 0 {
			c.moved[w], n[w], any = at, int(d), true
		}
	}
	return n, any
}

// windowNames are the keys of Storm's statistics, in the order of windows, all time last.
var windowNames = func() (names [len(windows) + 1]string) {
	for i, w := range windows {
		names[i] = strconv.FormatInt(w, 10)
	}
	names[len(windows)] = AllTime
	return names
}()
