package metrics

import (
	"math"
	"math/bits"
	"time"
)

// Histogram counts durations in base-2 exponential buckets, as OpenTelemetry and Prometheus' native histograms do: at
// scale s bucket i holds what is above 2^(i/2^s) nanoseconds, up to 2^((i+1)/2^s). It begins at scale 3, where a
// bucket is 9 % wide, and halves its resolution whenever the values would need more than maxHistogram buckets; so its
// memory is bounded, and any two histograms can be added up. The zero Histogram is empty. It is not safe for concurrent
// use; copies share their counts, Clone does not.
type Histogram struct {
	coarse int8  // how often the resolution was halved: the scale is 3 less this
	low    int32 // bucket of counts[0]
	counts []uint64
	n      uint64
	sum    float64 // nanoseconds
}

const (
	finest       = 3
	maxHistogram = 160
	maxCoarse    = 3 // a doubling in a bucket; 160 of them hold any duration
)

// roots are 2^(k/8), scaled to 2^63, for k = 1 to 7, and an end that nothing reaches.
var roots = func() (r [8]uint64) {
	for k := range 7 {
		r[k] = uint64(math.Exp2(float64(k+1)/8) * (1 << 63))
	}
	r[7] = math.MaxUint64
	return r
}()

// guess says how many roots lie at or below the sixteenth of [1, 2) that begins at i/16.
var guess = func() (g [16]uint8) {
	for i := range g {
		for g[i] < 7 && roots[g[i]] <= 1<<63+uint64(i)<<59 {
			g[i]++
		}
	}
	return g
}()

// bucketOf is the bucket of ns, at least 1, at the finest scale.
func bucketOf(ns uint64) int32 {
	e := bits.Len64(ns) - 1
	if ns&(ns-1) == 0 {
		return int32(e<<finest) - 1 // the upper bound belongs to a bucket
	}
	m := ns << (63 - e)
	k := guess[m>>59&15]
	if m > roots[k] {
		k++
	}
	return int32(e<<finest) + int32(k)
}

// Record counts n values of d. What is below a nanosecond counts as one.
func (h *Histogram) Record(d time.Duration, n int) {
	h.n += uint64(n)
	h.sum += float64(d) * float64(n)
	i := bucketOf(uint64(max(d, 1))) >> h.coarse
	if at := int(i - h.low); uint(at) < uint(len(h.counts)) {
		h.counts[at] += uint64(n)
		return
	}
	h.add(i, uint64(n))
}

// add counts n in bucket i, making room for it.
func (h *Histogram) add(i int32, n uint64) {
	if len(h.counts) == 0 {
		h.low = i
		h.counts = append(h.counts, n)
		return
	}
	for span(h.low, h.last(), i) > maxHistogram {
		h.halve()
		i >>= 1
	}
	switch {
	case i < h.low:
		more := make([]uint64, int(h.last()-i)+1)
		copy(more[h.low-i:], h.counts)
		h.low, h.counts = i, more
	case i > h.last():
		h.counts = append(h.counts, make([]uint64, i-h.last())...)
	}
	h.counts[i-h.low] += n
}

// last is the bucket of the last count.
func (h *Histogram) last() int32 { return h.low + int32(len(h.counts)) - 1 }

// span is how many buckets reach over low to last and i.
func span(low, last, i int32) int { return int(max(last, i)-min(low, i)) + 1 }

// halve puts every two buckets into one.
func (h *Histogram) halve() {
	low := h.low >> 1
	for k, n := range h.counts {
		to := (h.low+int32(k))>>1 - low
		if int(to) != k {
			h.counts[k] = 0
			h.counts[to] += n
		}
	}
	h.counts = h.counts[:(h.last()>>1)-low+1]
	h.low = low
	h.coarse++
}

// Add adds what o counted; o is not changed.
func (h *Histogram) Add(o *Histogram) {
	for h.coarse < o.coarse && h.coarse < maxCoarse {
		h.halve()
	}
	for k, n := range o.counts {
		if n > 0 {
			// h may get coarser on the way.
			h.add((o.low+int32(k))>>(h.coarse-o.coarse), n)
		}
	}
	h.n += o.n
	h.sum += o.sum
}

// Sub takes away what o counted, which must be an earlier state of h.
func (h *Histogram) Sub(o *Histogram) {
	for k, n := range o.counts {
		if at := (o.low+int32(k))>>(h.coarse-o.coarse) - h.low; n > 0 && uint(at) < uint(len(h.counts)) {
			h.counts[at] -= min(n, h.counts[at])
		}
	}
	h.n -= min(o.n, h.n)
	h.sum = max(h.sum-o.sum, 0)
}

// Clone returns a copy that shares nothing.
func (h *Histogram) Clone() Histogram {
	c := *h
	c.counts = append([]uint64(nil), h.counts...)
	return c
}

// Count is how many values were recorded.
func (h *Histogram) Count() uint64 { return h.n }

// Sum is the sum of the values.
func (h *Histogram) Sum() time.Duration { return duration(h.sum) }

// duration rounds to a nanosecond, at most the largest there is.
func duration(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(ns))
}

// Quantile returns a value that a share q of the values (0 to 1) does not exceed, to the width of a bucket; 0 without
// values. Values within a bucket are taken as evenly spread over its logarithm.
func (h *Histogram) Quantile(q float64) time.Duration {
	all := uint64(0)
	for _, n := range h.counts {
		all += n
	}
	if all == 0 {
		return 0
	}
	rank := min(max(q, 0), 1) * float64(all)
	for k, n := range h.counts {
		if n > 0 && float64(n) >= rank {
			return duration(h.bound(float64(h.low) + float64(k) + rank/float64(n)))
		}
		rank -= float64(n)
	}
	return duration(h.bound(float64(h.last()) + 1))
}

// bound is the lower bound of bucket i in nanoseconds.
func (h *Histogram) bound(i float64) float64 { return math.Exp2(math.Ldexp(i, int(h.coarse)-finest)) }

// atMost is how many values are at most 2^k nanoseconds, exact for every scale that is not negative.
func (h *Histogram) atMost(k int) (n uint64) {
	end := int32(k<<finest) >> h.coarse // buckets below it end at or below 2^k
	for i, c := range h.counts {
		if h.low+int32(i) >= end {
			break
		}
		n += c
	}
	return n
}
