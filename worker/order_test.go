package worker

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// counting passes numbers on with its own count of them.
type counting struct {
	open  *atomic.Int64
	id, n int64
}

func (b *counting) Prepare(*storm.Context, *storm.Collector) error {
	b.id = rand.Int64()
	b.open.Add(1)
	return nil
}

func (b *counting) Close() { b.open.Add(-1) }

func (b *counting) Execute(in storm.Tuple, c *storm.Collector) error {
	b.n++
	c.Emit(in.Int(0), b.id, b.n)
	return nil
}

// ordered looks at the counts that it gets.
type ordered struct {
	open *atomic.Int64
	last map[int64]int64
	told func(disorder bool)
}

func (b *ordered) Prepare(*storm.Context, *storm.Collector) error {
	b.last = map[int64]int64{}
	b.open.Add(1)
	return nil
}

func (b *ordered) Close() { b.open.Add(-1) }

func (b *ordered) Execute(in storm.Tuple, _ *storm.Collector) error {
	id, n := in.Int(1), in.Int(2)
	b.told(n <= b.last[id])
	b.last[id] = max(b.last[id], n)
	return nil
}

// TestRebalancesKeepTheOrder: what one task sends to another arrives in its order, though both move, each time once all that left is gone.
func TestRebalancesKeepTheOrder(t *testing.T) {
	const rounds = 8
	const atMost = 30_000 / raced.Fewer // under way: who leaves has a second to execute its part
	var sent, got, disorder, open atomic.Int64
	var stop atomic.Bool
	var mu sync.Mutex
	b := storm.NewTopologyBuilder().Ackers(0)
	b.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error {
		if stop.Load() || sent.Load()-got.Load() > atMost {
			return storm.ErrIdle
		}
		c.Emit(gearcore.Long(sent.Add(1) - 1))
		return nil
	}), 3).Fields("n")
	b.SetBolt("pass", storm.BoltFactory(func() storm.Bolt { return &counting{open: &open} }), 4).Fields("n", "id", "count").FieldsGrouping("words", "n")
	b.SetBolt("sink", storm.BoltFactory(func() storm.Bolt {
		return &ordered{open: &open, told: func(d bool) {
			mu.Lock()
			defer mu.Unlock()
			got.Add(1)
			if d {
				disorder.Add(1)
			}
		}}
	}), 2).FieldsGrouping("pass", "n")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	// pass 1 to 4, sink 5 and 6, words 7 to 9: one on each worker.
	f := startFlow(t, topo, ports, map[int][][2]int64{ports[0]: {{7, 7}}, ports[1]: {{8, 8}}, ports[2]: {{9, 9}}}, []int64{1, 4}, []int64{5, 6})
	f.single = "sink"
	for range rounds {
		was := got.Load()
		await(t, "tuples go through", func() bool { return got.Load() >= was+50_000/raced.Fewer })
		f.rebalance()
		await(t, "all have heard of it", f.followed)
		await(t, "who had to leave is gone", func() bool { return open.Load() == 6 })
	}
	stop.Store(true)
	await(t, "all are there", func() bool { return got.Load() >= sent.Load() })
	f.alive(t)
	if n := disorder.Load(); n > 0 {
		t.Errorf("%d of %d tuples arrived out of order", n, got.Load())
	}
}
