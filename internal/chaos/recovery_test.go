package chaos

import (
	"testing"
	"time"
)

// curve makes samples: each step is a number of samples and the arrivals between two of them.
func curve(steps ...[2]int) (samples []Sample) {
	at, seen := time.Unix(1000, 0), uint64(0)
	samples = append(samples, Sample{at, seen})
	for _, s := range steps {
		for range s[0] {
			at, seen = at.Add(sampleEvery), seen+uint64(s[1])
			samples = append(samples, Sample{at, seen})
		}
	}
	return samples
}

func TestRecovered(t *testing.T) {
	const full = 100 // a sample
	per := float64(full) / sampleEvery.Seconds()
	for _, tc := range []struct {
		name     string
		after    [][2]int
		took     int // samples
		low, top float64
		done     bool
	}{
		{"never fell", [][2]int{{60, full}}, 0, 1, 1, true},
		{"a little slower", [][2]int{{60, 95}}, 0, 0.94, 0.96, true},
		{"down and up", [][2]int{{20, 0}, {60, full}}, 20, 0, 0.01, true},
		{"half and up", [][2]int{{10, 50}, {60, full}}, 10, 0.49, 0.51, true},
		{"soon", [][2]int{{10, full}, {10, 0}, {60, full}}, 20, 0, 0.01, true},
		{"later", [][2]int{{40, full}, {10, 0}, {60, full}}, 10, 0, 0.01, true},
		{"twice", [][2]int{{5, 0}, {40, full}, {30, 0}, {60, full}}, 30, 0, 0.01, true},
		{"up for too short a time", [][2]int{{10, 0}, {5, full}, {10, 0}, {60, full}}, 25, 0, 0.01, true},
		{"still down", [][2]int{{60, 0}}, 0, 0, 0.01, false},
		{"just up", [][2]int{{20, 0}, {5, full}}, 0, 0, 0.01, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			samples := curve(append([][2]int{{20, full}}, tc.after...)...)
			at := samples[20].At
			took, dip, done := recovered(samples, at, per)
			if done != tc.done || dip < tc.low || dip > tc.top {
				t.Errorf("done %v, lowest %.2f, want %v and %.2f to %.2f", done, dip, tc.done, tc.low, tc.top)
			}
			// A sample more or less: throughput is a mean over some.
			if want := time.Duration(tc.took) * sampleEvery; took < want-3*sampleEvery || took > want+3*sampleEvery {
				t.Errorf("took %v, want about %v", took, want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	samples := curve([2]int{100, 10})
	at := func(i int) time.Time { return samples[i].At }
	if r, ok := rate(samples, at(10), at(30)); !ok || r != 10/sampleEvery.Seconds() {
		t.Errorf("%v %v", r, ok)
	}
	if _, ok := rate(samples, at(0).Add(-time.Second), at(30)); ok {
		t.Error("a rate from before the first sample")
	}
	if _, ok := rate(samples, at(10), at(100).Add(time.Second)); ok {
		t.Error("a rate until after the last sample")
	}
	if _, ok := rate(nil, at(10), at(20)); ok {
		t.Error("a rate of nothing")
	}
}
