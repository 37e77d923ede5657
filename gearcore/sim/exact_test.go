package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// exact is a random pipeline that has to end as if nothing had ever failed: sources of numbered records, counts by key, sinks that
// show what they have once it counts. It outlives crashes, as the outside world does.
type exact struct {
	rnd      *rand.Rand
	graph    *dag.Graph
	limit    int64 // records of a source's task
	burst    int64 // most of them at once
	srcs     int
	keys     int64
	paths    int64                // ways from a source to the counts
	shown    map[effect]int       // by sinks, for good
	show     map[exactCommit]bool // what was shown
	faulty   float64              // chance that a call of a task fails
	versions int                  // that came later
	added    int                  // bolts that came later
	err      error
}

// effect is what a sink shows: the n-th record of a key was counted.
type effect struct{ key, n int64 }

// exactCommit is one task's part in an epoch.
type exactCommit struct {
	task  gearcore.TaskID
	epoch uint64
}

func newExact(seed uint64) *exact {
	m := &exact{rnd: rand.New(rand.NewPCG(seed, 11)), shown: map[effect]int{}, show: map[exactCommit]bool{}, paths: 1}
	m.limit, m.srcs, m.keys = 50+m.rnd.Int64N(600), 1+m.rnd.IntN(3), 1+m.rnd.Int64N(20)
	m.burst = 1 + m.limit/40 + m.rnd.Int64N(m.limit/6)
	g := &dag.Graph{ID: topologyID, Name: "sim", Version: 1, Timed: true}
	add := func(name string, kind dag.Kind, n int, inputs ...dag.Input) {
		g.Processors = append(g.Processors, &dag.Processor{Name: name, Kind: kind, Tasks: n, Executors: n,
			Inputs: inputs, Outputs: []dag.Output{{Stream: "default", Fields: []string{"key", "n", "time"}}}})
	}
	input := func(source string, k dag.GroupingKind) dag.Input {
		g := dag.Grouping{Kind: k}
		if k == dag.KeyGroups || k == dag.Fields {
			g.Fields = []string{"key"}
		}
		return dag.Input{Source: source, Stream: "default", Grouping: g}
	}
	any := func() dag.GroupingKind {
		return []dag.GroupingKind{dag.Shuffle, dag.Fields, dag.None, dag.LocalOrShuffle, dag.Global, dag.KeyGroups}[m.rnd.IntN(6)]
	}
	g.Processors = append(g.Processors, &dag.Processor{Name: gearcore.SystemComponent, Kind: dag.System,
		Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}})
	add("src", dag.Spout, m.srcs)
	last := "src"
	var inputs []dag.Input
	for i := range m.rnd.IntN(3) {
		name := fmt.Sprintf("pass%d", i)
		add(name, dag.Bolt, 1+m.rnd.IntN(3), input(last, any()))
		if m.rnd.IntN(2) == 0 { // the counts get what comes from before it, too
			inputs = append(inputs, input(last, dag.KeyGroups))
			m.paths++
		}
		last = name
	}
	add("count", dag.Bolt, 1+m.rnd.IntN(3), append(inputs, input(last, dag.KeyGroups))...)
	add("sink", dag.Bolt, 1+m.rnd.IntN(2), input("count", any()))
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	m.graph = g
	return m
}

// fails says whether a call is to fail.
func (m *exact) fails() bool { return m.faulty > 0 && m.rnd.Float64() < m.faulty }

// complete says whether all effects are shown.
func (m *exact) complete() bool {
	return int64(len(m.shown)) == m.limit*int64(m.srcs)*m.paths
}

// check compares what was shown with the sequential result: each key's records, numbered in turn.
func (m *exact) check() error {
	want := map[effect]int{}
	counts := map[int64]int64{}
	for src := range m.srcs {
		for i := range m.limit * m.paths {
			k := keyOf(src, i/m.paths, m.keys)
			counts[k]++
			want[effect{k, counts[k]}] = 1
		}
	}
	for e, n := range m.shown {
		if want[e] != n {
			return fmt.Errorf("count %d of key %d was shown %d times, want %d", e.n, e.key, n, want[e])
		}
	}
	if len(m.shown) != len(want) {
		return fmt.Errorf("%d effects were shown, want %d", len(m.shown), len(want))
	}
	return nil
}

func keyOf(src int, i, keys int64) int64 { return (int64(src)*7919 + i*i) % keys }

// exactOptions are the faults of a run.
type exactOptions struct {
	crashes, keeperCrashes, changes int
	faulty                          float64 // calls of tasks
	files                           float64 // writing and reading of state
	slow                            time.Duration
	losses, lossy                   int
	births                          int  // versions of the graph that come while it runs
	hasty                           bool // they do not wait for the one before to be in force
}

// playExact runs the pipeline of a seed to its end.
func playExact(t *testing.T, seed uint64, o exactOptions) uint64 {
	t.Helper()
	m, calm := newExact(seed), o == exactOptions{births: o.births}
	m.faulty = o.faulty
	w := m.world(t, seed, o)
	down, at := -1, time.Duration(0)
	for steps := 0; !m.complete(); steps++ {
		if w.Now() > 5*time.Minute || steps > 1_000_000 {
			t.Fatalf("seed %d: not done at %v after %d steps, %d effects shown\n%v\n%s", seed, w.Now(), steps, len(m.shown), stats(w), m.story(w))
		}
		if o.changes > 0 && down < 0 && m.rnd.IntN(600) == 0 && !w.Changing() {
			o.changes--
			w.Change(m.move(w.plan.workers), time.Duration(m.rnd.IntN(20))*time.Millisecond+1)
		}
		if o.births > 0 && down < 0 && m.rnd.IntN(400) == 0 && (o.hasty || !w.Changing()) && (!calm || w.begun()) {
			o.births--
			m.evolve(t, seed, w)
		}
		if o.crashes > 0 && down < 0 && m.rnd.IntN(500) == 0 {
			o.crashes--
			down, at = m.rnd.IntN(len(w.nodes)), w.Now()+time.Duration(m.rnd.IntN(100))*time.Millisecond
			w.Crash(down)
		}
		if down >= 0 && (w.Now() >= at || m.rnd.IntN(500) == 0) {
			if err := w.Start(down); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			down = -1
		}
		if o.keeperCrashes > 0 && m.rnd.IntN(500) == 0 {
			o.keeperCrashes--
			if err := w.CrashKeeper(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if steps > 20_000 { // it is to come to an end
			m.faulty, w.cfg.Losses = 0, 0
		}
		err := w.Step()
		if err == nil {
			err = m.err
		}
		if err != nil {
			t.Fatalf("seed %d: at %v: %v\n%s", seed, w.Now(), err, m.story(w))
		}
	}
	if err := m.check(); err != nil {
		t.Fatalf("seed %d: %v\n%s", seed, err, m.story(w))
	}
	if calm {
		m.undisturbed(t, seed, w)
	}
	return w.Trace()
}

// undisturbed checks that no checkpoint was given up, where nothing fails.
func (m *exact) undisturbed(t *testing.T, seed uint64, w *World) {
	t.Helper()
	born := 0
	for _, n := range w.Notices() {
		if n.Kind == checkpoint.NoticeDropped || n.Kind == checkpoint.NoticeBegan && n.Generation > 1 {
			t.Fatalf("seed %d: nothing has failed, but: %s", seed, n)
		}
		if n.Kind == checkpoint.NoticeBorn {
			born++
		}
	}
	if born < m.versions-2 { // at the end one may have just come, and the one before it be in force and not all at work
		t.Fatalf("seed %d: %d versions of the graph were born, %d came", seed, born, m.versions)
	}
}

// story is the end of what coordinators told, and how workers are.
func (m *exact) story(w *World) string {
	s := ""
	ns := w.Notices()
	for _, n := range ns[max(0, len(ns)-12):] {
		s += n.String() + "\n"
	}
	for i := range w.nodes {
		if w.Up(i) {
			s += fmt.Sprintf("%d: %+v\n", i, w.Driver(i).Report())
		}
	}
	return s
}

// world makes the World of m with the executors dealt to workers.
func (m *exact) world(t *testing.T, seed uint64, o exactOptions) *World {
	t.Helper()
	p, err := dag.Expand(m.graph, nil, nil)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	workers := make([][]dag.Executor, 1+m.rnd.IntN(3))
	for _, x := range p.Executors {
		i := m.rnd.IntN(len(workers))
		workers[i] = append(workers[i], x)
	}
	store := &checkpoint.Memory{}
	ck := &Checkpoints{Store: store, Lossy: o.lossy, MaxJob: o.slow, Config: checkpoint.Config{
		Interval: 100 * time.Millisecond, Timeout: 2 * time.Second, AlignLimit: time.Second, Silence: 500 * time.Millisecond,
	}}
	ck.Vault = func(epoch uint64) gearcore.Vault {
		return flakyVault{checkpoint.NewVault(store, topologyID, epoch), m, o.files}
	}
	var fuse func(string) bool
	if m.rnd.IntN(3) == 0 {
		fuse = func(string) bool { return true }
	}
	w, err := New(Config{Seed: seed, Plan: p, Workers: workers, NewTask: m.newTask, LinkBatches: 1 + m.rnd.IntN(4), Losses: o.losses, Checkpoints: ck, Engine: engine.Config{
		InboxBatches: 1 + m.rnd.IntN(4), BatchRows: 16, Fuse: fuse,
		TickEvery: func(c string) time.Duration {
			if c == "count" {
				return 30 * time.Millisecond
			}
			return 0
		},
	}})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return w
}

// move returns what the workers run when a few executors are elsewhere.
func (m *exact) move(workers [][]dag.Executor) [][]dag.Executor {
	out := make([][]dag.Executor, len(workers))
	for i, ex := range workers {
		for _, x := range ex {
			to := i
			if m.rnd.IntN(3) == 0 {
				to = m.rnd.IntN(len(out))
			}
			out[to] = append(out[to], x)
		}
	}
	return out
}

func TestExactlyOnce(t *testing.T) {
	for seed := range seeds(t, 300) {
		playExact(t, seed+1, exactOptions{})
	}
}

func TestExactlyOnceThroughCrashes(t *testing.T) {
	for seed := range seeds(t, 600) {
		playExact(t, seed+1, exactOptions{crashes: 3, slow: 20 * time.Millisecond})
	}
}

// Tasks that panic, state that cannot be written or read, frames, orders and reports that are lost, coordinators that die, tasks
// that move.
func TestExactlyOnceThroughEverything(t *testing.T) {
	for seed := range seeds(t, 600) {
		playEverything(t, seed)
	}
}

func playEverything(t *testing.T, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 3))
	playExact(t, seed+1, exactOptions{
		crashes: rnd.IntN(4), keeperCrashes: rnd.IntN(3), changes: rnd.IntN(3), faulty: []float64{0, 0.0005}[rnd.IntN(2)],
		files: []float64{0, 0.05}[rnd.IntN(2)], slow: []time.Duration{0, 30 * time.Millisecond, 400 * time.Millisecond}[rnd.IntN(3)],
		losses: []int{0, 300}[rnd.IntN(2)], lossy: []int{0, 5}[rnd.IntN(2)],
	})
}

func TestSameSeedSameRunWithCheckpoints(t *testing.T) {
	o := exactOptions{crashes: 2, keeperCrashes: 1, changes: 1, faulty: 0.0005, files: 0.05, slow: 20 * time.Millisecond, losses: 300, lossy: 5}
	for seed := range uint64(10) {
		if a, b := playExact(t, seed+1, o), playExact(t, seed+1, o); a != b {
			t.Errorf("seed %d gave two different runs", seed+1)
		}
	}
}

// seeds returns how many are played: fewer with -short, and with the race detector, which has one goroutine to watch here.
func seeds(t *testing.T, n uint64) uint64 {
	t.Helper()
	switch {
	case raced.Enabled:
		return n / 30
	case testing.Short():
		return n / 5
	}
	return n
}
