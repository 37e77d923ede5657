package gearstorm_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// way is a line of SDK components, source -> identity -> sink, and the count of its sink.
type way struct {
	name   string
	ackers int
	next   func() func(c *storm.Collector) error // of a spout's task
	pass   func(t storm.Tuple, c *storm.Collector)
	pure   storm.BoltFunc // instead of pass
	keep   bool           // the bolts do not declare NoRetain
	fan    bool           // four sinks, by the fields of a stream of words
	budget float64        // allocations a tuple
	total  atomic.Int64
}

var payload = strings.Repeat("x", 100)

func emitConstant() func(c *storm.Collector) error {
	return func(c *storm.Collector) error { c.Emit(payload); return nil }
}

func emitTracked() func(c *storm.Collector) error {
	n := int64(0)
	return func(c *storm.Collector) error {
		n++
		c.EmitID(storm.Long(n), payload)
		return nil
	}
}

func emitWords() func(c *storm.Collector) error {
	words, i := strings.Fields("alpha beta gamma delta epsilon zeta eta theta iota kappa"), 0
	return func(c *storm.Collector) error {
		i++
		c.Emit(words[i%len(words)])
		return nil
	}
}

// emitFresh emits a string of its own each time, from a buffer that is used again.
func emitFresh() func(c *storm.Collector) error {
	b := []byte(payload)
	return func(c *storm.Collector) error {
		b[0]++
		c.Emit(string(b))
		return nil
	}
}

// emitChunked is emitFresh by Collector.String.
func emitChunked() func(c *storm.Collector) error {
	b := []byte(payload)
	return func(c *storm.Collector) error {
		b[0]++
		c.Emit(c.String(b))
		return nil
	}
}

type text struct{ Text string }

var texts = storm.RecordOf[text]()

func emitRecord() func(c *storm.Collector) error {
	return func(c *storm.Collector) error { texts.Emit(c, text{payload}); return nil }
}

func passAny(t storm.Tuple, c *storm.Collector) { c.EmitAnchored(t, t.String(0)); c.Ack(t) }
func forward(t storm.Tuple, c *storm.Collector) { c.Forward(t); c.Ack(t) }
func passNamed(t storm.Tuple, c *storm.Collector) {
	c.Stream("default").EmitAnchored(t, t.String(0))
	c.Ack(t)
}
func passRecord(t storm.Tuple, c *storm.Collector) {
	r, err := texts.Get(t)
	if err != nil {
		c.ReportError(err)
	}
	texts.EmitAnchored(c, t, r)
	c.Ack(t)
}

func passField(t storm.Tuple, c *storm.Collector) {
	s, err := storm.Field[string](t, "text")
	if err != nil {
		c.ReportError(err)
	}
	c.EmitAnchored(t, s)
	c.Ack(t)
}

// Budgets of a tuple that goes over two edges: nothing where batches come back; a new batch of three allocations for
// every 256 tuples of an edge where tuples may be kept; an object more for a string of its own, or its share of a chunk.
const (
	nothing = 0.002 // what the runtime itself does now and then
	kept    = 0.05
	chunked = 0.01
)

func ways() []*way {
	return []*way{
		{name: "constant", next: emitConstant, pass: passAny, budget: nothing},
		{name: "constant, kept", next: emitConstant, pass: passAny, keep: true, budget: kept},
		{name: "forward", next: emitConstant, pass: forward, budget: nothing},
		{name: "named stream", next: emitConstant, pass: passNamed, budget: nothing},
		{name: "field by name", next: emitConstant, pass: passField, budget: nothing},
		{name: "record", next: emitRecord, pass: passRecord, budget: nothing},
		{name: "function", next: emitConstant, pure: func(t storm.Tuple, out storm.Emitter) error { out.Emit(t.String(0)); return nil }, budget: nothing},
		{name: "function, kept", next: emitConstant, pure: func(_ storm.Tuple, out storm.Emitter) error { out.Forward(); return nil }, keep: true, budget: kept},
		{name: "fresh", next: emitFresh, pass: passAny, budget: 1 + nothing},
		{name: "fresh, by chunks", next: emitChunked, pass: passAny, budget: chunked},
		{name: "fresh, by chunks, kept", next: emitChunked, pass: passAny, keep: true, budget: kept + chunked},
		{name: "fields", next: emitWords, pass: forward, fan: true, budget: nothing},
		{name: "acked", ackers: 1, next: emitTracked, pass: passAny, budget: nothing},
	}
}

// wayBolt passes on what comes.
type wayBolt struct{ w *way }

func (b *wayBolt) Prepare(*storm.Context, *storm.Collector) error  { return nil }
func (b *wayBolt) Execute(t storm.Tuple, c *storm.Collector) error { b.w.pass(t, c); return nil }

// waySink counts.
type waySink struct {
	w *way
	n int64
}

func (b *waySink) Prepare(*storm.Context, *storm.Collector) error { return nil }
func (b *waySink) Execute(t storm.Tuple, c *storm.Collector) error {
	if b.n += int64(min(len(t.String(0)), 1)); b.n&255 == 0 {
		b.w.total.Add(256)
	}
	c.Ack(t)
	return nil
}

func (w *way) define(b *storm.TopologyBuilder, _ []string) error {
	b.Ackers(w.ackers).MaxSpoutPending(10_000)
	b.SetSpout("source", storm.SpoutFunc(w.next()), 1).Fields("text")
	var pass storm.BoltSpec = w.pure
	if w.pure == nil {
		pass = storm.BoltFactory(func() storm.Bolt { return &wayBolt{w} })
	}
	bolt := b.SetBolt("identity", pass, 1).ShuffleGrouping("source").Fields("text")
	sinks := storm.BoltFactory(func() storm.Bolt { return &waySink{w: w} })
	sink := b.SetBolt("sink", sinks, 1)
	if w.fan {
		sink.NumTasks(4).FieldsGrouping("identity", "text")
	} else {
		sink.ShuffleGrouping("identity")
	}
	if !w.keep {
		bolt.NoRetain()
		sink.NoRetain()
	}
	return nil
}

// run starts w; it is stopped at the end of the test.
func (w *way) run(tb testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- gearstorm.RunLocal(ctx, gearstorm.Program{Name: "way", Define: w.define}, gearstorm.Options{})
	}()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
}

func (w *way) reach(tb testing.TB, n int64) {
	for end := time.Now().Add(time.Minute); w.total.Load() < n; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			tb.Fatalf("%d tuples within a minute, want %d", w.total.Load(), n)
		}
	}
}

// BenchmarkWay is what a tuple costs on the whole way from an SDK spout to an SDK bolt and on to another, under RunLocal.
func BenchmarkWay(b *testing.B) {
	for _, w := range ways() {
		b.Run(w.name, func(b *testing.B) {
			w.total.Store(0)
			w.run(b)
			w.reach(b, 200_000)
			var m0, m1 runtime.MemStats
			runtime.ReadMemStats(&m0)
			base, cpu := w.total.Load(), cpuTime()
			b.ResetTimer()
			w.reach(b, base+int64(b.N))
			b.StopTimer()
			done := float64(w.total.Load() - base)
			runtime.ReadMemStats(&m1)
			b.ReportMetric(done/b.Elapsed().Seconds()/1e6, "Mtuples/s")
			b.ReportMetric(float64(cpuTime()-cpu)/done, "cpu-ns/tuple")
			b.ReportMetric(float64(m1.Mallocs-m0.Mallocs)/done, "allocs/tuple")
		})
	}
}

// cpuTime is the processor time of this process, which other load on the machine hardly changes.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
