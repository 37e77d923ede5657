package main

import (
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	for ns := range int64(100_000) {
		b := bucket(ns)
		if up := upper(b); ns > up || up-ns > max(0, ns/32) {
			t.Fatalf("%d ns are in bucket %d, up to %d ns", ns, b, up)
		}
		if bucket(upper(b)+1) != b+1 {
			t.Fatalf("after bucket %d, which ends at %d, comes %d", b, upper(b), bucket(upper(b)+1))
		}
	}
	h := histogram{}
	for us := range int64(1000) {
		h[bucket(us*1000)]++
	}
	for p, want := range map[float64]time.Duration{.5: 500, .99: 990, 1: 999} {
		if got := h.percentile(p).Microseconds(); got < int64(want) || got > int64(want)*33/32 {
			t.Errorf("percentile %v is %d us, want about %d", p, got, want)
		}
	}
	if got := h.since(histogram{bucket(0): 1}); got[bucket(0)] != 0 || len(got) != len(h)-1 {
		t.Error("what was there before is still there")
	}
	if (histogram{}).percentile(.5) != 0 {
		t.Error("no latency has a percentile")
	}
}
