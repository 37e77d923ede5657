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

// forest plays random trees and tells XOR, Storm's ledger, of every emit, ack and fail at the moment it is made.
// What the engines then say of each tree is held against it: acked only if the ledger says done, failed only if somebody
// failed it, it was late, or something was lost; each exactly once; and no complete tree is left to time out.
type forest struct {
	rnd   *rand.Rand
	w     *World
	book  XOR
	trees map[uint64]*tree
	nodes map[nodeKey]*leafNode
	uid   int64
	cuts  int // workers lost so far
	limit int
	wild  bool                           // tuples are failed, forgotten, panicked on, and emits come after acks
	rough bool                           // executors that leave have little time
	live  map[gearcore.TaskID][]*planter // sources of a task, as they were opened; those that were lost among them
	acked int
	err   error
}

// tree is one spout tuple.
type tree struct {
	owner      *planter
	young      time.Duration // when it was emitted, or reset as far as that must have reached the spout
	reset      time.Duration // when it was reset last
	done       bool          // by the ledger,
	doneAt     time.Duration
	failed     bool // somebody called Fail on a tuple of it
	loose      bool // tuples were emitted that the ledger does not know
	cutsBefore int
	ended      bool
}

// nodeKey is a tuple: an emit and one receiver.
type nodeKey struct {
	uid  int64
	task gearcore.TaskID
}

// leafNode is what the ledger's users know of a tuple.
type leafNode struct {
	edges   map[uint64]uint64 // by root
	loose   []uint64          // roots that the ledger does not connect it with
	sum     uint64            // of the edges of tuples anchored to it
	settled bool
}

func (f *forest) wrong(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("at %v: "+format, append([]any{f.w.now}, args...)...)
	}
}

// tell applies one message to the ledger.
func (f *forest) tell(m gearcore.Ack) {
	for _, r := range f.book.Apply(m, nil) {
		if t := f.trees[r.Root]; r.Op == gearcore.AckDone && !t.done {
			t.done, t.doneAt = true, f.w.now
		}
	}
}

// values makes the values of a new emit.
func (f *forest) values(depth int64) (uid int64, vals []gearcore.Value) {
	f.uid++
	return f.uid, []gearcore.Value{gearcore.Long(f.uid), gearcore.Long(depth)}
}

// emit sends a tuple anchored to ts.
func (f *forest) emit(c *gearcore.Collector, self gearcore.TaskID, depth int64, ts ...gearcore.Tuple) {
	uid, vals := f.values(depth)
	for _, id := range c.Send(gearcore.Emission{Anchors: ts}, vals) {
		n := &leafNode{edges: map[uint64]uint64{}}
		for _, t := range ts {
			a := f.nodes[nodeKey{t.Int(0), self}]
			n.loose = append(n.loose, a.loose...)
			if a.settled {
				for r := range a.edges {
					n.loose = append(n.loose, r)
				}
				continue
			}
			edge := f.rnd.Uint64()
			a.sum ^= edge
			for r := range a.edges {
				n.edges[r] ^= edge
			}
		}
		for _, r := range n.loose {
			f.trees[r].loose = true
		}
		f.nodes[nodeKey{uid, id}] = n
	}
}

func (f *forest) ack(c *gearcore.Collector, self gearcore.TaskID, t gearcore.Tuple) {
	n := f.nodes[nodeKey{t.Int(0), self}]
	if !n.settled {
		n.settled = true
		for r, edge := range n.edges {
			f.tell(gearcore.Ack{Root: r, Val: edge ^ n.sum, Op: gearcore.AckXor})
		}
	}
	c.Ack(t)
}

// failing notes that t is about to be failed.
func (f *forest) failing(self gearcore.TaskID, t gearcore.Tuple) {
	n := f.nodes[nodeKey{t.Int(0), self}]
	if n.settled {
		return
	}
	n.settled = true
	for r := range n.edges {
		f.trees[r].failed = true
		f.tell(gearcore.Ack{Root: r, Op: gearcore.AckFail})
	}
	for _, r := range n.loose {
		f.trees[r].failed = true
	}
}

func (f *forest) reset(c *gearcore.Collector, self gearcore.TaskID, t gearcore.Tuple) {
	for r := range f.nodes[nodeKey{t.Int(0), self}].edges {
		t := f.trees[r]
		if f.w.now-t.reset > timeout/4 {
			t.young, t.reset = max(t.young, t.reset), f.w.now
		}
	}
	c.ResetTimeout(t)
}

// planter is a source of trees.
type planter struct {
	f    *forest
	task gearcore.TaskID
	left int
	out  map[uint64]bool
}

func (s *planter) Open(ctx *gearcore.Context, _ *gearcore.Collector) error {
	s.task, s.out = ctx.Task, map[uint64]bool{}
	s.f.live[s.task] = append(s.f.live[s.task], s)
	return nil
}

func (s *planter) Next(c *gearcore.Collector) error {
	if s.left == 0 {
		return gearcore.ErrIdle
	}
	s.left--
	f := s.f
	uid, vals := f.values(int64(f.rnd.IntN(4)))
	root := uint64(uid)
	s.out[root] = true
	t := &tree{owner: s, young: f.w.now, cutsBefore: f.cuts}
	for i := range f.w.nodes {
		if !f.w.Up(i) {
			t.cutsBefore = -1 // what goes there is lost
		}
	}
	if f.rough && f.w.Changing() {
		t.cutsBefore = -1 // what leaves may fail
	}
	f.trees[root] = t
	sum := uint64(0)
	for _, id := range c.Send(gearcore.Emission{ID: gearcore.Long(uid)}, vals) {
		edge := f.rnd.Uint64()
		sum ^= edge
		f.nodes[nodeKey{uid, id}] = &leafNode{edges: map[uint64]uint64{root: edge}}
	}
	f.tell(gearcore.Ack{Root: root, Val: sum, Spout: 1, Op: gearcore.AckInit})
	return nil
}

// ended checks that a tree ends once, and in its own life.
func (s *planter) ended(id gearcore.Value) *tree {
	root := uint64(id.Int())
	if !s.out[root] {
		s.f.wrong("tree %d ended twice", root)
	}
	delete(s.out, root)
	t := s.f.trees[root]
	t.ended = true
	return t
}

func (s *planter) Ack(id gearcore.Value, _ *gearcore.Collector) {
	if t := s.ended(id); !t.done {
		s.f.wrong("tree %d is acked, but not complete", id.Int())
	}
	s.f.acked++
}

func (s *planter) Fail(id gearcore.Value, _ *gearcore.Collector) {
	f, t := s.f, s.ended(id)
	lost := f.cuts > t.cutsBefore
	if f.w.now-t.reset > timeout/4 {
		t.young = max(t.young, t.reset)
	}
	late := f.w.now-t.young >= timeout
	switch {
	case t.failed || lost:
	case !late:
		f.wrong("tree %d failed for nothing", id.Int())
	case t.done && !t.loose && f.w.now-t.doneAt > timeout/2:
		f.wrong("tree %d timed out, but was complete at %v", id.Int(), t.doneAt)
	}
}

func (s *planter) Activate(*gearcore.Collector)   {}
func (s *planter) Deactivate(*gearcore.Collector) {}

// Close comes after all trees have ended: nobody would be told of them later.
func (s *planter) Close() {
	s.f.live[s.task] = slices.DeleteFunc(s.f.live[s.task], func(p *planter) bool { return p == s })
	if len(s.out) > 0 {
		s.f.wrong("source %d is closed with %d trees in flight", s.task, len(s.out))
	}
}

// grower is a bolt that does what bolts do, and what they should not.
type grower struct {
	f     *forest
	task  gearcore.TaskID
	leaf  bool
	async *gearcore.Async
	held  []gearcore.Tuple
}

func (g *grower) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	g.task, g.async = ctx.Task, c.Async()
	return nil
}
func (g *grower) Close() {}

func (g *grower) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	f := g.f
	if t.IsTick() {
		g.join(c)
		return nil
	}
	switch f.rnd.IntN(10) {
	case 0, 1:
		g.held = append(g.held, t)
		if len(g.held) > 1+f.rnd.IntN(4) {
			g.join(c)
		}
	case 2, 3:
		return g.later(t, c)
	case 4:
		f.reset(c, g.task, t)
		fallthrough
	default:
		return g.handle(t, c)
	}
	return nil
}

// join emits one tuple for all that is held, and settles them one by one.
func (g *grower) join(c *gearcore.Collector) {
	f := g.f
	if len(g.held) == 0 {
		return
	}
	depth := int64(3)
	for _, t := range g.held {
		depth = min(depth, t.Int(1)-1)
	}
	if depth >= 0 && !g.leaf {
		f.emit(c, g.task, depth, g.held...)
	}
	f.rnd.Shuffle(len(g.held), func(i, j int) { g.held[i], g.held[j] = g.held[j], g.held[i] })
	for i, t := range g.held {
		if i > 0 && depth >= 0 && !g.leaf && f.wild && f.rnd.IntN(4) == 0 {
			f.emit(c, g.task, depth, g.held...) // some are settled, some are not
		}
		f.ack(c, g.task, t)
	}
	g.held = g.held[:0]
}

// later handles t through Async.
func (g *grower) later(t gearcore.Tuple, c *gearcore.Collector) error {
	f := g.f
	if f.rnd.IntN(2) == 0 {
		c.Pause()
	}
	if !g.leaf && t.Int(1) > 0 && f.rnd.IntN(2) == 0 {
		f.emit(c, g.task, t.Int(1)-1, t)
	}
	return g.async.Do(10, func(c *gearcore.Collector) {
		c.Resume()
		if err := g.handle(t, c); err != nil {
			c.Fail(t) // as the engine does for Execute
		}
	})
}

// handle emits and settles t in one of many ways.
func (g *grower) handle(t gearcore.Tuple, c *gearcore.Collector) error {
	f := g.f
	kids := 0
	if depth := t.Int(1); depth > 0 && !g.leaf {
		kids = []int{0, 1, 1, 1, 2, 3, 40}[f.rnd.IntN(7)] // 40: more than a batch
		if kids == 40 && depth > 1 {
			kids = 1
		}
	}
	early := 0
	if f.wild && f.rnd.IntN(10) == 0 {
		early = f.rnd.IntN(kids + 1)
	}
	for range kids - early {
		f.emit(c, g.task, t.Int(1)-1, t)
	}
	if f.wild {
		switch f.rnd.IntN(40) {
		case 0:
			f.failing(g.task, t)
			c.Fail(t)
			c.Ack(t)
		case 1:
			f.failing(g.task, t)
			return fmt.Errorf("does not like it")
		case 2:
			f.failing(g.task, t)
			if f.rnd.IntN(2) == 0 {
				c.Fail(t)
				break
			}
			return fmt.Errorf("does not like it at all")
		case 3: // forgotten
		default:
			f.ack(c, g.task, t)
		}
	} else {
		f.ack(c, g.task, t)
	}
	if f.rnd.IntN(3) == 0 {
		f.ack(c, g.task, t) // a second one is harmless
	}
	for range early {
		f.emit(c, g.task, t.Int(1)-1, t)
	}
	if f.rnd.IntN(20) == 0 && !g.leaf && t.Int(1) > 0 {
		f.emit(c, g.task, 0) // no tree's
	}
	return nil
}

// frugalGrower is one that keeps nothing: its input batches are used again. It settles in Execute or forgets.
type frugalGrower struct{ grower }

func (g *frugalGrower) NoRetain() {}
func (g *frugalGrower) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	return g.handle(t, c)
}

// newForest makes a random topology with its workers.
func newForest(t *testing.T, seed uint64, wild bool) (*forest, *World) {
	t.Helper()
	f := &forest{rnd: rand.New(rand.NewPCG(seed, 77)), trees: map[uint64]*tree{}, nodes: map[nodeKey]*leafNode{}, live: map[gearcore.TaskID][]*planter{}, wild: wild}
	f.limit = 20 + f.rnd.IntN(100)
	g := &dag.Graph{ID: "sim-2", Name: "forest", Version: 1}
	leaves := map[string]bool{}
	add := func(name string, kind dag.Kind, inputs ...dag.Input) {
		n := 1 + f.rnd.IntN(3)
		g.Processors = append(g.Processors, &dag.Processor{Name: name, Kind: kind, Tasks: n, Executors: 1 + f.rnd.IntN(n),
			Inputs: inputs, Outputs: []dag.Output{{Stream: "default", Fields: []string{"uid", "depth"}}}})
	}
	from := func(source string) dag.Input { return (&model{rnd: f.rnd}).from2(source) }
	add("__acker", dag.Acker)
	g.Processors = append(g.Processors, &dag.Processor{Name: gearcore.SystemComponent, Kind: dag.System,
		Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}})
	add("src", dag.Spout)
	names := []string{"src"}
	for i := range 1 + f.rnd.IntN(4) {
		name := fmt.Sprintf("%s%d", []string{"bolt", "frug"}[f.rnd.IntN(2)], i)
		inputs := []dag.Input{from(names[f.rnd.IntN(len(names))])}
		if f.rnd.IntN(4) == 0 {
			inputs = append(inputs, from(name)) // a cycle, which depth ends
		} else if f.rnd.IntN(4) == 0 && len(names) > 1 && inputs[0].Source != names[len(names)-1] {
			inputs = append(inputs, from(names[len(names)-1]))
		}
		add(name, dag.Bolt, inputs...)
		names = append(names, name)
	}
	last := fmt.Sprintf("leaf%d", f.rnd.IntN(2))
	leaves[last] = true
	add(last, dag.Bolt, from(names[len(names)-1]))
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	p, err := dag.Expand(g, nil, nil)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	workers := make([][]dag.Executor, 1+f.rnd.IntN(4))
	for _, x := range p.Executors {
		i := f.rnd.IntN(len(workers))
		workers[i] = append(workers[i], x)
	}
	pending, fuse := f.rnd.IntN(3)*8, f.rnd.IntN(2) == 0
	w, err := New(Config{
		Seed: seed, Plan: p, Workers: workers, LinkBatches: 1 + f.rnd.IntN(4), Breaks: f.rnd.IntN(3) * 15,
		NewTask: func(_ int, d dag.Task) any {
			b := grower{f: f, leaf: leaves[d.Processor.Name]}
			switch {
			case d.Processor.Kind == dag.Spout:
				return &planter{f: f, left: f.limit}
			case d.Processor.Name[:4] == "frug":
				return &frugalGrower{b}
			}
			return &b
		},
		Engine: engine.Config{
			MessageTimeout: timeout, MaxSpoutPending: func(string) int { return pending }, InboxBatches: 1 + f.rnd.IntN(4), BatchRows: 16,
			Fuse: func(string) bool { return fuse },
			TickEvery: func(c string) time.Duration {
				if c[:4] == "bolt" || c[:4] == "leaf" {
					return 10 * time.Millisecond
				}
				return 0
			},
		},
	})
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	f.w = w
	return f, w
}

// from2 is from for the fields of a forest.
func (m *model) from2(source string) dag.Input {
	in := m.from(source)
	if in.Grouping.Kind == dag.Fields {
		in.Grouping.Fields = []string{"uid"}
	}
	return in
}

func (f *forest) finished() bool {
	for _, all := range f.live {
		if len(all) == 0 {
			return false // one is about to come
		}
		if s := all[len(all)-1]; s.left > 0 || len(s.out) > 0 {
			return false
		}
	}
	return len(f.live) > 0
}

// step goes on with the world, starting what is down once nothing else happens.
func (f *forest) step(t *testing.T, seed uint64) {
	err := f.w.Step()
	if err == errStill {
		for i := range f.w.nodes {
			if !f.w.Up(i) {
				err = f.w.Start(i)
			}
		}
	}
	if err == nil {
		err = f.err
	}
	if err != nil {
		t.Fatalf("seed %d: %v; %v", seed, err, stats(f.w))
	}
}

// faults is what happens to a forest.
type faults struct {
	crashes, changes int
	drain            time.Duration // what executors that leave have, at most; 0: ample
}

// grow plays the forest of a seed and returns how many of its trees were acked, of how many.
func grow(t *testing.T, seed uint64, wild bool, by faults) (acked, planted int) {
	t.Helper()
	f, w := newForest(t, seed, wild)
	f.rough = by.drain > 0
	crashes, changes := by.crashes, by.changes
	for steps := 0; !f.finished() || w.Changing(); steps++ {
		if w.Now() > 400*timeout || steps > 2_000_000 {
			t.Fatalf("seed %d: not done at %v after %d steps: %v", seed, w.Now(), steps, stats(w))
		}
		if changes > 0 && f.rnd.IntN(100) == 0 {
			changes--
			drain := 10 * timeout
			if f.rough {
				f.cuts++
				drain = 1 + time.Duration(f.rnd.Int64N(int64(by.drain)))
			}
			w.Change(redeal(f.rnd, w.plan.dag, w.plan.workers), drain)
		}
		if i := f.rnd.IntN(len(w.nodes)); crashes > 0 && f.rnd.IntN(300) == 0 {
			if w.Up(i) {
				crashes--
				f.cuts++
				w.Crash(i)
			}
		} else if !w.Up(i) && f.rnd.IntN(100) == 0 {
			if err := w.Start(i); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		f.step(t, seed)
	}
	// Whatever was forgotten is gone after some time, at both ends of all links.
	for end := w.Now() + 5*timeout; w.Now() < end; {
		f.step(t, seed)
	}
	for _, l := range w.links {
		if due := l.trees.due.Len(); due != 0 {
			t.Fatalf("seed %d: %d rows from %d to %d are due", seed, due, l.from, l.to)
		}
		if p := l.trees.proxies; p != nil && p.Len() != 0 {
			t.Fatalf("seed %d: %d proxies from %d to %d are open", seed, p.Len(), l.from, l.to)
		}
	}
	for root, tr := range f.trees {
		if all := f.live[tr.owner.task]; all[len(all)-1] == tr.owner && !tr.ended {
			t.Fatalf("seed %d: tree %d never ended", seed, root)
		}
	}
	return f.acked, len(f.trees)
}

const forests = 200 // by test, see seeds

// Components that behave: every tree is complete, and nothing else happens to it.
func TestTreesOfGoodComponents(t *testing.T) {
	for seed := range seeds(t, forests) {
		if acked, planted := grow(t, seed+1, false, faults{}); acked != planted {
			t.Fatalf("seed %d: %d of %d trees were acked", seed+1, acked, planted)
		}
	}
}

func TestTreesOfWildComponents(t *testing.T) {
	acked, planted := 0, 0
	for seed := range seeds(t, forests) {
		a, p := grow(t, seed+1, true, faults{})
		acked, planted = acked+a, planted+p
	}
	if 4*acked < planted || acked == planted {
		t.Errorf("%d of %d trees were acked", acked, planted)
	}
}

func TestTreesThroughCrashes(t *testing.T) {
	for seed := range seeds(t, forests) {
		grow(t, seed+1, seed%2 == 0, faults{crashes: 4})
	}
}

// Executors that have the time to leave in order lose nothing: nothing is failed because of a rebalance, and every tree of
// components that behave is complete.
func TestTreesThroughChanges(t *testing.T) {
	for seed := range seeds(t, forests/2) {
		if acked, planted := grow(t, seed+1, false, faults{changes: 4}); acked != planted {
			t.Fatalf("seed %d: %d of %d trees were acked", seed+1, acked, planted)
		}
	}
}

func TestWildTreesThroughChanges(t *testing.T) {
	for seed := range seeds(t, forests/2) {
		grow(t, seed+1, true, faults{changes: 4})
	}
}

func TestTreesThroughRoughChanges(t *testing.T) {
	for seed := range seeds(t, forests/2) {
		grow(t, seed+1, seed%2 == 0, faults{changes: 5, drain: timeout / 4})
	}
}

func TestTreesThroughChangesAndCrashes(t *testing.T) {
	for seed := range seeds(t, forests/2) {
		grow(t, seed+1, seed%2 == 0, faults{changes: 4, crashes: 3, drain: timeout / 4})
	}
}
