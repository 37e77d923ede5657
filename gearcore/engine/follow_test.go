package engine

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// chooser is a batch task that chooses the receivers of numbers itself, by the version of the graph that it was told. For the first emits
// after it was told another one it goes by the one before, as code in another process does.
type chooser struct {
	mu       sync.Mutex
	choices  map[int64][][]gearcore.TaskID // by version: the tasks of each subscriber
	followed []int64
	version  atomic.Int64
	lag      int
	misused  atomic.Pointer[error]
}

// newChooser knows who hears from it in a plan.
func newChooser(p *dag.Plan, name string) *chooser {
	c := &chooser{choices: map[int64][][]gearcore.TaskID{}}
	c.version.Store(p.Graph.Version)
	return c.knows(p, name)
}

// knows tells it of a plan that is about to come, in which it has a name.
func (w *chooser) knows(p *dag.Plan, name string) *chooser {
	w.mu.Lock()
	defer w.mu.Unlock()
	id, _ := p.Stream(name, "default")
	var all [][]gearcore.TaskID
	for _, r := range p.Routes[id] {
		all = append(all, r.Tasks)
	}
	w.choices[p.Graph.Version] = all
	return w
}

const lag = 40

func (w *chooser) Follow(version int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.version.Swap(version) != version {
		w.followed, w.lag = append(w.followed, version), lag
	}
}

func (w *chooser) told() []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.followed)
}

// receivers returns who gets a number.
func (w *chooser) receivers(v int64) (out []gearcore.TaskID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	version := w.version.Load()
	if w.lag > 0 {
		w.lag--
		version-- // numbers of versions follow each other
	}
	for _, tasks := range w.choices[version] {
		out = append(out, tasks[int(v)%len(tasks)])
	}
	return out
}

func (*chooser) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (*chooser) Close()                                            {}

func (w *chooser) ExecuteBatch(b *gearcore.Batch, c *gearcore.Collector) {
	own := &gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From}
	for i := range b.Rows {
		own.Append(b.Rows[i].Stream, b.Rows[i].Source, nil, b.Tuple(i).Roots())
	}
	for i := range b.Rows {
		v := b.Tuple(i).Int(0)
		e := gearcore.Emission{Anchors: []gearcore.Tuple{own.Tuple(i)}, Earlier: true}
		if err := c.SendTo(e, w.receivers(v), []gearcore.Value{gearcore.Long(v)}); err != nil {
			w.misused.Store(&err)
		}
		c.Ack(own.Tuple(i))
	}
}

// TestFollow has the receivers of a task that chooses them itself come and go under load. Every tuple arrives once, though what is chosen
// is late.
func TestFollow(t *testing.T) {
	const n = 40_000 / raced.Fewer
	src := &counter{limit: n, track: true}
	var seen, more tracker
	var w *chooser
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("choose", dag.Bolt, 1, 1, func(dag.Task) any { return w }, from("src", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, executes(seen.sink), from("choose", dag.Shuffle))
	top.code["more"] = executes(more.sink)
	cfg := top.config(t)
	w = newChooser(cfg.Plan, "choose")
	cfg.MaxSpoutPending = func(string) int { return 2000 }
	e := start(t, cfg)
	with := func(g *dag.Graph) {
		g.Processors = append(g.Processors, &dag.Processor{Name: "more", Kind: dag.Bolt, Tasks: 2, Executors: 2, Inputs: []dag.Input{from("choose", dag.Shuffle)}})
	}
	unheard := func(g *dag.Graph) { g.Processor("more").Inputs = nil }
	for i, edit := range []func(*dag.Graph){rescale("sink", 4), with, rescale("sink", 1), unheard, rescale("sink", 3)} {
		eventually(t, "tuples go through", func() bool { return seen.total.Load() >= int64(i+1)*n/8 })
		next := nextPlan(t, e.plan(), edit)
		w.knows(next, "choose")
		<-apply(t, e, onward(e, next))
		eventually(t, "it is told", func() bool { return w.version.Load() == next.Graph.Version })
	}
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
	seen.each(t, n, 1, 1)
	if got := w.told(); !slices.Equal(got, []int64{2, 3, 4, 5, 6}) {
		t.Errorf("it was told of %v", got)
	}
	if err := w.misused.Load(); err != nil {
		t.Error(*err)
	}
	if src.failed.Load() != 0 || more.total.Load() == 0 || more.total.Load() > n/2 {
		t.Errorf("%d failed, %d at the bolt that came and was no more sent to", src.failed.Load(), more.total.Load())
	}
}

// TestFollowIdle has a task told of another graph though nothing comes.
func TestFollowIdle(t *testing.T) {
	var w *chooser
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("choose", dag.Bolt, 1, 1, func(dag.Task) any { return w }, from("src", dag.Shuffle))
	cfg := top.config(t)
	w = newChooser(cfg.Plan, "choose")
	e := start(t, cfg)
	<-apply(t, e, onward(e, nextPlan(t, e.plan(), rescale("src", 2))))
	eventually(t, "it is told", func() bool { return w.version.Load() == 2 })
}

// TestFollowAtABirth has the receivers of a task that chooses them itself replaced at checkpoints: it is told behind the marker, so that
// everything is shown once.
func TestFollowAtABirth(t *testing.T) {
	const n, versions = 40_000, 5
	var limit, open atomic.Int64
	limit.Store(n / versions)
	out := &ledger{shown: map[int64]int{}}
	var w *chooser
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &stream{limit: &limit} })
	top.add("choose", dag.Bolt, 1, 1, func(dag.Task) any { return w }, from("src", dag.Shuffle))
	top.add("mid", dag.Bolt, 3, 3, func(dag.Task) any { return &midway{open: &open} }, from("choose", dag.Shuffle))
	top.add("sink", dag.Bolt, 2, 2, func(dag.Task) any { return &shower{ledger: out, held: map[uint64][]int64{}} }, from("mid", dag.Fields, "a"))
	cfg := top.config(t)
	w = newChooser(cfg.Plan, "choose")
	cfg.Loops = 2
	k := coordinate(t, cfg)
	k.begin()
	for i, tasks := range []int{8, 1, 4, 2} {
		next := nextPlan(t, k.Engine.plan(), rescale("mid", tasks))
		w.knows(next, "choose")
		<-k.bear(next, i+1)
		limit.Add(n / versions)
	}
	k.until("everything is shown", func() bool { return out.total.Load() == n }, nil)
	out.eachOnce(t, n)
	if err := w.misused.Load(); err != nil {
		t.Error(*err)
	}
	if n := k.noted[checkpoint.NoticeGo]; n != 1 || !slices.Equal(w.told(), []int64{2, 3, 4, 5}) {
		t.Errorf("there were %d generations, and it was told of %v", n, w.told())
	}
}
