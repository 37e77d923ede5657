package multilang

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// benchBolt measures one child with its pipe kept full: tuples in and emits out a second, and this side's CPU time a tuple
// (the fake engine's included).
func benchBolt(b *testing.B, command []string, text string, out int) {
	e := newEngine(b, map[string]any{"topology.shellbolt.max.pending": 1000})
	e.quiet = true
	spec := quick(command)
	spec.Heartbeat = time.Second
	e.start(NewBolt(spec), nil)
	in := gearcore.NewTuple(e.layout, 0, 2, gearcore.Str(text))
	e.feedTuples(in)
	e.eventually("started", func() bool { return e.nAck == 1 })
	batch := make([]gearcore.Tuple, 1000)
	for i := range batch {
		batch[i] = in
	}
	cpu := processCPU()
	start := time.Now()
	b.ResetTimer()
	for n := b.N; n > 0; n -= len(batch) {
		e.feedTuples(batch[:min(n, len(batch))]...)
		e.eventually("drained", func() bool { return len(e.input) < 4000 })
	}
	e.eventually("acked", func() bool { return e.nAck == b.N+1 })
	b.StopTimer()
	secs := time.Since(start).Seconds()
	b.ReportMetric(float64(b.N)/secs, "in/s")
	b.ReportMetric(float64(b.N*out)/secs, "emits/s")
	b.ReportMetric(float64((processCPU()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/in")
	runtime.KeepAlive(batch)
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
	b.Run("gearstorm.py", func(b *testing.B) { benchBolt(b, python(b, ours), sixWords, 6) })
	b.Run("gearstorm.js", func(b *testing.B) { benchBolt(b, node(b, ourNode), sixWords, 6) })
	b.Run("storm.py", func(b *testing.B) { benchBolt(b, stormPy(b, theirs), sixWords, 6) })
	b.Run("pystorm-json", func(b *testing.B) { benchBolt(b, pystorm(b, "json", pysplit), sixWords, 6) })
	b.Run("pystorm-msgpack", func(b *testing.B) { benchBolt(b, pystorm(b, "msgpack", pysplit), sixWords, 6) })
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
	b.Run("gearstorm.py", func(b *testing.B) { benchBolt(b, python(b, ours), sixWords, 1) })
	b.Run("storm.py", func(b *testing.B) { benchBolt(b, stormPy(b, theirs), sixWords, 1) })
}
