package engine

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

var errDatabase = errors.New("no database")

// broken are ways in which a task cannot be opened.
var broken = map[string]struct {
	open func(*gearcore.Collector) error
	says string
}{
	"error": {func(*gearcore.Collector) error { return errDatabase }, ": no database"},
	"panic": {func(*gearcore.Collector) error { panic(errDatabase) }, ": panic: no database"},
}

// unopened are the errors of tasks that could not be opened.
func (h *errorsSeen) unopened() (texts []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.errs {
		if e := (*OpenError)(nil); errors.As(err, &e) && e.Unopened() {
			texts = append(texts, e.Error())
		}
	}
	return texts
}

// TestTaskThatCannotBeMade: a panic of what makes a task is an error of the change that brings it, and the graph before goes on.
func TestTaskThatCannotBeMade(t *testing.T) {
	a, before := &script{values: []int64{1}}, &adder{}
	top := pairOf(a, &script{}, before, &adder{})
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	s.settle(time.Second)
	top.code["c"] = func(dag.Task) any { panic(errDatabase) }
	if _, err := s.Apply(onward(s.Engine, nextPlan(t, s.plan(), func(*dag.Graph) {}, "c"))); !errors.Is(err, errDatabase) {
		t.Errorf("error %v", err)
	}
	a.values = append(a.values, 2)
	s.settle(time.Second)
	if before.sum != 3 {
		t.Errorf("the task before has a sum of %d, want 3", before.sum)
	}
}

// TestOpenErrorInAChange rescales a bolt whose new tasks cannot be opened: the engine goes on, what is for them waits, and the next
// graph has all of it.
func TestOpenErrorInAChange(t *testing.T) {
	for name, how := range broken {
		t.Run(name, func(t *testing.T) {
			const n = 20_000
			src, beside := &counter{limit: n, track: true}, &counter{limit: 1 << 40}
			var seen, others tracker
			var unwell atomic.Bool
			top := newTopology(1)
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
			top.add("work", dag.Bolt, 2, 2, func(dag.Task) any {
				b := &bolt{execute: passOn}
				if unwell.Load() {
					b.open = how.open
				}
				return b
			}, from("src", dag.Shuffle))
			top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("work", dag.Fields, "a"))
			top.add("beside", dag.Spout, 1, 1, func(dag.Task) any { return beside })
			top.add("others", dag.Bolt, 1, 1, executes(others.sink), from("beside", dag.Shuffle))
			cfg, hooks := top.config(t), newErrorsSeen()
			cfg.Hooks = hooks
			cfg.MaxSpoutPending = func(string) int { return 1000 }
			e := start(t, cfg)
			eventually(t, "tuples go through", func() bool { return seen.total.Load() >= n/4 })
			unwell.Store(true)
			apply(t, e, onward(e, nextPlan(t, e.plan(), rescale("work", 3))))
			eventually(t, "all new tasks have said why", func() bool { return len(hooks.unopened()) == 3 })
			if got := hooks.unopened()[0]; !strings.HasPrefix(got, "open component work, task ") || !strings.HasSuffix(got, how.says) {
				t.Errorf("it says %q", got)
			}
			if e.AtWork() {
				t.Error("it is at work")
			}
			was := others.total.Load()
			eventually(t, "others go on", func() bool { return others.total.Load() > was+1000 })
			unwell.Store(false)
			<-apply(t, e, onward(e, nextPlan(t, e.plan(), rescale("work", 2), "work")))
			eventually(t, "it is at work", e.AtWork)
			eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
			seen.each(t, n, 1, 1)
			if src.failed.Load() != 0 {
				t.Errorf("%d tuples failed", src.failed.Load())
			}
		})
	}
}

// ill is an adder that cannot be opened.
type ill struct {
	adder
	open   func(*gearcore.Collector) error
	closed *int
}

func (b *ill) Open(_ *gearcore.Context, c *gearcore.Collector) error { return b.open(c) }
func (b *ill) Close()                                                { *b.closed++ }

// between is the change from plan a to b of an engine that has all tasks, as if a were in force.
func between(version uint64, a, b *dag.Plan) Change {
	r := &roster{version: version - 1, plan: a}
	e := &Engine{}
	e.roster.Store(r)
	return onward(e, b)
}

// unborn is a topology of which version 2 is prepared, but for a task of c that cannot be opened: c is replaced, and e comes.
func unborn(t *testing.T, how func(*gearcore.Collector) error) (s *bench, hooks *errorsSeen, two *dag.Plan, a *script, closed *int) {
	t.Helper()
	a = &script{values: []int64{1, 2, 3}}
	hooks, closed = newErrorsSeen(), new(int)
	top := pairOf(a, &script{}, &adder{}, &adder{})
	top.code["e"] = func(dag.Task) any { return &adder{} }
	s = drive(t, top, func(c *Config) { c.Hooks = hooks })
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	s.settle(time.Second)
	sound := top.code["c"]
	top.code["c"] = func(dag.Task) any { return &ill{open: how, closed: closed} }
	two = nextPlan(t, s.plan(), func(g *dag.Graph) {
		g.Processors = append(g.Processors, &dag.Processor{Name: "e", Kind: dag.Bolt, Tasks: 1, Executors: 1, Inputs: []dag.Input{from("c", dag.Shuffle)},
			Outputs: []dag.Output{{Stream: "default", Fields: []string{"a"}}}})
	}, "c")
	if _, err := s.Apply(onward(s.Engine, two)); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	top.code["c"] = sound
	return s, hooks, two, a, closed
}

// TestLaterGraphTakesThePlaceOfOneThatIsNotBorn: what is prepared is taken back, but for what the later one has too.
func TestLaterGraphTakesThePlaceOfOneThatIsNotBorn(t *testing.T) {
	for name, how := range broken {
		t.Run(name, func(t *testing.T) {
			s, hooks, two, a, closed := unborn(t, how.open)
			if got := hooks.unopened(); len(got) != 1 || !strings.HasSuffix(got[0], how.says) {
				t.Errorf("errors %q", got)
			}
			if v := s.Staged(); v != 1 || s.AtWork() {
				t.Errorf("version %d is prepared, at work: %v", v, s.AtWork())
			}
			a.values = append(a.values, 4)
			s.settle(time.Second)
			three := nextPlan(t, two, func(*dag.Graph) {}, "c")
			done, err := s.Apply(between(3, two, three))
			if err != nil {
				t.Fatal(err)
			}
			s.settle(2 * takenBackWithin)
			if v := s.Staged(); v != 3 || *closed != 1 || s.Leaving() != 0 || !s.AtWork() {
				t.Errorf("version %d is prepared, %d tasks of the one before are closed, %d leave, at work: %v", v, *closed, s.Leaving(), s.AtWork())
			}
			var want []gearcore.TaskID
			for _, p := range []*dag.Plan{s.plan(), three} {
				for id, name := range p.Numbering {
					if len(name) == 1 && !slices.Contains(want, id) {
						want = append(want, id)
					}
				}
			}
			slices.Sort(want)
			if r := s.Report(); !slices.Equal(r.Tasks, want) || !r.Restored || r.Broken != "" {
				t.Errorf("the report is %+v, want tasks %v", r, want)
			}
			o := checkpoint.Order{Generation: 1, Version: 1, Go: true, Birth: checkpoint.Birth{Version: 3, Epoch: 1}}
			s.Obey(o)
			s.settle(time.Second)
			if s.Replaceable() {
				t.Error("a version whose birth is ordered could be replaced")
			}
			four := nextPlan(t, three, rescale("c", 2))
			if _, err := s.Apply(between(4, three, four)); !errors.Is(err, ErrPrepared) {
				t.Errorf("another one: %v", err)
			}
			o.Cut = 1
			s.Obey(o)
			s.settle(time.Second)
			s.keep(s.plan(), 1)
			o.Version, o.Committed = 3, 1
			s.Obey(o)
			s.settle(time.Second)
			a.values = append(a.values, 5)
			s.settle(time.Second)
			if r := s.Report(); r.Version != 3 || !r.Restored || r.Broken != "" {
				t.Errorf("after the birth: %+v", r)
			}
			select {
			case <-done:
			default:
				t.Error("tasks that are gone are not closed")
			}
			for name, want := range map[string]int64{"c": 15, "d": 15, "e": 5} {
				x := s.executorOf(three.TasksOf(name)[0])
				if got := x.tasks[0].bolt.(*adder).sum; got != want {
					t.Errorf("%s has a sum of %d, want %d", name, got, want)
				}
			}
		})
	}
}

// TestGraphThatIsNotTakenBack ends the engine in the end, so that its worker starts again.
func TestGraphThatIsNotTakenBack(t *testing.T) {
	s, _, _, _, _ := unborn(t, broken["error"].open)
	s.settle(takenBackWithin / 2)
	s.clock.now += takenBackWithin
	s.Fire()
	for s.Ready() > 0 {
		s.Step(0, 1000)
	}
	if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "open component c, task ") {
		t.Errorf("the engine ends with %v", err)
	}
}

// TestBirthOfWhatIsNotPrepared: an order for a version that has been taken back meanwhile has the topology go back.
func TestBirthOfWhatIsNotPrepared(t *testing.T) {
	s, _, two, _, _ := unborn(t, func(*gearcore.Collector) error { return nil })
	if v := s.Staged(); v != 2 {
		t.Fatalf("version %d is prepared", v)
	}
	three := nextPlan(t, two, func(*dag.Graph) {}, "c")
	if _, err := s.Apply(between(3, two, three)); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	o := checkpoint.Order{Generation: 1, Version: 1, Go: true, Cut: 1, Birth: checkpoint.Birth{Version: 2, Epoch: 1}}
	s.Obey(o)
	s.settle(time.Second)
	if r := s.Report(); !strings.Contains(r.Broken, "version 2 of the graph is to come into force, and is not prepared") {
		t.Errorf("the report is %+v", r)
	}
	s.begin(checkpoint.Order{Generation: 2, Version: 3})
	if r := s.Report(); r.Version != 3 || !r.Restored {
		t.Errorf("in the generation of version 3: %+v", r)
	}
}
