package worker

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestLeaverIsHeardToItsEnd moves the only executor of a bolt away from a worker while much waits for it: what it still emits goes
// to a third worker, to which nothing else of its own does.
func TestLeaverIsHeardToItsEnd(t *testing.T) {
	const n = 3000
	spout := newCounter(n)
	b := storm.NewTopologyBuilder().Ackers(3).MaxSpoutPending(500).MessageTimeout(time.Minute)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return spout }), 1).Fields("word", "n")
	b.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error {
		toil(in.Int(1))
		out.Emit(gearcore.Long(in.Int(1)))
		return nil
	}), 1).Fields("n").ShuffleGrouping("words")
	b.SetBolt("sink", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 1).FieldsGrouping("pass", "n")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	// __acker 1 to 3, pass 4, sink 5, words 6.
	places := func(pass int) map[int][][2]int64 {
		m := map[int][][2]int64{ports[0]: {{1, 1}, {6, 6}}, ports[1]: {{2, 2}}, ports[2]: {{3, 3}, {5, 5}}}
		m[ports[pass]] = append(m[ports[pass]], [2]int64{4, 4})
		return m
	}
	c := newCluster(t, topo, places(1))
	for _, p := range ports {
		c.start(p)
	}
	await(t, "tuples go through", func() bool { return spout.done() > n/3 })
	c.sup.change(func(p *stormrpc.TopologyPlan) { p.AssignmentID, p.Assignment = "1-2", assignment(places(0)) })
	began := time.Now()
	await(t, "every tuple is acked", func() bool { return spout.done() == n })
	spout.mu.Lock()
	defer spout.mu.Unlock()
	if spout.failed > 0 {
		t.Errorf("%d tuples failed; the last one was acked %v after the change", spout.failed, time.Since(began))
	}
}
