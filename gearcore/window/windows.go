package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Span is a window: from Start up to, but without, End. Both are milliseconds since 1970, or numbers of records of the key.
type Span struct{ Start, End int64 }

// Forever is the end of the global window.
const Forever int64 = math.MaxInt64

type kind uint8

const (
	sliding kind = iota // also tumbling
	session
	global
	counted
)

// Windows says which windows a record is in. The functions below make one.
type Windows struct {
	kind               kind
	size, slide        int64
	offset             int64
	duration, interval time.Duration
}

// Tumbling windows are of one size and do not overlap. They begin at multiples of size since 1970 plus Offset.
func Tumbling(size time.Duration) Windows { return Sliding(size, size) }

// Sliding windows are of one size, and one begins at every multiple of slide since 1970 plus Offset: a record is in size/slide of them.
func Sliding(size, slide time.Duration) Windows {
	return Windows{kind: sliding, size: size.Milliseconds(), slide: slide.Milliseconds(), duration: size, interval: slide}
}

// Offset moves the windows of a grid, for days that do not begin at midnight in Greenwich, say.
func (w Windows) Offset(d time.Duration) Windows {
	w.offset = d.Milliseconds()
	return w
}

// Session windows hold records of which each is less than gap after another; so they grow, and merge. The aggregator has to be able to merge.
func Session(gap time.Duration) Windows {
	return Windows{kind: session, size: gap.Milliseconds(), duration: gap, interval: gap}
}

// Global is one window for all records of a key, which ends with its input. It is of use with early panes.
func Global() Windows { return Windows{kind: global} }

// CountTumbling windows hold n records of a key each. Fewer that are left at the end of the input make none.
func CountTumbling(n int64) Windows { return CountSliding(n, n) }

// CountSliding windows hold the newest n records of a key, or as many as there are, and one ends with every slide-th.
func CountSliding(n, slide int64) Windows { return Windows{kind: counted, size: n, slide: slide} }

// MaxOverlap bounds in how many windows a record may be.
const MaxOverlap = 10_000

const maxSize = 100 * 366 * 24 * time.Hour

func (w Windows) validate() error {
	if w.kind == global {
		return nil
	}
	if w.kind == counted {
		if w.slide < 1 || w.slide > w.size || w.size > math.MaxInt32 {
			return fmt.Errorf("windows of %d records, one every %d: the slide is at least 1 and at most the size", w.size, w.slide)
		}
	} else if w.duration != w.duration.Truncate(time.Millisecond) || w.interval != w.interval.Truncate(time.Millisecond) ||
		w.duration < time.Millisecond || w.duration > maxSize {
		return fmt.Errorf("windows of %v, one every %v: times are whole milliseconds, from one up to a hundred years", w.duration, w.interval)
	}
	if w.kind == session {
		return nil
	}
	if w.slide < 1 || w.slide > w.size {
		return fmt.Errorf("windows of %v, one every %v: the slide is at least 1 ms and at most the size", w.duration, w.interval)
	}
	if (w.size-1)/w.slide+1 > MaxOverlap {
		return fmt.Errorf("a record would be in %d windows: %d are allowed", (w.size-1)/w.slide+1, MaxOverlap)
	}
	return nil
}

// last is the start of the last window of the grid that t is in.
func (w Windows) last(t int64) int64 {
	r := (t - w.offset) % w.slide
	if r < 0 {
		r += w.slide
	}
	return t - r
}

// ends reports whether a window of the grid ends at t.
func (w Windows) ends(t int64) bool { return w.last(t-w.size) == t-w.size }

// slice is the slice that t is in: time cut wherever some window begins or ends.
func (w Windows) slice(t int64) Span {
	start := w.last(t)
	cut := start + w.size%w.slide
	switch {
	case cut == start:
		return Span{start, start + w.slide}
	case t < cut:
		return Span{start, cut}
	}
	return Span{cut, start + w.slide}
}

// nextEnd is where the first window ends that holds s whole and ends after t; ok is false if all have ended.
func (w Windows) nextEnd(s Span, t int64) (end int64, ok bool) {
	last := w.last(s.Start) + w.size
	end = last - (last-s.End)/w.slide*w.slide
	if end <= t {
		end += (t - end + w.slide) / w.slide * w.slide
	}
	return end, end <= last
}

var errMerge = errors.New("session windows grow together: their aggregator needs Merge")

// plus adds without going past Forever.
func plus(t, d int64) int64 {
	if t > Forever-d {
		return Forever
	}
	return t + d
}
