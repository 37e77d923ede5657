package engine

import (
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// The hooks get every tuple of every kind, and each kind once.
func TestHooksCountEverything(t *testing.T) {
	const n = 5000
	src := &counter{limit: n, track: true}
	h := newErrorsSeen()
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("pass", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		c.Ack(t)
		return nil
	}), from("src", dag.Shuffle), from("pass", dag.Shuffle)) // two streams
	cfg := top.config(t)
	cfg.Hooks = h
	e, stop := begin(t, cfg)
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	stop()
	task := func(c string) gearcore.TaskID { return e.plan().TasksOf(c)[0] }
	for _, c := range []struct {
		what string
		m    map[gearcore.TaskID]int
		task string
		want int
	}{
		{"emitted", h.emitted, "src", n}, {"transferred", h.transferred, "src", 2 * n}, {"emitted", h.emitted, "pass", n},
		{"queued", h.queued, "pass", n}, {"queued", h.queued, "sink", 2 * n},
		{"executed", h.executed, "pass", n}, {"executed", h.executed, "sink", 2 * n},
		{"acked", h.acked, "pass", n}, {"acked", h.acked, "sink", 2 * n}, {"acked", h.acked, "src", n}, {"timed", h.took, "src", n},
	} {
		if got := c.m[task(c.task)]; got != c.want {
			t.Errorf("%s %d of %s, want %d", c.what, got, c.task, c.want)
		}
	}
	if got := h.took[task("pass")]; got == 0 || got > n {
		t.Errorf("%d process latencies of pass were measured", got)
	}
	if h.busy <= 0 {
		t.Error("no service time")
	}
}

// Time in the inbox, in Execute and blocked are told apart: a bolt that takes long makes its successors in the inbox
// wait and its source blocked, and does not count that as its own.
func TestHooksTellTimesApart(t *testing.T) {
	t.Run("apart", func(t *testing.T) { tellTimesApart(t, false) })
	t.Run("fused", func(t *testing.T) { tellTimesApart(t, true) })
}

func tellTimesApart(t *testing.T, fused bool) {
	const pause = 500 * time.Microsecond
	src := &counter{limit: 1 << 40}
	h := newErrorsSeen()
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("pass", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	var once sync.Once
	enough := make(chan struct{})
	n := 0
	top.add("slow", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		time.Sleep(pause)
		if n++; n == 1000 {
			once.Do(func() { close(enough) })
		}
		return nil
	}), from("pass", dag.Shuffle))
	cfg := top.config(t)
	cfg.Hooks, cfg.InboxBatches, cfg.BatchRows = h, 2, 16
	cfg.Fuse = func(string) bool { return fused }
	e, stop := begin(t, cfg)
	<-enough
	pass, slow, source := e.plan().TasksOf("pass")[0], e.plan().TasksOf("slow")[0], e.plan().TasksOf("src")[0]
	eventually(t, "the throttled one was blocked and went on", func() bool { return h.get(func() int { return int(h.blocked) }) > 0 })
	stop()
	if w := h.waited[slow]; w < 16*pause {
		t.Errorf("a batch behind another one waited for %v, want at least %v", w, 16*pause)
	}
	for _, edge := range [][2]gearcore.TaskID{{pass, slow}, {source, pass}} {
		if _, ok := h.blocking[edge]; !ok {
			t.Errorf("task %d was never blocked by task %d; blocked: %v", edge[0], edge[1], h.blocking)
		}
	}
	if _, ok := h.blocking[[2]gearcore.TaskID{source, slow}]; ok {
		t.Error("the source is said to wait for a task it sends nothing to")
	}
	if len(h.errs) > 0 {
		t.Error(h.errs)
	}
	if executed := h.executed[slow]; h.busy < time.Duration(executed)*pause {
		t.Errorf("%v service time for %d calls of %v", h.busy, executed, pause)
	}
}

// A spout that waits for acks is told to be held by its bound, and not to be blocked by a target.
func TestHooksTellOfTheBoundOfTuplesInFlight(t *testing.T) {
	const n, pause = 20, 5 * time.Millisecond
	src := &counter{limit: n, track: true}
	h := newErrorsSeen()
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("slow", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		time.Sleep(pause)
		c.Ack(t)
		return nil
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Hooks, cfg.MaxSpoutPending = h, func(string) int { return 1 }
	_, stop := begin(t, cfg)
	eventually(t, "all acked", func() bool { return src.acked.Load() == n })
	stop()
	if h.held < n*pause/2 || h.blocked != 0 {
		t.Errorf("held for %v, blocked for %v; want about %v and nothing", h.held, h.blocked, n*pause)
	}
}

// twice is a script that emits each value on a second stream, too.
type twice struct{ *script }

func (s *twice) Next(c *gearcore.Collector) error {
	if err := s.script.Next(c); err != nil {
		return err
	}
	c.Stream("other").Emit(s.values[s.at-1])
	return nil
}

// perStream counts what was executed by stream.
type perStream struct {
	*errorsSeen
	executed map[gearcore.StreamID]int
}

func (h *perStream) Executed(_ gearcore.TaskID, stream gearcore.StreamID, n int, _ time.Duration, _ int) {
	h.executed[stream] += n
}

// A task that hears of one more stream of its source by the next version counts for each what is of it.
func TestHooksOfATaskThatGetsAStream(t *testing.T) {
	src, h := &script{values: []int64{1}}, &perStream{newErrorsSeen(), map[gearcore.StreamID]int{}}
	top := newTopology(0)
	out := top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &twice{src} })
	out.Outputs = append(out.Outputs, dag.Output{Stream: "other", Fields: []string{"a"}})
	top.add("sum", dag.Bolt, 1, 1, func(dag.Task) any { return &adder{} }, from("src", dag.Shuffle))
	s := drive(t, top, func(c *Config) { c.Timing, c.Hooks = nil, h })
	s.settle(time.Second)
	next := nextPlan(t, s.plan(), func(g *dag.Graph) {
		p := g.Processor("sum")
		p.Inputs = append(p.Inputs, dag.Input{Source: "src", Stream: "other", Grouping: dag.Grouping{Kind: dag.Shuffle}})
	})
	if _, err := s.Apply(onward(s.Engine, next)); err != nil {
		t.Fatal(err)
	}
	src.values = []int64{1, 2, 3, 4, 5}
	s.settle(time.Second)
	first, _ := next.Stream("src", "default")
	other, _ := next.Stream("src", "other")
	if h.executed[first] != 5 || h.executed[other] != 4 {
		t.Errorf("executed %d of the first stream and %d of the other, want 5 and 4", h.executed[first], h.executed[other])
	}
}
