package engine

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// once is a source that calls f in its first Next.
type once struct {
	counter
	f    func(c *gearcore.Collector)
	done atomic.Bool
}

func (s *once) Next(c *gearcore.Collector) error {
	if s.done.Load() {
		return gearcore.ErrIdle
	}
	s.f(c)
	s.done.Store(true)
	return nil
}

// emitOnce runs a topology whose source calls f once, with sinks that record.
func emitOnce(t *testing.T, ackers int, h gearcore.Hooks, f func(c *gearcore.Collector), more func(top *topology, src *dag.Processor)) *once {
	t.Helper()
	top := newTopology(ackers)
	src := &once{f: f}
	p := top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	more(top, p)
	cfg := top.config(t)
	cfg.Hooks = h
	start(t, cfg)
	eventually(t, "the source was asked", func() bool { return src.done.Load() })
	return src
}

func TestEmitReturnsAllTasks(t *testing.T) {
	var got []gearcore.TaskID
	var seen tracker
	emitOnce(t, 0, nil, func(c *gearcore.Collector) {
		got = slices.Clone(c.Send(gearcore.Emission{}, []gearcore.Value{gearcore.Long(7)}))
	}, func(top *topology, _ *dag.Processor) {
		top.add("a", dag.Bolt, 3, 3, executes(seen.sink), from("src", dag.All))
		top.add("b", dag.Bolt, 2, 1, executes(seen.sink), from("src", dag.Global))
	})
	if !slices.Equal(got, []gearcore.TaskID{1, 2, 3, 4}) {
		t.Errorf("emit went to %v, want a's tasks 1 2 3 and b's 4", got)
	}
	eventually(t, "four tuples arrived", func() bool { return seen.total.Load() == 4 })
}

func TestDirectEmits(t *testing.T) {
	type result struct {
		ids []gearcore.TaskID
		err error
	}
	var res []result
	var seen tracker
	direct := func(top *topology, src *dag.Processor) {
		src.Outputs = []dag.Output{{Stream: "default", Fields: []string{"a"}}, {Stream: "d", Fields: []string{"a"}, Direct: true}}
		top.add("b1", dag.Bolt, 2, 2, executes(seen.sink), dag.Input{Source: "src", Stream: "d", Grouping: dag.Grouping{Kind: dag.Direct}})
		top.add("b2", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	}
	src := emitOnce(t, 1, nil, func(c *gearcore.Collector) {
		vals := []gearcore.Value{gearcore.Long(1)}
		for _, e := range []gearcore.Emission{
			{Stream: 1, Task: 3},                        // b1's second task
			{Stream: 1, Task: 4},                        // b2 does not subscribe to d: dropped
			{Stream: 1, Task: 99},                       // no such task: dropped
			{Stream: 0, Task: 4},                        // b2 subscribes by shuffle
			{Stream: 1},                                 // no task named
			{Stream: 1, Task: 4, ID: gearcore.Long(1)},  // dropped, so complete
			{Stream: 1, Task: 2, ID: gearcore.Long(77)}, // tracked
			{Stream: 2},                                 // no such stream
		} {
			ids, err := c.TrySend(e, vals)
			res = append(res, result{slices.Clone(ids), err})
		}
		_, err := c.TrySend(gearcore.Emission{}, []gearcore.Value{gearcore.Long(1), gearcore.Long(2)})
		res = append(res, result{nil, err})
	}, direct)
	eventually(t, "two tuples acked", func() bool { return src.acked.Load() == 2 })
	eventually(t, "two tuples arrived", func() bool { return seen.total.Load() == 2 })
	want := []struct {
		ids []gearcore.TaskID
		err string
	}{{ids: []gearcore.TaskID{3}}, {}, {}, {err: "b2 subscribes by another grouping"}, {err: "direct stream without naming a task"}, {},
		{ids: []gearcore.TaskID{2}}, {err: "no stream at position 2"}, {err: "2 values for the 1 declared fields"}}
	for i, w := range want {
		if r := res[i]; !slices.Equal(r.ids, w.ids) || (r.err == nil) != (w.err == "") || r.err != nil && !strings.Contains(r.err.Error(), w.err) {
			t.Errorf("emit %d: %v, %v; want %v, %q", i, r.ids, r.err, w.ids, w.err)
		}
	}
}

func TestDefaultStreamIsPositionZero(t *testing.T) {
	var zero, def, other int
	emitOnce(t, 0, nil, func(c *gearcore.Collector) {
		def, other = c.OutputIndex("default"), c.OutputIndex("z")
		zero = c.OutputIndex("nowhere")
	}, func(_ *topology, src *dag.Processor) {
		src.Outputs = []dag.Output{{Stream: "z", Fields: []string{"a"}}, {Stream: "default", Fields: []string{"a"}}}
	})
	if def != 0 || other != 1 || zero != -1 {
		t.Errorf("default is %d, z is %d, an unknown one %d", def, other, zero)
	}
}

func TestObjectsStayInTheProcess(t *testing.T) {
	top := newTopology(0)
	var errGroup error
	src := &once{f: func(c *gearcore.Collector) {
		_, errGroup = c.TrySend(gearcore.Emission{}, []gearcore.Value{gearcore.Obj(struct{}{})})
	}}
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 2, 2, executes((&tracker{}).sink), from("src", dag.Fields, "a"))
	start(t, top.config(t))
	eventually(t, "asked", func() bool { return src.done.Load() })
	if errGroup == nil || !strings.Contains(errGroup.Error(), "Go object") {
		t.Errorf("grouping by an object: %v", errGroup)
	}
}

func TestCompleteWithoutAckers(t *testing.T) {
	for _, c := range []struct {
		name   string
		ackers int
		sinks  bool
	}{{"no ackers", 0, true}, {"no receivers", 1, false}} {
		t.Run(c.name, func(t *testing.T) {
			src := &counter{limit: 1000, track: true}
			var seen tracker
			top := newTopology(c.ackers)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			if c.sinks {
				top.add("sink", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
					c.Fail(t) // does nothing where nothing is tracked
					seen.see(t.Int(0))
					return nil
				}), from("src", dag.Shuffle))
			}
			cfg := top.config(t)
			cfg.MaxSpoutPending = func(string) int { return 2 }
			start(t, cfg)
			eventually(t, "all acked", func() bool { return src.acked.Load() == 1000 && (!c.sinks || seen.total.Load() == 1000) })
			if src.failed.Load() != 0 {
				t.Errorf("%d failed", src.failed.Load())
			}
		})
	}
}

// Tuples of one source task for one target task stay in order, over two streams and through groupings.
func TestOrder(t *testing.T) {
	const n = 100_000 / raced.Fewer
	var bad atomic.Int64
	var seen atomic.Int64
	top := newTopology(0)
	next := int64(0)
	src := top.add("src", dag.Spout, 1, 1, func(dag.Task) any {
		return &nexter{next: func(c *gearcore.Collector) error {
			if next == n {
				return gearcore.ErrIdle
			}
			next++
			c.Send(gearcore.Emission{Stream: int(next % 2)}, []gearcore.Value{gearcore.Long(next), gearcore.Long(next % 7)})
			return nil
		}}
	})
	src.Outputs = []dag.Output{{Stream: "default", Fields: []string{"a", "k"}}, {Stream: "s2", Fields: []string{"a", "k"}}}
	top.add("sink", dag.Bolt, 4, 2, func(dag.Task) any {
		last := map[int64]int64{}
		return &bolt{execute: func(t gearcore.Tuple, _ *gearcore.Collector) error {
			if t.Int(0) <= last[t.Int(1)] {
				bad.Add(1)
			}
			last[t.Int(1)] = t.Int(0)
			seen.Add(1)
			return nil
		}}
	}, from("src", dag.Fields, "k"), dag.Input{Source: "src", Stream: "s2", Grouping: dag.Grouping{Kind: dag.Fields, Fields: []string{"k"}}})
	cfg := top.config(t)
	cfg.InboxBatches = 2
	start(t, cfg)
	eventually(t, "all arrived", func() bool { return seen.Load() == n })
	if bad.Load() > 0 {
		t.Errorf("%d tuples overtook others", bad.Load())
	}
}

// nexter is a source made of a function.
type nexter struct {
	counter
	next func(c *gearcore.Collector) error
}

func (s *nexter) Next(c *gearcore.Collector) error { return s.next(c) }

func TestMisuseAndErrorsFailTheTuple(t *testing.T) {
	errMine := errors.New("mine")
	var misuse *gearcore.MisuseError
	for _, c := range []struct {
		name  string
		do    func(t gearcore.Tuple, c *gearcore.Collector) error
		check func(error) bool
	}{
		{"panic", func(gearcore.Tuple, *gearcore.Collector) error { panic(errMine) }, func(e error) bool {
			var p *gearcore.PanicError
			return errors.As(e, &p) && errors.Is(e, errMine) && strings.Contains(string(p.Stack), "emit_test.go")
		}},
		{"error", func(gearcore.Tuple, *gearcore.Collector) error { return errMine }, func(e error) bool { return e == errMine }},
		{"misuse", func(_ gearcore.Tuple, c *gearcore.Collector) error { c.Emit(1, 2); return nil }, func(e error) bool { return errors.As(e, &misuse) }},
		{"report and fail", func(t gearcore.Tuple, c *gearcore.Collector) error {
			c.ReportError(errMine)
			c.Fail(t)
			c.Ack(t) // too late
			return nil
		}, func(e error) bool { return e == errMine }},
	} {
		t.Run(c.name, func(t *testing.T) {
			const n = 500
			src := &counter{limit: n, track: true}
			h := newErrorsSeen()
			var seen tracker
			tries := map[int64]int{}
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("bolt", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, col *gearcore.Collector) error {
				if tries[t.Int(0)]++; t.Int(0)%50 == 0 && tries[t.Int(0)] == 1 {
					return c.do(t, col)
				}
				return seen.sink(t, col)
			}), from("src", dag.Shuffle))
			cfg := top.config(t)
			cfg.Hooks = h
			start(t, cfg)
			eventually(t, "all acked", func() bool { return src.acked.Load() == n })
			if got := src.failed.Load(); got != n/50 {
				t.Errorf("%d tuples failed, want %d", got, n/50)
			}
			seen.each(t, n, 1, 1)
			eventually(t, "errors reported", func() bool { return h.get(func() int { return len(h.errs) }) == n/50 })
			eventually(t, "all executed tuples are counted", func() bool {
				return h.get(func() int { return h.executed[2] }) == n+n/50
			})
			if h.get(func() int { return h.acked[2] }) != n || h.get(func() int { return h.failed[2] }) != n/50 {
				t.Errorf("the hooks heard of %d acked and %d failed", h.acked[2], h.failed[2])
			}
			if !c.check(h.errs[0]) {
				t.Errorf("reported %v", h.errs[0])
			}
		})
	}
}
