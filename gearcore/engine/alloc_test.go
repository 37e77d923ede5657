//go:build !race

// The race detector allocates by itself.

package engine

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// In steady state a chain of bolts that keep nothing allocates nothing per tuple.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	for _, c := range []struct {
		name    string
		top     func(total *atomic.Int64) *topology
		pending int
		timing  *Timing
	}{
		{"line", func(n *atomic.Int64) *topology { return lineTopology(0, n) }, 0, nil},
		{"line, acked", func(n *atomic.Int64) *topology { return lineTopology(1, n) }, 1000, nil},
		{"fields", func(n *atomic.Int64) *topology { return fieldsTopology(n, 10_000) }, 0, nil},
		{"shuffle", func(n *atomic.Int64) *topology { return shuffleTopology(n, 8) }, 0, nil},
		{"line with watermarks", func(n *atomic.Int64) *topology { return timedLine(n, false) }, 0, &Timing{}},
		{"line with checkpoints", func(n *atomic.Int64) *topology { return timedLine(n, false) }, 0, &Timing{Checkpoints: true}},
		{"fields with checkpoints", func(n *atomic.Int64) *topology { return timedLine(n, true) }, 0, &Timing{Checkpoints: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var total atomic.Int64
			cfg := c.top(&total).config(t)
			cfg.MaxSpoutPending = func(string) int { return c.pending }
			if cfg.Timing = c.timing; cfg.Timing != nil {
				cfg.Timing.Vault, cfg.Timing.Parts = newMemVault(), func(uint64, string) ([]gearcore.TaskPart, error) { return nil, nil }
			}
			e := start(t, cfg)
			if cfg.Timing != nil && cfg.Timing.Checkpoints {
				withCheckpoints(t, e, 100*time.Millisecond)
			}
			best := 1e9
			from := int64(300_000) // warm by then
			eventually(t, "few allocations", func() bool {
				if total.Load() < from {
					return false
				}
				var m0, m1 runtime.MemStats
				runtime.ReadMemStats(&m0)
				base := total.Load()
				eventually(t, "300,000 tuples", func() bool { return total.Load() >= base+300_000 })
				done := total.Load() - base
				runtime.ReadMemStats(&m1)
				from = total.Load()
				best = min(best, float64(m1.Mallocs-m0.Mallocs)/float64(done))
				return best < 0.01
			})
			t.Logf("%.5f allocations a tuple", best)
		})
	}
}

// Tuples that a bolt keeps stay what they were, whatever comes later.
func TestKeptTuplesStay(t *testing.T) {
	const n = 50_000
	src := &counter{limit: n}
	var kept []gearcore.Tuple
	var count atomic.Int64
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("keep", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, _ *gearcore.Collector) error {
		kept = append(kept, t)
		count.Add(1)
		return nil
	}), from("src", dag.Shuffle))
	_, stop := begin(t, top.config(t))
	eventually(t, "all arrived", func() bool { return count.Load() == n })
	stop()
	for i, tp := range kept {
		if tp.Int(0) != int64(i) {
			t.Fatalf("kept tuple %d says %d", i, tp.Int(0))
		}
	}
}

// Batches for bolts that keep nothing come back to the sender.
func TestBatchesAreReused(t *testing.T) {
	seen := map[*gearcore.Batch]int{}
	var count atomic.Int64
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{limit: 50_000} })
	top.add("sink", dag.Bolt, 1, 1, frugally(func(t gearcore.Tuple, _ *gearcore.Collector) error {
		seen[t.Batch()]++
		count.Add(1)
		return nil
	}), from("src", dag.Shuffle))
	_, stop := begin(t, top.config(t))
	eventually(t, "all arrived", func() bool { return count.Load() == 50_000 })
	stop()
	if len(seen) > 170 {
		t.Errorf("50,000 tuples came in %d different batches", len(seen))
	}
	rows := []int{}
	for _, n := range seen {
		rows = append(rows, n)
	}
	if slices.Max(rows) <= 256 {
		t.Error("no batch was used twice")
	}
}

// A task that has nothing to do takes little memory, also when it was used once. The budgets are for what the engine adds to
// the task itself, about 15 % above what it took when they were set.
func TestIdleTasksTakeLittleMemory(t *testing.T) {
	const n = 20_000
	var total atomic.Int64
	ring := ringTopology(n, n/100, &total)
	untouched := newTopology(0)
	untouched.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	untouched.add("bolt", dag.Bolt, n, n, executes(passOn), from("src", dag.Shuffle))
	for _, c := range []struct {
		name   string
		top    *topology
		ready  func(*Engine) bool
		budget int64
	}{
		{"opened", untouched, func(e *Engine) bool { return phase(e.phase.Load()) == up }, 900},
		{"visited", ring, func(*Engine) bool { return total.Load() >= 20*n }, 1300},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := c.top.config(t)
			before := heapAfterGC()
			e, stop := begin(t, cfg)
			defer stop()
			eventually(t, "all are", func() bool { return c.ready(e) })
			each := (heapAfterGC() - before) / n
			t.Logf("%d bytes a task", each)
			if each > c.budget {
				t.Errorf("a task takes %d bytes, the budget is %d", each, c.budget)
			}
		})
	}
}

// heapAfterGC returns the bytes of live objects. Pools lose what nobody uses with the second collection.
func heapAfterGC() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
