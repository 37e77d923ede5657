package worker

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// BenchmarkTwoWorkers sends 100-byte strings from a Go spout in one worker to a Go bolt in another: both engines and
// both ends of the link in this process, real TCP. b.N tuples; Mtuples/s is the figure.
func BenchmarkTwoWorkers(b *testing.B) {
	for _, c := range []struct {
		name  string
		acked bool
	}{{"untracked", false}, {"acked", true}} {
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
			tb := storm.NewTopologyBuilder().Ackers(1).MaxSpoutPending(32768)
			tb.SetBolt("sink", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { got.Add(1); return nil }), 1).ShuffleGrouping("words")
			tb.SetSpout("words", spout, 1).Fields("word")
			topo, err := tb.Build()
			if err != nil {
				b.Fatal(err)
			}
			ports := freePorts(b, 2)
			cl := newCluster(b, topo, map[int][][2]int64{ports[0]: {{1, 1}, {3, 3}}, ports[1]: {{2, 2}}})
			x, y := cl.start(ports[0]), cl.start(ports[1])
			await(b, "both are ready", func() bool { return cl.sup.isReady(x.id) && cl.sup.isReady(y.id) })
			b.ReportAllocs()
			b.ResetTimer()
			want.Store(int64(b.N))
			for got.Load() < int64(b.N) {
				time.Sleep(100 * time.Microsecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mtuples/s")
		})
	}
}
