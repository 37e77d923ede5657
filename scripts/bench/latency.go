package main

import (
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// histogram counts durations by bucket. Buckets are 1/32 of a power of two wide; Probe.java has the same.
type histogram map[int]int64

func bucket(ns int64) int {
	v := uint64(max(ns, 0))
	shift := max(0, bits.Len64(v)-6)
	return shift*32 + int(v>>shift)
}

// upper is the largest duration of a bucket, in ns.
func upper(bucket int) int64 {
	if bucket < 64 {
		return int64(bucket)
	}
	shift := bucket/32 - 1
	return int64(bucket-shift*32+1)<<shift - 1
}

// percentile returns the duration that a share p of h does not exceed; 0 if h is empty.
func (h histogram) percentile(p float64) time.Duration {
	var all int64
	for _, n := range h {
		all += n
	}
	rest := int64(p * float64(all))
	for _, b := range slices.Sorted(maps.Keys(h)) {
		if rest -= h[b]; rest < 0 {
			return time.Duration(upper(b))
		}
	}
	if all == 0 {
		return 0
	}
	return time.Duration(upper(slices.Max(slices.Collect(maps.Keys(h)))))
}

// since returns what h has over old.
func (h histogram) since(old histogram) histogram {
	out := histogram{}
	for b, n := range h {
		if d := n - old[b]; d > 0 {
			out[b] = d
		}
	}
	return out
}

// timings is a histogram that grows; any goroutine may use it.
type timings struct {
	mu sync.Mutex
	h  histogram
}

func (t *timings) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.h == nil {
		t.h = histogram{}
	}
	t.h[bucket(int64(d))]++
}

func (t *timings) read() histogram {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.h)
}
