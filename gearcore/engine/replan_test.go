package engine

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// nextPlan is the plan after p of a graph that edit has changed. Components of renew are replaced.
func nextPlan(tb testing.TB, p *dag.Plan, edit func(*dag.Graph), renew ...string) *dag.Plan {
	tb.Helper()
	g := *p.Graph
	g.Version++
	g.Processors = nil
	for _, proc := range p.Graph.Processors {
		c := *proc
		c.Inputs = slices.Clone(proc.Inputs)
		g.Processors = append(g.Processors, &c)
	}
	edit(&g)
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	highest := gearcore.TaskID(0)
	for id := range p.Layout.Components {
		highest = max(highest, id)
	}
	for id := range p.Layout.Gone {
		highest = max(highest, id)
	}
	next, _, err := p.Next(&g, highest, nil, renew...)
	if err != nil {
		tb.Fatal(err)
	}
	return next
}

// rescale gives a component n tasks, each with an executor.
func rescale(name string, n int) func(*dag.Graph) {
	return func(g *dag.Graph) {
		p := g.Processor(name)
		p.Tasks, p.Executors = n, n
	}
}

// drop takes a component out of a graph.
func drop(name string) func(*dag.Graph) {
	return func(g *dag.Graph) {
		g.Processors = slices.DeleteFunc(g.Processors, func(p *dag.Processor) bool { return p.Name == name })
	}
}

// onward is the change of an engine that has all tasks to plan next.
func onward(e *Engine, next *dag.Plan) Change {
	old := e.roster.Load()
	c := Change{Version: old.version + 1, Plan: next, Drain: time.Minute}
	has := func(p *dag.Plan, d dag.Executor) bool {
		return slices.ContainsFunc(p.Executors, func(x dag.Executor) bool { return x.First == d.First && x.Last == d.Last })
	}
	for _, d := range next.Executors {
		if !has(old.plan, d) {
			c.Add = append(c.Add, d)
		}
	}
	for _, d := range old.plan.Executors {
		if !has(next, d) {
			c.Remove = append(c.Remove, d)
		}
	}
	return c
}

// TestRescaleInPlace gives a bolt other numbers of tasks again and again under load. Each tuple is executed once by one of its tasks, and
// none fails.
func TestRescaleInPlace(t *testing.T) {
	for _, kind := range []dag.GroupingKind{dag.Shuffle, dag.Fields} {
		t.Run(kind.String(), func(t *testing.T) {
			const n = 60_000 / raced.Fewer
			src := &counter{limit: n, track: true}
			var seen tracker
			var open atomic.Int32
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("work", dag.Bolt, 2, 2, func(dag.Task) any {
				return &bolt{execute: passOn, open: func(*gearcore.Collector) error { open.Add(1); return nil }, close: func() { open.Add(-1) }}
			}, from("src", kind, "a"))
			top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("work", kind, "a"))
			cfg := top.config(t)
			cfg.MaxSpoutPending = func(string) int { return 5000 }
			e := start(t, cfg)
			for i, tasks := range []int{4, 1, 8, 3, 2, 5, 1, 2} {
				eventually(t, "tuples go through", func() bool { return seen.total.Load() >= int64(i+1)*n/12 })
				<-apply(t, e, onward(e, nextPlan(t, e.plan(), rescale("work", tasks))))
				eventually(t, "as many tasks are open", func() bool { return int(open.Load()) == tasks })
			}
			eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
			seen.each(t, n, 1, 1)
			if src.failed.Load() != 0 {
				t.Errorf("%d tuples failed", src.failed.Load())
			}
		})
	}
}

// TestAddAndRemoveInPlace adds a bolt to a running topology, and takes it out again.
func TestAddAndRemoveInPlace(t *testing.T) {
	src := &counter{limit: 1 << 40, track: true}
	var seen, more tracker
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	top.code["more"] = executes(more.sink)
	cfg := top.config(t)
	cfg.MaxSpoutPending = func(string) int { return 5000 }
	e := start(t, cfg)
	eventually(t, "tuples go through", func() bool { return seen.total.Load() > 10000 })
	with := nextPlan(t, e.plan(), func(g *dag.Graph) {
		g.Processors = append(g.Processors, &dag.Processor{Name: "more", Kind: dag.Bolt, Tasks: 3, Executors: 3, Inputs: []dag.Input{from("src", dag.Shuffle)}})
	})
	<-apply(t, e, onward(e, with))
	eventually(t, "the new bolt gets some", func() bool { return more.total.Load() > 10000 })
	<-apply(t, e, onward(e, nextPlan(t, e.plan(), drop("more"))))
	was := seen.total.Load()
	eventually(t, "tuples go on", func() bool { return seen.total.Load() > was+10000 })
	e.Deactivate()
	eventually(t, "all end", func() bool { return e.PendingRoots() == 0 })
	if src.failed.Load() > 5000 {
		t.Errorf("%d tuples failed, more than were in flight", src.failed.Load())
	}
}

// TestPlansThatDoNotFit has plans that a running engine cannot go over to. It goes on by the one it has.
func TestPlansThatDoNotFit(t *testing.T) {
	src := &counter{limit: 1 << 40}
	var seen tracker
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	e := start(t, top.config(t))
	next := nextPlan(t, e.plan(), rescale("sink", 2))
	full := onward(e, next)
	for name, c := range map[string]Change{
		"the same version":         {Version: 1, Plan: top.plan(t)},
		"no tasks for a bolt":      {Version: 1, Plan: next, Remove: full.Remove},
		"a task stays and is not":  {Version: 1, Plan: next, Add: full.Add},
		"another number of ackers": onward(e, nextPlan(t, e.plan(), rescale(gearcore.AckerComponent, 2))),
	} {
		if _, err := e.Apply(c); !errors.Is(err, ErrCannotChange) {
			t.Errorf("%s: %v, want ErrCannotChange", name, err)
		}
	}
	was := seen.total.Load()
	eventually(t, "tuples go on", func() bool { return seen.total.Load() > was+1000 })
}

// TestOldNumbers has code that goes on name tasks that are gone: for direct emits, and for receivers that were reserved.
func TestOldNumbers(t *testing.T) {
	for _, how := range []string{"direct", "reserved"} {
		t.Run(how, func(t *testing.T) {
			var got, lost atomic.Int64
			var old []gearcore.TaskID
			top := newTopology(1)
			src := &naming{}
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			kind := dag.Direct
			if how == "reserved" {
				kind = dag.Shuffle
			} else {
				top.procs[len(top.procs)-1].Outputs[0].Direct = true
			}
			top.add("sink", dag.Bolt, 3, 3, executes(func(tp gearcore.Tuple, c *gearcore.Collector) error {
				got.Add(1)
				c.Ack(tp)
				return nil
			}), from("src", kind))
			cfg := top.config(t)
			old = cfg.Plan.TasksOf("sink")
			src.emit = func(id int64, c *gearcore.Collector) {
				em, to := gearcore.Emission{ID: gearcore.Long(id)}, old[int(id)%3]
				if how == "direct" {
					em.Task = to
					c.Send(em, []gearcore.Value{gearcore.Long(id)})
					return
				}
				c.SendTo(em, []gearcore.TaskID{to}, []gearcore.Value{gearcore.Long(id)})
			}
			src.lost = &lost
			e := start(t, cfg)
			eventually(t, "tuples go through", func() bool { return got.Load() > 1000 })
			<-apply(t, e, onward(e, nextPlan(t, e.plan(), rescale("sink", 2))))
			was := got.Load()
			eventually(t, "they go to the tasks that there are now", func() bool { return got.Load() > was+5000 })
			if lost.Load() != 0 {
				t.Errorf("%d tuples failed", lost.Load())
			}
		})
	}
}

// naming is a source whose emits the test makes.
type naming struct {
	counter
	n    int64
	emit func(id int64, c *gearcore.Collector)
	lost *atomic.Int64
}

func (s *naming) Next(c *gearcore.Collector) error {
	s.n++
	s.emit(s.n, c)
	return nil
}
func (s *naming) Ack(gearcore.Value, *gearcore.Collector)  {}
func (s *naming) Fail(gearcore.Value, *gearcore.Collector) { s.lost.Add(1) }
