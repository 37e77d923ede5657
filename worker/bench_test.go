package worker

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// BenchmarkTwoWorkers sends 100-byte strings from a Go spout in one worker through a Go bolt in another to a sink in the
// first, over two remote edges: both engines and both ends of both links in this process. b.N tuples at the sink;
// cpu-ns/tuple is the figure that other load hardly moves.
func BenchmarkTwoWorkers(b *testing.B) {
	for _, c := range []struct {
		name         string
		acked, keeps bool
		tcp          bool
	}{
		{"ring", false, false, false}, {"ring, kept", false, true, false}, {"tcp", false, false, true}, {"ring, acked", true, false, false}, {"tcp, acked", true, false, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			defer TuneMemory()()
			var want, sent, got atomic.Int64
			text := strings.Repeat("x", 100)
			spout := storm.SpoutFunc(func(col *storm.Collector) error {
				if sent.Load() >= want.Load() {
					return storm.ErrIdle
				}
				n := sent.Add(1)
				if c.acked {
					col.EmitID(gearcore.Long(n), text)
				} else {
					col.Emit(text)
				}
				return nil
			})
			ackers := 0
			if c.acked {
				ackers = 1
			}
			tb := storm.NewTopologyBuilder().Ackers(ackers).MaxSpoutPending(32768).AddConfig("gearstorm.transport.unix", !c.tcp)
			pass := tb.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error { out.Emit(in.String(0)); return nil }), 1).
				ShuffleGrouping("words").Fields("word")
			sink := tb.SetBolt("sink", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { got.Add(1); return nil }), 1).ShuffleGrouping("pass")
			if !c.keeps {
				pass.NoRetain()
				sink.NoRetain()
			}
			tb.SetSpout("words", spout, 1).Fields("word")
			topo, err := tb.Build()
			if err != nil {
				b.Fatal(err)
			}
			ports := freePorts(b, 2)
			// Tasks are numbered by component name, __acker first if there is one.
			n := int64(ackers)
			here, there := [][2]int64{{n + 2, n + 2}, {n + 3, n + 3}}, [][2]int64{{n + 1, n + 1}}
			if c.acked {
				here = append(here, [2]int64{1, 1})
			}
			cl := newCluster(b, topo, map[int][][2]int64{ports[0]: here, ports[1]: there})
			x, y := cl.start(ports[0]), cl.start(ports[1])
			await(b, "both are ready", func() bool { return cl.sup.isReady(x.id) && cl.sup.isReady(y.id) })
			b.ReportAllocs()
			b.ResetTimer()
			used := cpu()
			want.Store(int64(b.N))
			for got.Load() < int64(b.N) {
				time.Sleep(100 * time.Microsecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtuples/s")
			b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/tuple")
		})
	}
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
