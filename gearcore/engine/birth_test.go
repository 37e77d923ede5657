package engine

import (
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
	generations, born := 0, 0
	k := coordinate(t, cfg, func(is checkpoint.Notice) {
		switch is.Kind {
		case checkpoint.NoticeBorn:
			born++
			limit.Store(min(limit.Load()+n/versions, n))
		case checkpoint.NoticeGo:
			generations++
		}
	})
	k.until("sources emit", func() bool { return generations == 1 }, nil)
	for i, tasks := range []int{8, 1, 4, 2, 3, 1, 6} {
		next := nextPlan(t, k.Engine.plan(), rescale("mid", tasks))
		if i%3 == 2 {
			next = nextPlan(t, k.Engine.plan(), rescale("mid", tasks), "src")
		}
		done := k.become(next)
		k.until("it is born", func() bool { return born == i+1 }, nil)
		<-done
		if got := open.Load(); got != int64(tasks) {
			t.Errorf("%d tasks are open, want %d", got, tasks)
		}
	}
	k.until("everything is shown", func() bool { return out.total.Load() == n }, nil)
	out.mu.Lock()
	defer out.mu.Unlock()
	for v := range int64(n) {
		if out.shown[v] != 1 {
			t.Fatalf("%d was shown %d times", v, out.shown[v])
		}
	}
	if generations != 1 {
		t.Errorf("there were %d generations", generations)
	}
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
	born, at := 0, false
	k := coordinate(b, top.config(b), func(is checkpoint.Notice) {
		at = at || is.Kind == checkpoint.NoticeGo
		if is.Kind == checkpoint.NoticeBorn {
			born++
		}
	})
	k.until("sources emit", func() bool { return at }, nil)
	took, stood, usual := time.Duration(0), int64(0), int64(0)
	for i := range b.N {
		gap.Store(0)
		rest := time.Now()
		k.until("there is a checkpoint or two", func() bool { return time.Since(rest) > 250*time.Millisecond }, nil)
		usual += gap.Swap(0)
		began := time.Now()
		k.become(nextPlan(b, k.Engine.plan(), rescale("mid", 2+i%7)))
		k.until("it is born", func() bool { return born == i+1 }, nil)
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
