package engine

import (
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// The graph of a pipeline on run loops changes again and again, and everything is shown once; nothing goes back.
func TestBirthsOnRunLoops(t *testing.T) {
	const n, versions = 100_000, 8 // each part comes once another version is born
	var limit, open atomic.Int64
	limit.Store(n / versions)
	out := &ledger{shown: map[int64]int{}}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &stream{limit: &limit} })
	top.add("mid", dag.Bolt, 3, 3, func(dag.Task) any { return &midway{open: &open} }, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, func(dag.Task) any { return &shower{ledger: out, held: map[uint64][]int64{}} }, from("mid", dag.Fields, "a"))
	cfg := top.config(t)
	cfg.Loops = 2
	k := coordinate(t, cfg)
	k.begin()
	for i, tasks := range []int{8, 1, 4, 2, 3, 1, 6} {
		next := nextPlan(t, k.Engine.plan(), rescale("mid", tasks))
		if i%3 == 2 {
			next = nextPlan(t, k.Engine.plan(), rescale("mid", tasks), "src")
		}
		before := k.Engine.plan()
		<-k.bear(next, i+1)
		limit.Add(n / versions)
		if got := open.Load(); got != int64(tasks) {
			t.Errorf("%d tasks are open, want %d", got, tasks)
		}
		for _, id := range k.gated() {
			if before.Numbering[id] == "" && next.Numbering[id] == "" {
				t.Errorf("there is still a gate before task %d, which has been gone for longer than since the last birth", id)
			}
		}
	}
	k.until("everything is shown", func() bool { return out.total.Load() == n }, nil)
	out.eachOnce(t, n)
	if n := k.noted[checkpoint.NoticeGo]; n != 1 {
		t.Errorf("there were %d generations", n)
	}
}

// gated returns the tasks before which there is a gate.
func (e *Engine) gated() []gearcore.TaskID {
	e.epochs.mu.Lock()
	defer e.epochs.mu.Unlock()
	return slices.Collect(maps.Keys(e.epochs.gates))
}

// midway is an adder that is counted while it is open.
type midway struct {
	adder
	open *atomic.Int64
}

func (m *midway) Open(*gearcore.Context, *gearcore.Collector) error { m.open.Add(1); return nil }
func (m *midway) Close()                                            { m.open.Add(-1) }

// BenchmarkBirth rescales a bolt and says how long the birth takes, from the change to the last new task at work, and for how long
// at most a bolt beside it that has the same source stood still during it (gap-ms), and when there is none (usual-gap-ms).
func BenchmarkBirth(b *testing.B) {
	var limit, open, last, gap atomic.Int64
	limit.Store(1 << 60)
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &stream{limit: &limit} })
	top.add("mid", dag.Bolt, 3, 3, func(dag.Task) any { return &midway{open: &open} }, from("src", dag.Shuffle))
	top.add("beside", dag.Bolt, 1, 1, func(dag.Task) any {
		return &neighbour{last: &last, gap: &gap}
	}, from("src", dag.Shuffle))
	k := coordinate(b, top.config(b))
	k.begin()
	took, stood, usual := time.Duration(0), int64(0), int64(0)
	for i := range b.N {
		gap.Store(0)
		rest := time.Now()
		k.until("there is a checkpoint or two", func() bool { return time.Since(rest) > 250*time.Millisecond }, nil)
		usual += gap.Swap(0)
		began := time.Now()
		k.bear(nextPlan(b, k.Engine.plan(), rescale("mid", 2+i%7)), i+1)
		took += time.Since(began)
		stood += gap.Load()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "birth-ms")
	b.ReportMetric(float64(stood)/1e6/float64(b.N), "gap-ms")
	b.ReportMetric(float64(usual)/1e6/float64(b.N), "usual-gap-ms")
}

// neighbour is a bolt that notes the longest time between two tuples.
type neighbour struct {
	adder
	last, gap *atomic.Int64
}

func (w *neighbour) Execute(gearcore.Tuple, *gearcore.Collector) error {
	now := time.Now().UnixNano()
	if was := w.last.Swap(now); was != 0 && now-was > w.gap.Load() {
		w.gap.Store(now - was)
	}
	return nil
}

// A task has fewer senders after a birth, and holds tuples when the marker of the next checkpoint has come: it waits for itself, whatever
// the number of the sender was that it waited for last.
func TestHeldBehindABirth(t *testing.T) {
	a, gone, b, end := &script{values: []int64{1}}, &script{}, &slow{}, &adder{}
	top := slowLine(a, b, end)
	top.add("z", dag.Spout, 1, 1, func(dag.Task) any { return gone })
	into := top.procs[3] // b
	into.Inputs = append(into.Inputs, from("z", dag.Shuffle))
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	s.settle(time.Second)
	b.finish(1)
	s.settle(time.Second)
	next := nextPlan(t, s.plan(), func(g *dag.Graph) {
		drop("z")(g)
		p := g.Processor("b")
		p.Inputs = p.Inputs[:1]
	})
	if _, err := s.Apply(onward(s.Engine, next)); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	o := checkpoint.Order{Generation: 1, Version: 1, Go: true, Birth: checkpoint.Birth{Version: 2, Epoch: 1}}
	s.Obey(o)
	s.settle(time.Second)
	o.Cut = 1
	s.Obey(o)
	s.settle(time.Second)
	o.Version, o.Committed = 2, 1
	s.Obey(o)
	s.settle(time.Second)
	if v := s.Engine.Version(); v != 2 {
		t.Fatalf("version %d of the graph is in force", v)
	}
	a.values = []int64{1, 2}
	s.settle(time.Second)
	o.Cut = 2
	s.Obey(o)
	s.settle(time.Second)
	id := next.TasksOf("b")[0]
	if w := s.Report().Waiting; len(w) != 1 || w[0].Task != id || w[0].For != id {
		t.Errorf("what waits is %v", w)
	}
	b.finish(1)
	s.settle(time.Second)
	if n := len(s.saved(2)); n != 3 {
		t.Errorf("%d parts were saved, want 3", n)
	}
}

// A sink that the next graph has no more shows what it holds back when that counts: because the birth does, or because a generation of the
// next graph goes back no further than to it.
func TestSinkThatGoesShowsWhatCounts(t *testing.T) {
	for name, c := range map[string]struct {
		birth bool
		then  checkpoint.Order
		want  []uint64
	}{
		"birth":                           {true, checkpoint.Order{Generation: 1, Version: 2, Go: true, Cut: 1, Committed: 1, Birth: checkpoint.Birth{Version: 2, Epoch: 1}}, []uint64{1}},
		"birth, heard of by a generation": {true, checkpoint.Order{Generation: 2, Version: 2, Restore: 1, Committed: 1}, []uint64{1}},
		"birth that came to nothing":      {true, checkpoint.Order{Generation: 2, Version: 2}, nil},
		"checkpoint before a generation":  {false, checkpoint.Order{Generation: 2, Version: 2, Restore: 1, Committed: 1}, []uint64{1}},
		"no checkpoint":                   {false, checkpoint.Order{Generation: 2, Version: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, sink := &script{values: []int64{1, 2}}, &adder{}
			s := drive(t, pairOf(a, &script{}, &adder{}, sink), nil)
			s.begin(checkpoint.Order{Generation: 1, Version: 1})
			s.settle(time.Second)
			next := nextPlan(t, s.plan(), drop("d"))
			if _, err := s.Apply(onward(s.Engine, next)); err != nil {
				t.Fatal(err)
			}
			s.settle(time.Second)
			o := checkpoint.Order{Generation: 1, Version: 1, Go: true}
			if c.birth {
				o.Birth = checkpoint.Birth{Version: 2, Epoch: 1}
			}
			s.Obey(o)
			s.settle(time.Second)
			o.Cut = 1
			s.Obey(o)
			s.settle(time.Second)
			s.keep(s.plan(), 1)
			if len(sink.commits) != 0 {
				t.Fatalf("it is told of %v before anything counts", sink.commits)
			}
			s.Obey(c.then)
			s.settle(time.Second)
			if !slices.Equal(sink.commits, c.want) {
				t.Errorf("it is told of %v, want %v", sink.commits, c.want)
			}
			if s.Leaving() != 0 || s.Engine.Version() != 2 {
				t.Errorf("%d executors leave, version %d", s.Leaving(), s.Engine.Version())
			}
		})
	}
}

// A task that the next graph has no more runs once again before it is told to leave: it keeps to the graph that it knows.
func TestRunBeforeATaskIsToldToLeave(t *testing.T) {
	s := drive(t, pairOf(&script{values: []int64{1, 2}}, &script{}, &adder{}, &adder{}), nil)
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	s.settle(time.Second)
	next := nextPlan(t, s.plan(), drop("d"))
	if _, err := s.Apply(onward(s.Engine, next)); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	n := s.roster.Load().next
	x := n.leave[0]
	s.epochs.obey(checkpoint.Order{Generation: 2, Version: 2}, s.Engine.Version())
	s.mu.Lock()
	s.changeLocked(n, nil, n.leave, n.out) // as settle does, which tells them then
	s.mu.Unlock()
	x.tell(evOrder, nil)
	s.settle(time.Second)
	if v := x.wired.plan.Graph.Version; v != 1 || x.timed.generation != 1 {
		t.Errorf("it is at version %d in generation %d", v, x.timed.generation)
	}
	s.dismiss(n.leave, n.out)
	s.settle(time.Second)
	if !x.isGone() || s.Leaving() != 0 {
		t.Errorf("%d executors leave", s.Leaving())
	}
}

// parting is an adder that does something while it is closed.
type parting struct {
	adder
	last func()
}

func (p *parting) Close() { p.last() }

// A graph that comes into force while the engine ends is not taken up any more: what waits for it is told once that there is nothing to wait for.
func TestBirthWhileTheEngineEnds(t *testing.T) {
	var done <-chan struct{}
	t.Cleanup(func() { // behind the end of the engine
		select {
		case <-done:
		default:
			t.Error("who waits for the change is not told")
		}
	})
	sink := &parting{}
	top := pairOf(&script{}, &script{}, &adder{}, &adder{})
	top.code["d"] = func(dag.Task) any { return sink }
	top.code["e"] = func(dag.Task) any { return &adder{} }
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	next := nextPlan(t, s.plan(), func(g *dag.Graph) {
		g.Processors = append(g.Processors, &dag.Processor{Name: "e", Kind: dag.Bolt, Tasks: 1, Executors: 1, Inputs: []dag.Input{from("d", dag.Shuffle)},
			Outputs: []dag.Output{{Stream: "default", Fields: []string{"a"}}}})
	})
	var err error
	if done, err = s.Apply(onward(s.Engine, next)); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	sink.last = func() {
		s.Obey(checkpoint.Order{Generation: 2, Version: 2})
		if v := s.Engine.Version(); v != 1 {
			t.Errorf("version %d is in force", v)
		}
	}
}
