package engine

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// A tuple beyond the limit is refused on every way a tuple may take: reported by name, its input failed, nothing of it
// sent, and everything around it goes on.
func TestHugeTuplesAreRefused(t *testing.T) {
	const n, limit = 300, 10_000
	for _, c := range []struct {
		name    string
		targets int
		ackers  int
	}{{"one receiver, untracked", 1, 0}, {"one receiver, tracked", 1, 1}, {"groupings", 3, 1}} {
		t.Run(c.name, func(t *testing.T) {
			src := &counter{limit: n, track: true}
			var seen, largest atomic.Int64
			h := newErrorsSeen()
			refused := false
			top := newTopology(c.ackers)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("burst", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
				size := limit
				if t.Int(0) == 7 && !refused { // it is sent again after it failed
					refused = true
					size++
				}
				c.EmitAnchored(t, strings.Repeat("x", size))
				c.Ack(t)
				return nil
			}), from("src", dag.Shuffle))
			top.add("sink", dag.Bolt, c.targets, c.targets, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
				if size := int64(len(t.String(0))); size > largest.Load() {
					largest.Store(size)
				}
				seen.Add(1)
				c.Ack(t)
				return nil
			}), from("burst", dag.Shuffle))
			cfg := top.config(t)
			cfg.Hooks, cfg.MaxTupleBytes = h, limit
			start(t, cfg)
			want := int64(n)
			if c.ackers == 0 {
				want-- // nothing is sent again
			}
			eventually(t, "all others arrived", func() bool { return seen.Load() == want })
			if c.ackers > 0 {
				eventually(t, "all acked", func() bool { return src.acked.Load() == n })
				if src.failed.Load() != 1 {
					t.Errorf("%d tuples failed, want 1", src.failed.Load())
				}
			}
			if !h.has(gearcore.ErrTupleTooLarge) || len(h.errs) != 1 || largest.Load() != limit {
				t.Errorf("errors %v, largest tuple %d", h.errs, largest.Load())
			}
			if m := (*gearcore.MisuseError)(nil); len(h.errs) > 0 && !errors.As(h.errs[0], &m) {
				t.Errorf("the error is a %T", h.errs[0])
			}
		})
	}
}

// A spout hears of the failure of a tuple that was refused, whatever way it took: it may have noted the id before it emitted.
func TestRefusedSpoutTuplesFail(t *testing.T) {
	var n atomic.Int64
	src := &nexter{
		next: func(c *gearcore.Collector) error {
			switch i := n.Add(1); {
			case i > 100:
				n.Store(100)
				return gearcore.ErrIdle
			case i == 1:
				c.EmitID(gearcore.Long(i), strings.Repeat("x", 5000))
			case i == 50: // by now there is a lane
				c.EmitID(gearcore.Long(i), strings.Repeat("x", 5000))
			case i == 70:
				c.EmitID(gearcore.Long(i), "one", "too many")
			default:
				c.EmitID(gearcore.Long(i), "x")
			}
			return nil
		},
	}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error { c.Ack(tp); return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MaxTupleBytes = 1000
	start(t, cfg)
	eventually(t, "97 are acked", func() bool { return src.acked.Load() == 97 })
	eventually(t, "the three others failed", func() bool { return src.failed.Load() == 3 })
}

// A collector that is used while no call is under way does nothing but say so, and the process lives.
func TestCollectorOutsideACall(t *testing.T) {
	var kept *gearcore.Collector
	var first gearcore.Tuple
	opened := make(chan struct{})
	src := &counter{limit: 1, track: true}
	var seen atomic.Int64
	h := newErrorsSeen()
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("keeper", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		kept, first = c, t
		c.Emit(int64(1)) // finds the short way
		close(opened)
		return nil
	}), from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, counts(&seen), from("keeper", dag.Shuffle))
	cfg := top.config(t)
	cfg.Hooks = h
	e, stop := begin(t, cfg)
	<-opened
	keeper := e.executorOf(e.plan().TasksOf("keeper")[0])
	eventually(t, "the call is over", func() bool {
		keeper.mu.Lock()
		defer keeper.mu.Unlock()
		return keeper.state == idle
	})
	uses := map[string]func(){
		"emit": func() { kept.Emit(int64(2)) }, "emit anchored": func() { kept.EmitAnchored(first, int64(2)) },
		"ack": func() { kept.Ack(first) }, "fail": func() { kept.Fail(first) }, "reset": func() { kept.ResetTimeout(first) },
		"pause": func() { kept.Pause() }, "resume": func() { kept.Resume() },
		"try": func() {
			if _, err := kept.TrySend(gearcore.Emission{}, []gearcore.Value{gearcore.Long(2)}); err != nil {
				h.Errored(keeper.first, err)
			}
		},
	}
	count := func(target error) (n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, err := range h.errs {
			if errors.Is(err, target) {
				n++
			}
		}
		return n
	}
	for name, use := range uses {
		before := count(gearcore.ErrOutsideCall)
		use()
		if count(gearcore.ErrOutsideCall) != before+1 {
			t.Errorf("%s outside a call was not reported: %v", name, h.errs)
		}
	}
	if src.acked.Load()+src.failed.Load() != 0 {
		t.Error("an ack or fail outside a call counted")
	}
	// The right way still works.
	done := make(chan error, 1)
	go func() {
		a := kept.Async()
		done <- errors.Join(a.Emit(gearcore.Emission{}, []gearcore.Value{gearcore.Long(3)}), a.Ack(first))
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	eventually(t, "what was posted arrived", func() bool { return seen.Load() == 2 && src.acked.Load() == 1 })
	stop()
	for name, use := range uses {
		before := count(gearcore.ErrClosed)
		use()
		if count(gearcore.ErrClosed) != before+1 {
			t.Errorf("%s after the end was not reported as such", name)
		}
	}
	if err := kept.Async().Ack(first); !errors.Is(err, gearcore.ErrClosed) {
		t.Errorf("Async after the end: %v", err)
	}
	if seen.Load() != 2 {
		t.Errorf("%d tuples arrived, want the two that were emitted in calls", seen.Load())
	}
}

// A bolt that emits in Close is told that it is too late.
func TestEmitInClose(t *testing.T) {
	h := newErrorsSeen()
	top := newTopology(0)
	src := &counter{limit: 1}
	var seen atomic.Int64
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("late", dag.Bolt, 1, 1, func(dag.Task) any {
		b := &bolt{}
		var kept *gearcore.Collector
		b.open = func(c *gearcore.Collector) error { kept = c; return nil }
		b.execute = func(t gearcore.Tuple, c *gearcore.Collector) error { c.Emit(t.Value(0)); return nil }
		b.close = func() { kept.Emit(int64(9)) }
		return b
	}, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 1, 1, counts(&seen), from("late", dag.Shuffle))
	cfg := top.config(t)
	cfg.Hooks = h
	_, stop := begin(t, cfg)
	eventually(t, "it runs", func() bool { return seen.Load() == 1 })
	stop()
	if !h.has(gearcore.ErrClosed) || len(h.errs) != 1 {
		t.Errorf("errors %v, want ErrClosed once", h.errs)
	}
}
