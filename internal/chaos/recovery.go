package chaos

import (
	"sort"
	"time"
)

// sampleEvery is how often throughput is looked at.
const sampleEvery = 50 * time.Millisecond

// Sample is how many numbers had arrived at a moment, each counted once.
type Sample struct {
	At   time.Time
	Seen uint64
}

// enough is the part of the throughput before a fault that counts as recovered.
const enough = 0.9

// dipSpan and fullSpan are what is averaged: over the first a dip is noticed, over the second its end.
const (
	dipSpan  = 100 * time.Millisecond
	fullSpan = time.Second
)

// rate is the arrivals a second between from and to; samples are in order. False if they do not reach that far.
func rate(samples []Sample, from, to time.Time) (float64, bool) {
	i := firstAfter(samples, from) - 1
	j := sort.Search(len(samples), func(i int) bool { return !samples[i].At.Before(to) })
	if i < 0 || j == len(samples) || j <= i {
		return 0, false
	}
	first, last := samples[i], samples[j]
	return float64(last.Seen-first.Seen) / last.At.Sub(first.At).Seconds(), true
}

// firstAfter is the place of the first sample after a moment.
func firstAfter(samples []Sample, at time.Time) int {
	return sort.Search(len(samples), func(i int) bool { return samples[i].At.After(at) })
}

// soon is how long after a fault its effect begins at most; a dip later than that is counted from its own beginning.
const soon = time.Second

// recovered measures a fault at the moment at, before which before records arrived a second. dip is the lowest throughput
// after it as a part of before. took is the longest time until the throughput was up again to stay for a second: from the
// fault on, or from where it fell later. It is 0 if it never fell below 90 %. done is false while it is down.
func recovered(samples []Sample, at time.Time, before float64) (took time.Duration, dip float64, done bool) {
	dip, done = 1.0, true
	var fell time.Time // of the dip that goes on
	for _, s := range samples[firstAfter(samples, at.Add(-1)):] {
		r, ok := rate(samples, s.At, s.At.Add(dipSpan))
		if !ok {
			break
		}
		dip = min(dip, r/before)
		switch full, ok := rate(samples, s.At, s.At.Add(fullSpan)); {
		case done && r < enough*before:
			fell, done = s.At, false
			if s.At.Sub(at) <= soon {
				fell = at
			}
		case !done && ok && full >= enough*before && r >= enough*before:
			took, done = max(took, s.At.Sub(fell)), true
		}
	}
	return took, dip, done
}
