package worker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/worker/transport"
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

// TestTextsOfATaskThatGetsAListener: a task in whose input nothing was kept passes texts on by the next version. None of them is
// read in memory that was used again.
func TestTextsOfATaskThatGetsAListener(t *testing.T) {
	var mu sync.Mutex
	passed := 0
	var got []string
	text := func(i int) string { return fmt.Sprintf("%08d-%s", i, strings.Repeat("x", 40)) }
	build := func(listener bool) *storm.Topology {
		b := storm.NewTopologyBuilder().Ackers(0)
		sent := 0
		b.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error { sent++; c.Emit(text(sent)); return nil }), 1).Fields("word")
		b.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error {
			mu.Lock()
			passed++
			mu.Unlock()
			out.Emit(in.String(0))
			return nil
		}), 1).NoRetain().ShuffleGrouping("words").Fields("word")
		if listener {
			b.SetBolt("listen", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, in.String(0))
				return nil
			}), 1).ShuffleGrouping("pass")
		}
		topo, err := b.Build()
		must(t, err)
		return topo
	}
	ports := freePorts(t, 2)
	c := newCluster(t, build(false), map[int][][2]int64{ports[0]: {{2, 2}}, ports[1]: {{1, 1}}}) // pass 1, words 2
	procs := []*process{c.start(ports[0]), c.start(ports[1])}
	await(t, "tuples are passed on to nobody", func() bool { mu.Lock(); defer mu.Unlock(); return passed > 20_000 })
	c.upgrade(build(true), nil, func(gearcore.TaskID) int { return ports[0] }, nil)
	c.allRun(procs...)
	await(t, "tuples are heard", func() bool { mu.Lock(); defer mu.Unlock(); return len(got) > 20_000 })
	c.alive(procs...)
	mu.Lock()
	defer mu.Unlock()
	var first int
	if _, err := fmt.Sscanf(got[0], "%d-", &first); err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		if s != text(first+i) {
			t.Fatalf("tuple %d is %q", first+i, s)
		}
	}
}

// TestTextsOfATaskThatLosesItsListener: a task to which nobody listens by the next version passes texts on until that is in force. The plan after that
// has none of them kept.
func TestTextsOfATaskThatLosesItsListener(t *testing.T) {
	build := func(listener bool) *storm.Topology {
		b := storm.NewTopologyBuilder().Ackers(0)
		b.SetSpout("words", storm.SpoutFunc(func(*storm.Collector) error { return storm.ErrIdle }), 1).Fields("word")
		b.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error { out.Emit(in.String(0)); return nil }), 1).NoRetain().ShuffleGrouping("words").Fields("word")
		if listener {
			b.SetBolt("listen", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 1).ShuffleGrouping("pass")
		}
		topo, err := b.Build()
		must(t, err)
		return topo
	}
	topo := build(true)
	l, err := NewLocal(LocalConfig{Name: "relay", ID: testTopology, Topology: topo.Thrift, Conf: topo.Conf, Registry: topo.Components})
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	_, fresh := codeDir(t, build(false))
	fresh.Graph.Version = l.Plan().Graph.Version + 1
	next, _, err := l.Plan().Next(fresh.Graph, gearcore.TaskID(len(l.Plan().Numbering)), nil)
	must(t, err)
	m, err := l.host.tasks.Load().renewed(next, "", 0)
	must(t, err)
	pass := next.TasksOf("pass")[0]
	for i, want := range []transport.Keeps{transport.KeepsTexts, transport.KeepsNothing} {
		done, err := l.host.change(uint64(i)+2, m, next.Executors, nil)
		must(t, err)
		if k := (*l.host.keeps.Load())[pass]; k != want {
			t.Errorf("after change %d it is %d that is kept for task %d, want %d", i, k, pass, want)
		}
		<-done
	}
	stop()
	must(t, <-ended)
}
