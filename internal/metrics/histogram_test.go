package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every value lies in the bucket that the definition says.
func TestBucketBounds(t *testing.T) {
	check := func(v uint64) {
		t.Helper()
		i := bucketOf(v)
		lo, hi := math.Exp2(float64(i)/8), math.Exp2(float64(i+1)/8)
		if f := float64(v); f <= lo*(1-1e-15) || f > hi*(1+1e-15) {
			t.Fatalf("%d is in bucket %d, which reaches from %g to %g", v, i, lo, hi)
		}
	}
	for v := uint64(1); v < 1<<16; v++ {
		check(v)
	}
	for e := range 63 {
		for k := range 8 {
			near := uint64(math.Exp2(float64(e) + float64(k)/8))
			for d := range uint64(5) {
				if v := near + d - 2; v > 0 && v < 1<<62 {
					check(v)
				}
			}
		}
	}
	if i := bucketOf(1 << 10); i != 79 {
		t.Errorf("1024 is in bucket %d, want 79: an upper bound belongs to its bucket", i)
	}
}

func TestQuantilesAreCloseToTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name  string
		draw  func() time.Duration
		width float64 // relative error allowed
	}{
		{"even", func() time.Duration { return time.Duration(1 + r.IntN(1_000_000)) }, 0.09},
		{"one value", func() time.Duration { return 20 * time.Microsecond }, 0.09},
		{"exponential", func() time.Duration { return time.Duration(1000 + r.ExpFloat64()*50_000) }, 0.09},
		{"many orders of magnitude", func() time.Duration { return time.Duration(math.Exp2(5 + r.Float64()*50)) }, 0.4},
	} {
		var h Histogram
		var all []time.Duration
		for range 20_000 {
			d := c.draw()
			all = append(all, d)
			h.Record(d, 1)
		}
		slices.Sort(all)
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999} {
			want, got := float64(all[int(q*float64(len(all)))]), float64(h.Quantile(q))
			if math.Abs(got-want) > c.width*want {
				t.Errorf("%s: quantile %g is %v, want %v", c.name, q, time.Duration(got), time.Duration(want))
			}
		}
		if len(h.counts) > maxHistogram {
			t.Errorf("%s: %d buckets", c.name, len(h.counts))
		}
	}
}

// Sums of parts in any order are the whole; taking a part away leaves the rest.
func TestHistogramsAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		var whole Histogram
		parts := make([]Histogram, 5)
		spread := 1 + 50*r.Float64()
		for range 500 {
			d, n := time.Duration(math.Exp2(r.Float64()*spread)), 1+r.IntN(3)
			whole.Record(d, n)
			parts[r.IntN(len(parts))].Record(d, n)
		}
		var sum Histogram
		for _, i := range r.Perm(len(parts)) {
			sum.Add(&parts[i])
		}
		if sum.Count() != whole.Count() || math.Abs(float64(sum.Sum()-whole.Sum())) > 1e-6*float64(whole.Sum()) {
			t.Fatalf("round %d: %d values of %v in the sum, want %d of %v", round, sum.n, sum.Sum(), whole.n, whole.Sum())
		}
		same := func(what string, a, b Histogram) {
			t.Helper()
			for a.coarse < b.coarse {
				a.halve()
			}
			for b.coarse < a.coarse {
				b.halve()
			}
			if d := cmp.Diff(nonZero(&a), nonZero(&b)); d != "" {
				t.Fatalf("round %d, %s (-a +b):\n%s", round, what, d)
			}
		}
		same("sum and whole", sum.Clone(), whole.Clone())
		rest := sum.Clone()
		rest.Sub(&parts[0])
		var others Histogram
		for i := range parts[1:] {
			others.Add(&parts[1+i])
		}
		same("rest and others", rest, others)
	}
}

func nonZero(h *Histogram) map[int32]uint64 {
	out := map[int32]uint64{}
	for k, n := range h.counts {
		if n > 0 {
			out[h.low+int32(k)] = n
		}
	}
	return out
}

func TestHistogramAtItsEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.atMost(63) != 0 {
		t.Error("an empty histogram has values")
	}
	for _, d := range []time.Duration{-5, 0, 1, math.MaxInt64} {
		h.Record(d, 1)
	}
	if got := h.atMost(0); got != 3 || h.Count() != 4 {
		t.Errorf("%d of %d values are at most 1 ns, want 3 of 4", got, h.Count())
	}
	if q := h.Quantile(1); q < math.MaxInt64/2 {
		t.Errorf("the largest value is %v", q)
	}
	h = Histogram{}
	for range 1000 {
		h.Record(1<<20, 1)
		h.Record(1<<20+1, 1)
	}
	if got := h.atMost(20); got != 1000 {
		t.Errorf("%d values are at most 2^20, want 1000", got)
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	var h Histogram
	h.Record(1000, 1)
	h.Record(1_000_000, 1)
	d := time.Duration(1000)
	if n := testing.AllocsPerRun(1000, func() { h.Record(d, 1); d = (d*7+13)%900_000 + 1000 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	d := time.Duration(1000)
	for b.Loop() {
		h.Record(d, 1)
		d = (d*7 + 13) & (1<<20 - 1)
	}
}
