package multilang

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// benchPending is how many tuples are in flight.
const benchPending = 1000

// lines is a source that emits its lines in turns for ever, tracked, and counts what was acked.
type lines struct {
	texts []gearcore.Value
	n     int64
	acked atomic.Int64
	fails atomic.Int64
}

func (s *lines) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *lines) Next(c *gearcore.Collector) error {
	s.n++
	c.Send(gearcore.Emission{ID: gearcore.Long(s.n)}, s.texts[s.n%int64(len(s.texts)):][:1])
	return nil
}
func (s *lines) Ack(gearcore.Value, *gearcore.Collector)  { s.acked.Add(1) }
func (s *lines) Fail(gearcore.Value, *gearcore.Collector) { s.fails.Add(1) }
func (s *lines) Activate(*gearcore.Collector)             {}
func (s *lines) Deactivate(*gearcore.Collector)           {}
func (s *lines) Close()                                   {}

// count is a sink.
type count struct{ n atomic.Int64 }

func (*count) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (*count) NoRetain()                                         {}
func (*count) Close()                                            {}
func (b *count) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	b.n.Add(1)
	c.Ack(t)
	return nil
}

// benchBolts measures source -> bolts, one after the other -> sink on the real engine, acked, with the pipes kept full:
// sentences acked a second, and CPU time a sentence of this side and of the children.
func benchBolts(b *testing.B, text gearcore.Value, out int, conf map[string]any, commands ...[]string) {
	benchLines(b, []gearcore.Value{text}, dag.Grouping{Kind: dag.Shuffle}, out, conf, commands...)
}

// benchLines is benchBolts with several lines, and the grouping of what goes to the bolts.
func benchLines(b *testing.B, texts []gearcore.Value, by dag.Grouping, out int, conf map[string]any, commands ...[]string) {
	src, sink := &lines{texts: texts}, &count{}
	graph := &dag.Graph{ID: "bench-1", Name: "bench", Version: 1, Processors: []*dag.Processor{
		{Name: gearcore.AckerComponent, Kind: dag.Acker, Tasks: 1, Executors: 1},
		{Name: "a", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"s"}}}},
	}}
	bolts := map[string]*Bolt{}
	add := func(name string, impl dag.Impl) {
		p := &dag.Processor{Name: name, Kind: dag.Bolt, Tasks: 1, Executors: 1, Impl: impl,
			Outputs: []dag.Output{{Stream: "default", Fields: []string{"s"}}},
			Inputs:  []dag.Input{{Source: graph.Processors[len(graph.Processors)-1].Name, Stream: "default", Grouping: by}}}
		graph.Processors = append(graph.Processors, p)
	}
	for i, c := range commands {
		add(fmt.Sprintf("b%d", i), dag.Impl{Kind: dag.ImplShell, Command: c})
	}
	add("c", dag.Impl{})
	plan, err := dag.Expand(graph, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(engine.Config{Plan: plan, Local: plan.Executors, MaxSpoutPending: func(string) int { return benchPending },
		NewTask: func(d dag.Task) (any, *gearcore.Context, error) {
			ctx := &gearcore.Context{TopologyName: "bench", Component: d.Processor.Name, Task: d.ID, Layout: plan.Layout, PidDir: b.TempDir(), Conf: conf}
			switch d.Processor.Name {
			case "a":
				return src, ctx, nil
			case "c":
				return sink, ctx, nil
			}
			bolts[d.Processor.Name] = NewBolt(FromGraph(graph, d.Processor))
			return bolts[d.Processor.Name], ctx, nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	e.Activate()
	until := func(n int64) {
		for src.acked.Load() < n {
			time.Sleep(time.Millisecond)
		}
	}
	until(2000) // the interpreter is warm
	children := func() (d time.Duration) {
		for _, m := range bolts {
			m.child.mu.Lock()
			d += childCPU(m.child.p.pid())
			m.child.mu.Unlock()
		}
		return d
	}
	from, to, mine, theirs, began := src.acked.Load(), sink.n.Load(), processCPU(), children(), time.Now()
	b.ResetTimer()
	until(from + int64(b.N))
	b.StopTimer()
	n, secs := float64(src.acked.Load()-from), time.Since(began).Seconds()
	b.ReportMetric(n/secs, "in/s")
	b.ReportMetric(float64((processCPU()-mine).Nanoseconds())/n/1000, "us/in")
	b.ReportMetric(float64((children()-theirs).Nanoseconds())/n/1000, "child-us/in")
	if got := float64(sink.n.Load()-to) / n; n > 5000 && (got < float64(out)*0.9 || got > float64(out)*1.1) || src.fails.Load() > 0 {
		b.Errorf("%.2f tuples arrived for each that was acked, %d failed; want %d", got, src.fails.Load(), out)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

func benchBolt(b *testing.B, command []string, out int) {
	benchBolts(b, gearcore.Str(sixWords), out, map[string]any{}, command)
}

// childCPU returns the CPU time of a process so far, in steps of 10 ms.
func childCPU(pid int) time.Duration {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * 10 * time.Millisecond
}

func processCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

const sixWords = "the cow jumped over the moon"

func BenchmarkSplit(b *testing.B) {
	const ours = `
import gearstorm
class Split(gearstorm.BasicBolt):
    def process(self, tup):
        for w in tup[0].split(): self.emit([w])
Split().run()
`
	const theirs = `
class Split(storm.BasicBolt):
    def process(self, tup):
        for w in tup.values[0].split(): storm.emit([w])
Split().run()
`
	const ourNode = `
const { BasicBolt } = require('./gearstorm');
class Split extends BasicBolt { process(t) { for (const w of t.get(0).split(' ')) this.emit([w]); } }
new Split().run();
`
	const pysplit = `
from pystorm import Bolt
class C(Bolt):
    def process(self, tup):
        for w in tup.values[0].split(): self.emit([w])
`
	b.Run("gearstorm.py", func(b *testing.B) { benchBolt(b, python(b, ours), 6) })
	b.Run("gearstorm.js", func(b *testing.B) { benchBolt(b, node(b, ourNode), 6) })
	b.Run("storm.py", func(b *testing.B) { benchBolt(b, stormPy(b, theirs), 6) })
	b.Run("pystorm-json", func(b *testing.B) { benchBolt(b, pystorm(b, "json", pysplit), 6) })
	b.Run("pystorm-msgpack", func(b *testing.B) { benchBolt(b, pystorm(b, "msgpack", pysplit), 6) })
}

func BenchmarkIdentity(b *testing.B) {
	const ours = `
import gearstorm
class Same(gearstorm.BasicBolt):
    def process(self, tup): self.emit(tup.values)
Same().run()
`
	const theirs = `
class Same(storm.BasicBolt):
    def process(self, tup): storm.emit(tup.values)
Same().run()
`
	const ourNode = `
const { BasicBolt } = require('./gearstorm');
class Same extends BasicBolt { process(t) { this.emit(t.values); } }
new Same().run();
`
	const pysame = `
from pystorm import Bolt
class C(Bolt):
    def process(self, tup): self.emit(tup.values)
`
	b.Run("gearstorm.py", func(b *testing.B) { benchBolt(b, python(b, ours), 1) })
	b.Run("gearstorm.js", func(b *testing.B) { benchBolt(b, node(b, ourNode), 1) })
	b.Run("storm.py", func(b *testing.B) { benchBolt(b, stormPy(b, theirs), 1) })
	b.Run("pystorm-json", func(b *testing.B) { benchBolt(b, pystorm(b, "json", pysame), 1) })
	b.Run("pystorm-msgpack", func(b *testing.B) { benchBolt(b, pystorm(b, "msgpack", pysame), 1) })
}

// BenchmarkSpout measures a child's spout -> sink, acked, one tuple for each next.
func BenchmarkSpout(b *testing.B) {
	const ours = `
import gearstorm
class S(gearstorm.Spout):
    def initialize(self, conf, context): self.n = 0
    def next_tuple(self):
        self.n += 1
        self.emit(["the cow jumped over the moon"], id=self.n)
S().run()
`
	const theirs = `
class S(storm.Spout):
    def initialize(self, conf, context): self.n = 0
    def nextTuple(self):
        self.n += 1
        storm.emit(["the cow jumped over the moon"], id=self.n)
S().run()
`
	b.Run("gearstorm.py", func(b *testing.B) { benchSpout(b, python(b, ours)) })
	b.Run("storm.py", func(b *testing.B) { benchSpout(b, stormPy(b, theirs)) })
}

func benchSpout(b *testing.B, command []string) {
	sink := &count{}
	graph := &dag.Graph{ID: "bench-1", Name: "bench", Version: 1, Processors: []*dag.Processor{
		{Name: gearcore.AckerComponent, Kind: dag.Acker, Tasks: 1, Executors: 1},
		{Name: "a", Kind: dag.Spout, Tasks: 1, Executors: 1, Impl: dag.Impl{Kind: dag.ImplShell, Command: command},
			Outputs: []dag.Output{{Stream: "default", Fields: []string{"s"}}}},
		{Name: "c", Kind: dag.Bolt, Tasks: 1, Executors: 1,
			Inputs: []dag.Input{{Source: "a", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
	}}
	plan, err := dag.Expand(graph, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(engine.Config{Plan: plan, Local: plan.Executors, MaxSpoutPending: func(string) int { return benchPending },
		NewTask: func(d dag.Task) (any, *gearcore.Context, error) {
			ctx := &gearcore.Context{TopologyName: "bench", Component: d.Processor.Name, Task: d.ID, Layout: plan.Layout, PidDir: b.TempDir()}
			if d.Processor.Name == "c" {
				return sink, ctx, nil
			}
			return NewSpout(FromGraph(graph, d.Processor)), ctx, nil
		}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	e.Activate()
	until := func(n int64) {
		for sink.n.Load() < n {
			time.Sleep(time.Millisecond)
		}
	}
	until(500)
	from, mine, began := sink.n.Load(), processCPU(), time.Now()
	b.ResetTimer()
	until(from + int64(b.N))
	b.StopTimer()
	n := float64(sink.n.Load() - from)
	b.ReportMetric(n/time.Since(began).Seconds(), "tuples/s")
	b.ReportMetric(float64((processCPU()-mine).Nanoseconds())/n/1000, "us/tuple")
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
