package worker

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// TestTextsOutliveTheirBatch sends strings to another worker, where a bolt that keeps nothing passes them on as they
// are, and back, where one that keeps them holds them all until the end; a third only looks at them.
func TestTextsOutliveTheirBatch(t *testing.T) {
	const n = 20000
	text := func(i int) string { return strings.Repeat("xyz", i%60) + fmt.Sprint(i) }
	var mu sync.Mutex
	var held []string
	looked := 0
	sent := 0
	tb := storm.NewTopologyBuilder().Ackers(0)
	tb.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error {
		if sent == n {
			return storm.ErrIdle
		}
		sent++
		c.Emit(text(sent - 1))
		return nil
	}), 1).Fields("word")
	tb.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error { out.Emit(in.String(0)); return nil }), 1).NoRetain().ShuffleGrouping("words").Fields("word")
	tb.SetBolt("hold", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
		mu.Lock()
		defer mu.Unlock()
		held = append(held, in.String(0))
		return nil
	}), 1).ShuffleGrouping("pass")
	tb.SetBolt("look", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
		mu.Lock()
		defer mu.Unlock()
		if in.String(0) != text(looked) {
			return fmt.Errorf("tuple %d is %q", looked, in.String(0))
		}
		looked++
		return nil
	}), 1).NoRetain().ShuffleGrouping("pass")
	topo, err := tb.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	// Tasks are numbered by component name: hold 1, look 2, pass 3, words 4.
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {4, 4}}, ports[1]: {{3, 3}}})
	x, y := c.start(ports[0]), c.start(ports[1])
	await(t, "all tuples are through", func() bool { mu.Lock(); defer mu.Unlock(); return len(held) == n && looked == n })
	for i, got := range held {
		if got != text(i) {
			t.Fatalf("tuple %d is %q, want %q", i, got, text(i))
		}
	}
	if err := x.stop(); err != nil {
		t.Error(err)
	}
	if err := y.stop(); err != nil {
		t.Error(err)
	}
}
