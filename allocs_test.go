//go:build !race

// The race detector allocates by itself.

package gearstorm_test

import (
	"runtime"
	"testing"
)

// TestWayStaysInItsBudget counts the allocations of a tuple on the whole way from an SDK spout over an SDK bolt to
// another, under RunLocal with its metrics.
func TestWayStaysInItsBudget(t *testing.T) {
	const warm, span = 300_000, 300_000
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			w.run(t)
			w.reach(t, warm)
			best := 1e9
			for range 20 { // what the tests before left behind may still allocate
				var m0, m1 runtime.MemStats
				runtime.ReadMemStats(&m0)
				from := w.total.Load()
				w.reach(t, from+span)
				done := w.total.Load() - from
				runtime.ReadMemStats(&m1)
				if best = min(best, float64(m1.Mallocs-m0.Mallocs)/float64(done)); best <= w.budget {
					break
				}
			}
			t.Logf("%.5f allocations a tuple", best)
			if best > w.budget {
				t.Errorf("%.5f allocations a tuple, the budget is %v", best, w.budget)
			}
		})
	}
}

// TestHeapFloor: strings of their own around a heap that is nearly empty are collected every 128 MiB or so under RunLocal,
// not every 4 MiB as Go would.
func TestHeapFloor(t *testing.T) {
	t.Setenv("GOGC", "")
	w := &way{next: emitFresh, pass: passAny, budget: 1}
	w.run(t)
	w.reach(t, 100_000)
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	w.reach(t, w.total.Load()+4_000_000)
	runtime.ReadMemStats(&m1)
	made, cycles := (m1.TotalAlloc-m0.TotalAlloc)>>20, m1.NumGC-m0.NumGC
	if made < 256 || uint64(cycles) > made/32+2 {
		t.Errorf("%d MiB were collected in %d cycles", made, cycles)
	}
	t.Logf("%d MiB in %d cycles", made, cycles)
}
