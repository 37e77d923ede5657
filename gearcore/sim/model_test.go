package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// model is a random topology and what must become of its tuples. It outlives crashes, as the outside world does.
type model struct {
	rnd     *rand.Rand
	limit   int64
	spouts  []*spoutState
	seen    map[string]map[int64]bool // leaf component -> ids that arrived
	leaves  []string
	flaky   float64 // chance that a tuple is failed, or its bolt panics
	err     error
	graph   *dag.Graph
	inbox   int
	pending int
	timeout time.Duration
	calm    bool // nothing may fail
	added   int  // bolts that came later
}

// spoutState is what a spout task would keep in a log: what is acked.
type spoutState struct {
	base  int64
	acked map[int64]bool
}

func newModel(seed uint64) *model {
	m := &model{rnd: rand.New(rand.NewPCG(seed, 7)), limit: 20, seen: map[string]map[int64]bool{}, timeout: timeout}
	if m.rnd.IntN(2) == 0 {
		m.flaky = 0.02
	}
	m.limit += m.rnd.Int64N(100)
	m.inbox = 1 + m.rnd.IntN(4)
	m.pending = m.rnd.IntN(3) * 8
	g := &dag.Graph{ID: "sim-1", Name: "sim", Version: 1}
	tasks := 1 + m.rnd.IntN(2)
	for i := range tasks {
		m.spouts = append(m.spouts, &spoutState{base: int64(i) * 1000, acked: map[int64]bool{}})
	}
	add := func(name string, kind dag.Kind, n int, inputs ...dag.Input) {
		g.Processors = append(g.Processors, &dag.Processor{Name: name, Kind: kind, Tasks: n, Executors: 1 + m.rnd.IntN(max(n, 1)),
			Inputs: inputs, Outputs: []dag.Output{{Stream: "default", Fields: []string{"ids", "hops"}}}})
	}
	add("__acker", dag.Acker, 1+m.rnd.IntN(3))
	g.Processors = append(g.Processors, &dag.Processor{Name: gearcore.SystemComponent, Kind: dag.System,
		Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}})
	add("src", dag.Spout, tasks)
	mids := []string{"src"}
	for i := range 1 + m.rnd.IntN(3) {
		name := fmt.Sprintf("%s%d", []string{"pass", "pair", "async"}[m.rnd.IntN(3)], i)
		add(name, dag.Bolt, 1+m.rnd.IntN(3), m.from(mids[m.rnd.IntN(len(mids))]))
		mids = append(mids, name)
	}
	if m.rnd.IntN(2) == 0 {
		add("ring1", dag.Bolt, 1+m.rnd.IntN(2), m.from(mids[len(mids)-1]), m.from("ring2"))
		add("ring2", dag.Bolt, 1, m.from("ring1"))
		mids = append(mids, "ring2")
	}
	for i := range 1 + m.rnd.IntN(2) {
		name := fmt.Sprintf("sink%d", i)
		m.leaves = append(m.leaves, name)
		m.seen[name] = map[int64]bool{}
		add(name, dag.Bolt, 1+m.rnd.IntN(2), m.from(mids[len(mids)-1-m.rnd.IntN(2)*i]))
	}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	m.graph = g
	return m
}

func (m *model) from(source string) dag.Input {
	g := []dag.Grouping{{Kind: dag.Shuffle}, {Kind: dag.Fields, Fields: []string{"hops"}}, {Kind: dag.All}, {Kind: dag.None}, {Kind: dag.LocalOrShuffle}, {Kind: dag.Global}}
	return dag.Input{Source: source, Stream: "default", Grouping: g[m.rnd.IntN(len(g))]}
}

func (m *model) newTask(_ int, d dag.Task) any {
	switch name := d.Processor.Name; {
	case d.Processor.Kind == dag.Spout:
		return &source{m: m, st: m.spouts[d.Index]}
	case name[:4] == "pass":
		return &each{m: m, do: pass}
	case name[:4] == "pair":
		return &pair{m: m}
	case name[:4] == "asyn":
		return &each{m: m, do: later}
	case name[:4] == "ring":
		return &each{m: m, do: ring}
	default:
		return &each{m: m, do: func(n *each, t gearcore.Tuple, c *gearcore.Collector) {
			for _, v := range t.Value(0).List() {
				m.seen[name][v.Int()] = true
			}
			c.Ack(t)
		}}
	}
}

// source replays what was not acked, as after a restart a reader of a log does.
type source struct {
	m    *model
	st   *spoutState
	next int64
	redo []int64
	out  map[int64]bool // in flight in this life
}

func (s *source) Open(*gearcore.Context, *gearcore.Collector) error {
	s.out = map[int64]bool{}
	return nil
}

func (s *source) Next(c *gearcore.Collector) error {
	var id int64
	switch {
	case len(s.redo) > 0:
		id, s.redo = s.redo[0], s.redo[1:]
	case s.next < s.m.limit:
		id = s.st.base + s.next
		s.next++
	default:
		return gearcore.ErrIdle
	}
	if s.st.acked[id] {
		return nil
	}
	s.out[id] = true
	c.Send(gearcore.Emission{ID: gearcore.Long(id)}, []gearcore.Value{gearcore.List([]gearcore.Value{gearcore.Long(id)}), gearcore.Long(id % 5)})
	return nil
}

func (s *source) Ack(v gearcore.Value, _ *gearcore.Collector) {
	id := v.Int()
	if !s.out[id] {
		s.m.err = fmt.Errorf("tuple %d was acked or failed twice", id)
	}
	delete(s.out, id)
	s.st.acked[id] = true
	for _, leaf := range s.m.leaves {
		if !s.m.seen[leaf][id] {
			s.m.err = fmt.Errorf("tuple %d was acked, but %s never saw it", id, leaf)
		}
	}
}

func (s *source) Fail(v gearcore.Value, _ *gearcore.Collector) {
	id := v.Int()
	if !s.out[id] {
		s.m.err = fmt.Errorf("tuple %d was acked or failed twice", id)
	}
	delete(s.out, id)
	if s.m.calm {
		s.m.err = fmt.Errorf("tuple %d has failed, though nothing was in its way", id)
	}
	s.redo = append(s.redo, id)
}
func (s *source) Activate(*gearcore.Collector)   {}
func (s *source) Deactivate(*gearcore.Collector) {}
func (s *source) Close()                         {}

// each is a bolt that handles each tuple on its own.
type each struct {
	m     *model
	do    func(n *each, t gearcore.Tuple, c *gearcore.Collector)
	async *gearcore.Async
}

func (n *each) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	n.async = c.Async()
	return nil
}
func (n *each) Close() {}
func (n *each) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if n.m.rnd.Float64() < n.m.flaky {
		switch n.m.rnd.IntN(3) {
		case 0:
			c.Fail(t)
			return nil
		case 1:
			return fmt.Errorf("does not like it")
		}
		panic("does not like it at all")
	}
	n.do(n, t, c)
	return nil
}

func pass(_ *each, t gearcore.Tuple, c *gearcore.Collector) {
	c.Send(gearcore.Emission{Anchors: []gearcore.Tuple{t}}, t.Values())
	c.Ack(t)
	c.Ack(t) // a second one is harmless
}

// later emits and acks through Async, half of the time pausing its input until then.
func later(n *each, t gearcore.Tuple, c *gearcore.Collector) {
	if n.m.rnd.IntN(2) == 0 {
		c.Pause()
	}
	if err := n.async.Do(100, func(c *gearcore.Collector) {
		pass(n, t, c)
		c.Resume()
	}); err != nil {
		n.m.err = err
	}
}

// ring sends a tuple round ring1 -> ring2 -> ring1 until its hops are used up; ring2 alone feeds the rest.
func ring(_ *each, t gearcore.Tuple, c *gearcore.Collector) {
	if h := t.Int(1); h > 0 || t.Component() != "ring2" {
		c.Send(gearcore.Emission{Anchors: []gearcore.Tuple{t}}, []gearcore.Value{t.Value(0), gearcore.Long(h - 1)})
	}
	c.Ack(t)
}

// pair joins two tuples into one anchored to both; a tick lets an odd one go alone.
type pair struct {
	m    *model
	held gearcore.Tuple
}

func (p *pair) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (p *pair) Close()                                            {}
func (p *pair) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	switch {
	case t.IsTick() && !p.held.IsZero():
		pass(nil, p.held, c)
		p.held = gearcore.Tuple{}
	case t.IsTick():
	case p.held.IsZero():
		p.held = t
	default:
		ids := slices.Concat(p.held.Value(0).List(), t.Value(0).List())
		c.Send(gearcore.Emission{Anchors: []gearcore.Tuple{p.held, t}}, []gearcore.Value{gearcore.List(ids), gearcore.Long(max(t.Int(1), p.held.Int(1)))})
		c.Ack(p.held)
		c.Ack(t)
		p.held = gearcore.Tuple{}
	}
	return nil
}

const timeout = 200 * time.Millisecond

// world makes the World of m with the executors dealt to workers.
func (m *model) world(t *testing.T, seed uint64) *World {
	t.Helper()
	p, err := dag.Expand(m.graph, nil, nil)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	breaks := m.rnd.IntN(3) * 20
	if m.calm {
		breaks = 0
	}
	workers := make([][]dag.Executor, 1+m.rnd.IntN(3))
	for _, x := range p.Executors {
		i := m.rnd.IntN(len(workers))
		workers[i] = append(workers[i], x)
	}
	w, err := New(Config{Seed: seed, Plan: p, Workers: workers, NewTask: m.newTask, LinkBatches: 1 + m.rnd.IntN(4), Breaks: breaks, Engine: engine.Config{
		MessageTimeout:  m.timeout,
		MaxSpoutPending: func(string) int { return m.pending },
		TickEvery: func(c string) time.Duration {
			if c[:4] == "pair" {
				return 10 * time.Millisecond
			}
			return 0
		},
		InboxBatches: m.inbox,
		BatchRows:    16,
	}})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return w
}

func (m *model) done() bool {
	for _, s := range m.spouts {
		if int64(len(s.acked)) < m.limit {
			return false
		}
	}
	return true
}

// redeal returns what the workers run after a rebalance: some components have other executors, some of them elsewhere.
func redeal(rnd *rand.Rand, p *dag.Plan, workers [][]dag.Executor) [][]dag.Executor {
	out := make([][]dag.Executor, len(workers))
	for _, proc := range p.Graph.Processors {
		if len(p.TasksOf(proc.Name)) == 0 {
			continue
		}
		if rnd.IntN(3) == 0 {
			for _, ids := range dag.SplitTasks(p.TasksOf(proc.Name), 1+rnd.IntN(proc.Tasks)) {
				i := rnd.IntN(len(out))
				out[i] = append(out[i], dag.Executor{Processor: proc, First: ids[0], Last: ids[len(ids)-1]})
			}
			continue
		}
		move := rnd.IntN(3) == 0
		for i, ex := range workers {
			for _, x := range ex {
				if x.Processor != proc {
					continue
				}
				to := i
				if move {
					to = rnd.IntN(len(out))
				}
				out[to] = append(out[to], x)
			}
		}
	}
	return out
}

// play runs the model of a seed to its end, with crashes workers lost and changes made on the way, and returns the trace.
func play(t *testing.T, seed uint64, crashes, changes int) uint64 {
	t.Helper()
	return newModel(seed).play(t, seed, crashes, changes, 0)
}

// play does that for m, with as many other versions of the graph as well.
func (m *model) play(t *testing.T, seed uint64, crashes, changes, versions int) uint64 {
	t.Helper()
	w := m.world(t, seed)
	down, at := -1, time.Duration(0)
	for steps := 0; !m.done(); steps++ {
		if w.Now() > 400*timeout || steps > 2_000_000 {
			t.Fatalf("seed %d: not done at %v after %d steps: %v", seed, w.Now(), steps, stats(w))
		}
		if changes > 0 && m.rnd.IntN(150) == 0 {
			changes--
			w.Change(redeal(m.rnd, w.plan.dag, w.plan.workers), time.Duration(m.rnd.IntN(60))*time.Millisecond+1)
		}
		if versions > 0 && m.rnd.IntN(200) == 0 && (!m.calm || !w.Changing()) {
			versions--
			m.evolve(t, seed, w)
		}
		if crashes > 0 && down < 0 && m.rnd.IntN(400) == 0 {
			down, at = m.rnd.IntN(len(w.nodes)), w.Now()+time.Duration(m.rnd.IntN(50))*time.Millisecond
			w.Crash(down)
			crashes--
		}
		if down >= 0 && (w.Now() >= at || m.rnd.IntN(1000) == 0) {
			if err := w.Start(down); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			down = -1
		}
		err := w.Step()
		if err == errStill && down >= 0 {
			w.now = at
			continue
		}
		if err == nil {
			err = m.err
		}
		if err != nil {
			t.Fatalf("seed %d: %v; %v", seed, err, stats(w))
		}
	}
	return w.Trace()
}

func stats(w *World) (out []engine.ExecutorStats) {
	for i := range w.nodes {
		if w.Up(i) {
			out = append(out, w.Driver(i).Stats()...)
		}
	}
	return out
}

func TestAtLeastOnce(t *testing.T) {
	for seed := range seeds(t, 300) {
		play(t, seed+1, 0, 0)
	}
}

func TestAtLeastOnceThroughCrashes(t *testing.T) {
	for seed := range seeds(t, 300) {
		play(t, seed+1, 3, 0)
	}
}

func TestAtLeastOnceThroughChanges(t *testing.T) {
	for seed := range seeds(t, 150) {
		play(t, seed+1, 0, 4)
	}
}

func TestAtLeastOnceThroughChangesAndCrashes(t *testing.T) {
	for seed := range seeds(t, 150) {
		play(t, seed+1, 2, 4)
	}
}

func TestSameSeedSameRun(t *testing.T) {
	traces := map[uint64]bool{}
	for seed := range uint64(20) {
		a, b := play(t, seed+1, 2, 2), play(t, seed+1, 2, 2)
		if a != b {
			t.Errorf("seed %d gave two different runs", seed+1)
		}
		traces[a] = true
	}
	if len(traces) < 20 {
		t.Errorf("20 seeds gave only %d different runs", len(traces))
	}
}
