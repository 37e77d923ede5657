package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/metrics"
)

// endless emits one string for ever.
type endless struct {
	s     string
	track bool
	n     int64
}

func (s *endless) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *endless) Next(c *gearcore.Collector) error {
	if s.track {
		s.n++
		c.EmitID(gearcore.Long(s.n), s.s)
	} else {
		c.Emit(s.s)
	}
	return nil
}
func (s *endless) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *endless) Fail(gearcore.Value, *gearcore.Collector) {}
func (s *endless) Activate(*gearcore.Collector)             {}
func (s *endless) Deactivate(*gearcore.Collector)           {}
func (s *endless) Close()                                   {}

// frugal is a bolt that keeps nothing.
type frugal struct{ bolt }

func (*frugal) NoRetain() {}

func frugally(f func(t gearcore.Tuple, c *gearcore.Collector) error) func(dag.Task) any {
	return func(dag.Task) any { return &frugal{bolt{execute: f}} }
}

// lineTopology is source -> identity -> sink with a string of 100 bytes.
func lineTopology(ackers int, total *atomic.Int64) *topology {
	top := newTopology(ackers)
	src := &endless{s: strings.Repeat("x", 100), track: ackers > 0}
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("identity", dag.Bolt, 1, 1, frugally(func(t gearcore.Tuple, c *gearcore.Collector) error {
		c.EmitAnchored(t, t.String(0))
		c.Ack(t)
		return nil
	}), from("src", dag.Shuffle))
	n := int64(0)
	top.add("sink", dag.Bolt, 1, 1, frugally(func(t gearcore.Tuple, c *gearcore.Collector) error {
		if n += int64(min(len(t.String(0)), 1)); n&255 == 0 {
			total.Store(n)
		}
		c.Ack(t)
		return nil
	}), from("identity", dag.Shuffle))
	return top
}

// fieldsTopology is a source of words, keys different ones, grouped to 4 counters.
func fieldsTopology(total *atomic.Int64, keys int) *topology {
	top := newTopology(0)
	words := make([]string, 1<<17)
	for i := range words {
		words[i] = fmt.Sprintf("word%05d", rand.IntN(keys))
	}
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &wordy{words: words} })
	top.add("count", dag.Bolt, 4, 4, func(dag.Task) any {
		m := map[string]*int64{}
		n := int64(0)
		return &frugal{bolt{execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
			p := m[t.String(0)]
			if p == nil {
				p = new(int64)
				m[t.String(0)] = p
			}
			*p++
			if n++; n&255 == 0 {
				total.Add(256)
			}
			return nil
		}}}
	}, from("src", dag.Fields, "a"))
	return top
}

type wordy struct {
	endless
	words []string
	i     int
}

func (s *wordy) Next(c *gearcore.Collector) error {
	s.i++
	c.Emit(s.words[s.i&(1<<17-1)])
	return nil
}

func benchmark(b *testing.B, top *topology, total *atomic.Int64, pending int, h gearcore.Hooks) {
	cfg := top.config(b)
	cfg.Hooks = h
	cfg.MaxSpoutPending = func(string) int { return pending }
	start(b, cfg)
	measure(b, total)
}

// measure reports how fast total grows.
func measure(b *testing.B, total *atomic.Int64) {
	b.Helper()
	warm := int64(200_000)
	eventually(b, "warm", func() bool { return total.Load() >= warm })
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	base, cpu := total.Load(), cpuTime()
	b.ResetTimer()
	eventually(b, "done", func() bool { return total.Load() >= base+int64(b.N) })
	b.StopTimer()
	done := total.Load() - base
	runtime.ReadMemStats(&m1)
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "tuples/s")
	b.ReportMetric(float64(cpuTime()-cpu)/float64(done), "cpu-ns/tuple")
	b.ReportMetric(float64(m1.Mallocs-m0.Mallocs)/float64(done), "allocs/tuple")
}

// cpuTime is the processor time of this process, which other load on the machine hardly changes.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkLine(b *testing.B) {
	var total atomic.Int64
	benchmark(b, lineTopology(0, &total), &total, 0, nil)
}

// BenchmarkLineHooked is BenchmarkLine with the counters of a worker.
func BenchmarkLineHooked(b *testing.B) {
	var total atomic.Int64
	top := lineTopology(0, &total)
	benchmark(b, top, &total, 0, tableOf(b, top))
}

func BenchmarkLineAckedHooked(b *testing.B) {
	var total atomic.Int64
	top := lineTopology(1, &total)
	benchmark(b, top, &total, 1000, tableOf(b, top))
}

// tableOf returns what a worker has for Hooks.
func tableOf(tb testing.TB, top *topology) *metrics.Table {
	tb.Helper()
	p := top.plan(tb)
	cfg := metrics.Config{Plan: p}
	for _, x := range p.Executors {
		for id := x.First; id <= x.Last; id++ {
			cfg.Tasks = append(cfg.Tasks, id)
		}
	}
	t, err := metrics.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// BenchmarkLatency sends a tuple about every millisecond through source, identity and sink, and reports how long they
// take from Next to the sink's Execute.
func BenchmarkLatency(b *testing.B) {
	start0 := time.Now()
	took := make([]time.Duration, 0, b.N)
	var arrived atomic.Int64
	next := time.Duration(0)
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any {
		return &nexter{next: func(c *gearcore.Collector) error {
			now := time.Since(start0)
			if now < next {
				return gearcore.ErrIdle
			}
			next = now + 500*time.Microsecond
			c.Emit(int64(now))
			return nil
		}}
	})
	top.add("identity", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, _ *gearcore.Collector) error {
		took = append(took, time.Since(start0)-time.Duration(t.Int(0)))
		arrived.Add(1)
		return nil
	}), from("identity", dag.Shuffle))
	_, stop := begin(b, top.config(b))
	eventually(b, "all arrived", func() bool { return arrived.Load() >= int64(b.N) })
	stop()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-us")
}

func BenchmarkLineAcked(b *testing.B) {
	for _, pending := range []int{1000, 5000, 32768} {
		b.Run(fmt.Sprint(pending), func(b *testing.B) {
			var total atomic.Int64
			benchmark(b, lineTopology(1, &total), &total, pending, nil)
		})
	}
}

func BenchmarkLineFused(b *testing.B) {
	var total atomic.Int64
	top := lineTopology(0, &total)
	top.fuse = func(string) bool { return true }
	benchmark(b, top, &total, 0, nil)
}

func BenchmarkLineFusedHooked(b *testing.B) {
	var total atomic.Int64
	top := lineTopology(0, &total)
	top.fuse = func(string) bool { return true }
	benchmark(b, top, &total, 0, tableOf(b, top))
}

func BenchmarkLineAckedFused(b *testing.B) {
	var total atomic.Int64
	top := lineTopology(1, &total)
	top.fuse = func(string) bool { return true }
	benchmark(b, top, &total, 5000, nil)
}

func BenchmarkFields(b *testing.B) {
	for _, keys := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(keys), func(b *testing.B) {
			var total atomic.Int64
			benchmark(b, fieldsTopology(&total, keys), &total, 0, nil)
		})
	}
}

// BenchmarkShuffle sends constant strings from n sources to n sinks: with 48 of each it should take little more than
// one source and one sink.
func BenchmarkShuffle(b *testing.B) {
	for _, n := range []int{1, 48} {
		b.Run(fmt.Sprintf("%dx%d", n, n), func(b *testing.B) {
			var total atomic.Int64
			benchmark(b, shuffleTopology(&total, n), &total, 0, nil)
		})
	}
}

// shuffleTopology is n sources of one string, shuffled to n sinks.
func shuffleTopology(total *atomic.Int64, n int) *topology {
	top := newTopology(0)
	top.add("src", dag.Spout, n, n, func(dag.Task) any { return &endless{s: strings.Repeat("x", 100)} })
	top.add("sink", dag.Bolt, n, n, func(dag.Task) any {
		n, read := int64(0), 0
		return &frugal{bolt{execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
			read += len(t.String(0))
			if n++; n&255 == 0 {
				total.Add(256)
			}
			return nil
		}}}
	}, from("src", dag.Shuffle))
	return top
}

// BenchmarkRing has n tasks that hand tokens on to their neighbours over a direct stream: what a run with a single
// tuple costs, and what a task takes that was once used.
func BenchmarkRing(b *testing.B) {
	for _, c := range []struct{ n, tokens int }{{100, 1}, {10_000, 1000}, {100_000, 1000}} {
		b.Run(fmt.Sprintf("tasks=%d,tokens=%d", c.n, c.tokens), func(b *testing.B) {
			var m0, m1 runtime.MemStats
			var total atomic.Int64
			top := ringTopology(c.n, c.tokens, &total)
			cfg := top.config(b)
			runtime.GC()
			runtime.ReadMemStats(&m0)
			start(b, cfg)
			eventually(b, "all were visited", func() bool { return total.Load() >= int64(2*c.n) })
			base, cpu := total.Load(), cpuTime()
			b.ResetTimer()
			eventually(b, "done", func() bool { return total.Load() >= base+int64(b.N) })
			b.StopTimer()
			done := float64(total.Load() - base)
			b.ReportMetric(done/b.Elapsed().Seconds(), "hops/s")
			b.ReportMetric(float64(cpuTime()-cpu)/done, "cpu-ns/hop")
			runtime.GC()
			runtime.ReadMemStats(&m1)
			b.ReportMetric(float64(m1.HeapAlloc-m0.HeapAlloc)/float64(c.n), "B/task")
		})
	}
}

// ringTopology is n bolts in a ring that tokens walk around.
func ringTopology(n, tokens int, total *atomic.Int64) *topology {
	top := newTopology(0)
	direct := func(source string) dag.Input {
		return dag.Input{Source: source, Stream: "default", Grouping: dag.Grouping{Kind: dag.Direct}}
	}
	var first atomic.Int32
	sent := 0
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any {
		return &nexter{next: func(c *gearcore.Collector) error {
			if sent == tokens {
				return gearcore.ErrIdle
			}
			c.Stream("default").EmitDirect(gearcore.TaskID(int(first.Load())+sent*(n/tokens)), gearcore.Tuple{}, int64(0))
			sent++
			return nil
		}}
	})
	top.add("node", dag.Bolt, n, n, func(t dag.Task) any {
		if t.Index == 0 {
			first.Store(int32(t.ID))
		}
		next := t.ID + 1
		if t.Index == n-1 {
			next -= gearcore.TaskID(n)
		}
		var walk gearcore.Output
		hops, stagger := 0, t.Index%16 // so that total does not move in steps of 16*n
		return &frugal{bolt{
			open: func(c *gearcore.Collector) error { walk = c.Stream("default"); return nil },
			execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
				if hops++; hops&15 == stagger {
					total.Add(16)
				}
				walk.EmitDirect(next, t, t.Int(0)+1)
				return nil
			},
		}}
	}, direct("src"), direct("node"))
	for _, p := range top.procs {
		if p.Name == "src" || p.Name == "node" {
			p.Outputs[0].Direct = true
		}
	}
	return top
}

// BenchmarkIdle measures what topologies that have nothing to do cost: share of a core and bytes a task.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct{ spouts, bolts int }{{1, 2}, {100, 900}, {1, 100_000}} {
		b.Run(fmt.Sprintf("spouts=%d,bolts=%d", c.spouts, c.bolts), func(b *testing.B) {
			var m0, m1 runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m0)
			top := newTopology(0)
			top.add("src", dag.Spout, c.spouts, c.spouts, func(dag.Task) any { return &counter{} })
			top.add("bolt", dag.Bolt, c.bolts, c.bolts, executes(passOn), from("src", dag.Shuffle))
			cfg := top.config(b)
			runtime.GC()
			runtime.ReadMemStats(&m0)
			e, stop := begin(b, cfg)
			eventually(b, "open", func() bool { return phase(e.phase.Load()) == up })
			runtime.GC()
			runtime.ReadMemStats(&m1)
			time.Sleep(2 * time.Second)
			cpu, t0 := cpuTime(), time.Now()
			time.Sleep(2 * time.Second)
			share := float64(cpuTime()-cpu) / float64(time.Since(t0))
			b.ReportMetric(100*share, "%core")
			b.ReportMetric(float64(m1.HeapAlloc-m0.HeapAlloc)/float64(c.spouts+c.bolts), "B/task")
			b.ReportMetric(0, "ns/op")
			stop()
		})
	}
}
