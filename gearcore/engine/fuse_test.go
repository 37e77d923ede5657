package engine

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

func always(string) bool { return true }

func TestWhatIsFused(t *testing.T) {
	pass := executes(passOn)
	spout := func(dag.Task) any { return &counter{} }
	for _, c := range []struct {
		name   string
		fuse   func(string) bool
		add    func(*topology)
		want   string // sender>receiver
		ackers int
	}{
		{"a line", always, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
			p.add("c", dag.Bolt, 1, 1, pass, from("b", dag.Fields, "a"))
		}, "a>b b>c ", 0},
		{"a tracked line", always, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
			p.add("c", dag.Bolt, 1, 1, pass, from("b", dag.Shuffle))
		}, "b>c ", 1},
		{"tasks of one executor", always, func(p *topology) {
			p.add("a", dag.Spout, 2, 1, spout)
			p.add("b", dag.Bolt, 3, 1, pass, from("a", dag.Shuffle))
		}, "a>b ", 0},
		{"switched off for a component", func(n string) bool { return n != "b" }, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
			p.add("c", dag.Bolt, 1, 1, pass, from("b", dag.Shuffle))
			p.add("d", dag.Bolt, 1, 1, pass, from("c", dag.Shuffle))
		}, "c>d ", 0},
		{"switched off", nil, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
		}, "", 0},
		{"two receivers", always, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
			p.add("c", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
		}, "", 0},
		{"two senders", always, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Spout, 1, 1, spout)
			p.add("c", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle), from("b", dag.Shuffle))
		}, "", 0},
		{"two executors", always, func(p *topology) {
			p.add("a", dag.Spout, 2, 2, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle))
			p.add("c", dag.Bolt, 2, 2, pass, from("b", dag.Shuffle))
		}, "", 0},
		{"a cycle", always, func(p *topology) {
			p.add("a", dag.Spout, 1, 1, spout)
			p.add("b", dag.Bolt, 1, 1, pass, from("a", dag.Shuffle), from("c", dag.Shuffle))
			p.add("c", dag.Bolt, 1, 1, pass, from("b", dag.Shuffle))
		}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := newTopology(c.ackers)
			top.fuse = c.fuse
			c.add(top)
			e, err := New(top.config(t))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, x := range e.executors() {
				if x.fusedTo != nil {
					got += x.component + ">" + x.fusedTo.component + " "
				}
			}
			if got != c.want {
				t.Errorf("fused: %q, want %q", got, c.want)
			}
		})
	}
}

// The fused bolt runs on the goroutine of its sender, and tuples keep their order while it pauses and goes on, gets ticks,
// fails and panics, with inboxes as small as they get.
func TestFusedLine(t *testing.T) {
	for _, c := range []struct {
		name         string
		ackers, rows int
		loops        int
	}{{"untracked", 0, 256, 2}, {"tracked", 1, 256, 1}, {"tracked, small", 2, 16, 3}} {
		t.Run(c.name, func(t *testing.T) {
			const n = 40_000 / raced.Fewer
			src := &counter{limit: n, track: c.ackers > 0}
			top := newTopology(c.ackers)
			top.fuse = always
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			var calls, ticks, disorder atomic.Int64
			top.add("pass", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
				if tp.IsTick() {
					ticks.Add(1)
					return nil
				}
				switch k := calls.Add(1); {
				case k%5003 == 0:
					c.Pause()
					a := c.Async()
					go func() {
						time.Sleep(time.Millisecond)
						a.Do(8, func(c *gearcore.Collector) { c.Resume() })
					}()
				case k%7919 == 0:
					c.EmitAnchored(tp, tp.Value(0))
					c.Ack(tp)
					panic("after its work was done")
				}
				return passOn(tp, c)
			}), from("src", dag.Shuffle))
			var last, seen atomic.Int64
			last.Store(-1)
			top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
				if v := tp.Int(0); v <= last.Swap(v) {
					disorder.Add(1)
				}
				c.Ack(tp)
				seen.Add(1)
				return nil
			}), from("pass", dag.Shuffle))
			cfg := top.config(t)
			cfg.Loops, cfg.InboxBatches, cfg.BatchRows = c.loops, 1, c.rows
			cfg.TickEvery = func(n string) time.Duration {
				if n == "pass" {
					return time.Millisecond
				}
				return 0
			}
			start(t, cfg)
			eventually(t, "all arrived", func() bool { return seen.Load() == n })
			if d := disorder.Load(); d != 0 {
				t.Errorf("%d tuples arrived out of order", d)
			}
			eventually(t, "ticks came", func() bool { return ticks.Load() > 0 })
			if c.ackers > 0 {
				eventually(t, "all acked", func() bool { return src.acked.Load() == n })
			}
		})
	}
}

// A bolt that ends its goroutine takes the run of its sender along; both go on.
func TestGoexitInAFusedBolt(t *testing.T) {
	const n = 5000
	src := &counter{limit: n, track: true}
	top := newTopology(1)
	top.fuse = always
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("pass", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	k := 0
	top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
		if k++; k == 700 {
			runtime.Goexit()
		}
		c.Ack(tp)
		return nil
	}), from("pass", dag.Shuffle))
	cfg := top.config(t)
	h := newErrorsSeen()
	cfg.Hooks = h
	e := start(t, cfg)
	defer func() { t.Logf("%+v acked %d failed %d", e.Stats(), src.acked.Load(), src.failed.Load()) }()
	eventually(t, "all but one are acked", func() bool { return src.acked.Load() == n })
	if src.failed.Load() != 1 || !h.has(errGoexit) {
		t.Errorf("%d failed, errors %v; want one, and %v", src.failed.Load(), h.errs, errGoexit)
	}
}

// A fused bolt that is expensive runs apart from its sender, and one that blocks does not hold it up: the spout fills the
// inbox meanwhile.
func TestExpensiveBoltsRunApart(t *testing.T) {
	src := &counter{limit: 1 << 40}
	top := newTopology(0)
	top.fuse = always
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	release := make(chan struct{})
	var held, calls atomic.Int64
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		for end := time.Now().Add(20 * time.Microsecond); time.Now().Before(end); {
		}
		if calls.Add(1) == 2000 {
			held.Store(1)
			<-release
		}
		return nil
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	e, stop := begin(t, cfg)
	defer stop()
	defer close(release)
	eventually(t, "the bolt blocks", func() bool { return held.Load() == 1 })
	defer func() { t.Logf("%+v calls %d", e.Stats(), calls.Load()) }()
	eventually(t, "the spout is held back by its inbox", func() bool {
		for _, s := range e.Stats() {
			if s.Component == "src" && s.State == blocked.String() {
				return true
			}
		}
		return false
	})
}

// TestFusedRunThatLostItsLoop lets a stand-in take the loop of a source before what it emitted is executed in place: the
// watch must go on seeing what the stand-in runs.
func TestFusedRunThatLostItsLoop(t *testing.T) {
	l, other, src, executed := &loop{}, &executor{}, &counter{}, 0
	top := newTopology(0)
	top.fuse = always
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("b", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		executed++
		if l.current.Load() != other {
			t.Error("the watch sees the receiver run")
		}
		return nil
	}), from("a", dag.Shuffle))
	d, _ := newDriver(t, top.config(t))
	x := d.executors()[0]
	src.limit, x.waiting, x.before = 3, false, -1
	l.current.Store(other)
	x.perform(l, 0, 1000, x.e.cfg.Clock.Now())
	if executed != 3 {
		t.Errorf("executed %d in place, want 3", executed)
	}
	if l.current.Load() != other {
		t.Error("then the watch sees the source run")
	}
}

// A bolt that never returns holds up the bolt that is fused with it, but not their spout, which hears of the timeouts.
func TestSpoutsOfABlockedFusedBoltHearOfTimeouts(t *testing.T) {
	src := &counter{limit: 100, track: true}
	top := newTopology(1)
	top.fuse = always
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("pass", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	release := make(chan struct{})
	top.add("sink", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error {
		<-release
		return nil
	}), from("pass", dag.Shuffle))
	cfg := top.config(t)
	cfg.MessageTimeout = 20 * time.Millisecond
	_, stop := begin(t, cfg)
	defer stop()
	defer close(release)
	eventually(t, "all have failed twice", func() bool { return src.failed.Load() >= 200 })
}
