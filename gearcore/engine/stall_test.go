package engine

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// A search for lost wake-ups: many short lives of a topology whose inboxes are as small as they get, so that every
// executor is blocked and woken all the time. Each must come to its end.
func TestNoWakeUpIsLost(t *testing.T) {
	rounds, n := 150/raced.Fewer, int64(3000)
	if testing.Short() {
		rounds = 20
	}
	for round := range rounds {
		src := &counter{limit: n, track: round%2 == 0}
		var seen atomic.Int64
		top := newTopology(round % 2)
		if round%3 == 0 {
			top.fuse = always
		}
		top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
		top.add("pass", dag.Bolt, 2, 1+round%2, executes(passOn), from("src", dag.Shuffle))
		top.add("sink", dag.Bolt, 2, 2, counts(&seen), from("pass", dag.Shuffle))
		cfg := top.config(t)
		cfg.Loops, cfg.InboxBatches, cfg.BatchRows = 1+round%4, 1, 16
		e, stop := begin(t, cfg)
		eventually(t, fmt.Sprintf("round %d has come to its end (%+v)", round, e.Stats()), func() bool { return seen.Load() == n })
		stop()
	}
}

// The same search over random topologies: several layers, groupings, multi-task executors, cycles, fused chains, one worker or
// two with narrow links, and bolts that block, pause, answer late and from other goroutines, while spouts are
// deactivated and activated. Each must do exactly the work that its shape says. GEARSTORM_STALL=10m searches for so
// long; GEARSTORM_STALL_SEED=n looks at one of them.
func TestRandomTopologiesComeToTheirEnd(t *testing.T) {
	if s := os.Getenv("GEARSTORM_STALL_SEED"); s != "" {
		var seed uint64
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatalf("GEARSTORM_STALL_SEED: %v", err)
		}
		newStallCase(t, seed).run(t)
		return
	}
	rounds, until := 100/raced.Fewer, time.Time{}
	if testing.Short() {
		rounds = 15
	}
	if s := os.Getenv("GEARSTORM_STALL"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("GEARSTORM_STALL: %v", err)
		}
		rounds, until = 1<<40, time.Now().Add(d)
	}
	did, first := 0, rand.Uint64()
	for ; did < rounds && !t.Failed() && (until.IsZero() || time.Now().Before(until)); did++ {
		newStallCase(t, first+uint64(did)).run(t)
	}
	t.Logf("%d topologies from seed %d", did, first)
}

// stallCase is one random topology and what it must do.
type stallCase struct {
	seed    uint64
	rnd     *rand.Rand
	top     *topology
	sources []*counter
	bolts   []*moody
	want    map[string]int64 // executions by bolt
	emitted map[string]int64 // by component
	names   []string         // that may be subscribed to
	cfg     Config
	workers int
	toggles int
	chain   bool // each bolt gets all from the last one, in one executor: executors that are fused
}

const maxStallWork = 6000 // tuples that a component emits

func newStallCase(t *testing.T, seed uint64) *stallCase {
	t.Helper()
	s := &stallCase{seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), want: map[string]int64{}, emitted: map[string]int64{}}
	r := s.rnd
	ackers := r.IntN(3)
	s.top = newTopology(ackers)
	s.chain = r.IntN(3) == 0
	spouts := 1 + r.IntN(2)
	if s.chain {
		spouts = 1
	}
	for i := range spouts {
		s.addSpout(fmt.Sprint("s", i), ackers > 0 && r.IntN(3) > 0)
	}
	for i := range 1 + r.IntN(5) {
		s.addBolt(fmt.Sprint("b", i))
	}
	if r.IntN(3) == 0 {
		s.addRing("ring")
	}
	s.cfg = s.top.config(t)
	s.cfg.Loops, s.cfg.InboxBatches, s.cfg.BatchRows = 1+r.IntN(4), 1+r.IntN(3), 16<<r.IntN(3)
	if r.IntN(2) == 0 {
		s.cfg.InboxBytes = 1 + r.IntN(2000)
	}
	if r.IntN(2) == 0 {
		pending := 1 + r.IntN(40)
		s.cfg.MaxSpoutPending = func(string) int { return pending }
	}
	if r.IntN(2) == 0 {
		j := &jitter{salt: r.Uint64(), often: 4 << r.IntN(6)}
		j.left.Store(200)
		s.cfg.Hooks = j
	}
	if r.IntN(3) > 0 {
		s.cfg.Fuse = func(string) bool { return true }
	}
	s.workers = 1 + r.IntN(2)
	if r.IntN(3) == 0 {
		s.toggles = 1 + r.IntN(5)
	}
	return s
}

func (s *stallCase) addSpout(name string, track bool) {
	tasks := 1 + s.rnd.IntN(2)
	n := int64(20 + s.rnd.IntN(400))
	first := len(s.sources)
	for range tasks {
		s.sources = append(s.sources, &counter{limit: n, track: track})
	}
	s.top.add(name, dag.Spout, tasks, s.executors(tasks), func(d dag.Task) any { return s.sources[first+d.Index] })
	s.emitted[name] = n * int64(tasks)
	s.names = append(s.names, name)
}

func (s *stallCase) executors(tasks int) int {
	if s.chain {
		return 1
	}
	return 1 + s.rnd.IntN(tasks)
}

func (s *stallCase) inputs(tasks int) (in []dag.Input, tuples int64) {
	if s.chain {
		last := s.names[len(s.names)-1]
		return []dag.Input{from(last, dag.Shuffle)}, s.emitted[last]
	}
	for range 1 + s.rnd.IntN(2) {
		source := s.names[s.rnd.IntN(len(s.names))]
		if slices.ContainsFunc(in, func(i dag.Input) bool { return i.Source == source }) {
			continue
		}
		kind := []dag.GroupingKind{dag.Shuffle, dag.Shuffle, dag.Fields, dag.Global, dag.All, dag.LocalOrShuffle}[s.rnd.IntN(6)]
		n := s.emitted[source]
		if kind == dag.All {
			n *= int64(tasks)
		}
		if kind == dag.Fields {
			in = append(in, from(source, kind, "a"))
		} else {
			in = append(in, from(source, kind))
		}
		tuples += n
	}
	return in, tuples
}

func (s *stallCase) addBolt(name string) {
	tasks := 1 + s.rnd.IntN(3)
	in, tuples := s.inputs(tasks)
	fan := s.rnd.IntN(3)
	if s.chain {
		fan = 1
	}
	if tuples*int64(fan) > maxStallWork {
		fan = 0
	}
	m := &moody{mood: s.rnd.IntN(5), salt: s.rnd.Uint64(), emit: func(t gearcore.Tuple, c *gearcore.Collector) {
		for range fan {
			c.EmitAnchored(t, t.Value(0))
		}
	}}
	s.bolts = append(s.bolts, m)
	s.top.add(name, dag.Bolt, tasks, s.executors(tasks), m.task, in...)
	s.want[name], s.emitted[name] = tuples, tuples*int64(fan)
	if fan > 0 {
		s.names = append(s.names, name)
	}
}

// addRing adds a bolt that sends every tuple around itself some times.
func (s *stallCase) addRing(name string) {
	const rounds = 4
	tasks := 1 + s.rnd.IntN(3)
	in, tuples := s.inputs(tasks)
	in = append(in, from(name, dag.Fields, "a"))
	m := &moody{mood: s.rnd.IntN(5), salt: s.rnd.Uint64(), emit: func(t gearcore.Tuple, c *gearcore.Collector) {
		v := t.Int(0)
		if t.Component() != name {
			v <<= 8
		}
		if v&255 < rounds {
			c.EmitAnchored(t, v+1)
		}
	}}
	s.bolts = append(s.bolts, m)
	s.top.add(name, dag.Bolt, tasks, s.executors(tasks), m.task, in...)
	s.want[name] = tuples * (rounds + 1)
}

// jitter is Hooks that now and then take long. They are called between what a run finds and what it does about it (no
// room and asking to be woken, handing over and going to sleep), which is where a wake-up gets lost if one can.
type jitter struct {
	salt, often uint64
	n           atomic.Uint64
	left        atomic.Int64 // sleeps, which take a millisecond however short they are meant
}

func (j *jitter) pause() {
	if dice := mix(j.salt ^ j.n.Add(1)); dice%j.often == 0 && j.left.Add(-1) >= 0 {
		time.Sleep(time.Duration(dice>>8%200) * time.Microsecond)
	}
}

func (j *jitter) Queued(_, _ gearcore.TaskID, _ int, _ time.Duration)                  { j.pause() }
func (j *jitter) Executed(gearcore.TaskID, gearcore.StreamID, int, time.Duration, int) { j.pause() }
func (j *jitter) Emitted(_ gearcore.TaskID, _ gearcore.StreamID, _, _ int)             { j.pause() }
func (j *jitter) Acked(gearcore.TaskID, gearcore.StreamID, int)                        { j.pause() }
func (j *jitter) Failed(gearcore.TaskID, gearcore.StreamID, int)                       { j.pause() }
func (j *jitter) Took(gearcore.TaskID, gearcore.StreamID, int, time.Duration)          { j.pause() }
func (j *jitter) Held(gearcore.TaskID, time.Duration)                                  { j.pause() }
func (j *jitter) Errored(gearcore.TaskID, error)                                       { j.pause() }
func (j *jitter) Blocking(_, _ gearcore.TaskID)                                        { j.pause() }
func (j *jitter) Blocked(_, _ gearcore.TaskID, _ time.Duration)                        { j.pause() }

// moody is a bolt that emits and acks in one of several ways, by its mood and the tuple.
type moody struct {
	mood     int
	salt     uint64
	emit     func(gearcore.Tuple, *gearcore.Collector)
	executed atomic.Int64
	helpers  sync.WaitGroup
}

func (m *moody) task(dag.Task) any { return &bolt{execute: m.execute} }

func (m *moody) execute(t gearcore.Tuple, c *gearcore.Collector) error {
	m.executed.Add(1)
	now := func() {
		m.emit(t, c)
		c.Ack(t)
	}
	dice := mix(m.salt ^ uint64(t.Int(0)))
	switch {
	case m.mood == 1 && dice%64 == 0:
		time.Sleep(time.Duration(dice>>8%300) * time.Microsecond)
	case m.mood == 2 && dice%256 == 0:
		time.Sleep(stuckAfter + 2*time.Millisecond) // gets a stand-in
	case m.mood == 3 && dice%32 == 0:
		c.Pause()
		m.later(t, c, func(c *gearcore.Collector) { c.Resume() })
	case m.mood == 4 && dice%16 == 0:
		m.later(t, c, func(c *gearcore.Collector) {
			m.emit(t, c)
			c.Ack(t)
		})
		return nil
	}
	now()
	return nil
}

func (m *moody) later(_ gearcore.Tuple, c *gearcore.Collector, f func(*gearcore.Collector)) {
	a := c.Async()
	m.helpers.Go(func() { a.Do(1000, f) }) // ErrClosed would show as missing work
}

func (s *stallCase) run(t *testing.T) {
	t.Helper()
	engines, stop := s.start(t)
	defer stop()
	s.settle(engines)
	for i := range s.toggles {
		time.Sleep(time.Duration(s.rnd.IntN(1000)) * time.Microsecond)
		s.settle(engines)
		for _, e := range engines {
			if i%2 == 0 {
				e.Deactivate()
			} else {
				e.Activate()
			}
		}
	}
	for _, e := range engines {
		e.Activate()
	}
	last, since := "", time.Now()
	for left := s.left(); left != ""; left = s.left() {
		if left != last {
			last, since = left, time.Now()
		}
		time.Sleep(200 * time.Microsecond)
		if time.Since(since) > 10*time.Second {
			for i, e := range engines {
				t.Logf("worker %d: %+v", i, e.Stats())
			}
			t.Fatalf("seed %d stands still: %s (GEARSTORM_STALL_SEED=%d runs it again)", s.seed, s.left(), s.seed)
		}
	}
	stop()
	for _, m := range s.bolts {
		m.helpers.Wait()
	}
	if left := s.left(); left != "" {
		t.Errorf("seed %d did too much: %s", s.seed, left)
	}
}

// settle gives homes to some executors, and takes them from others.
func (s *stallCase) settle(engines []*Engine) {
	for _, e := range engines {
		for _, x := range e.executors() {
			var home *loop
			if s.rnd.IntN(2) == 0 {
				home = e.shell.loops[s.rnd.IntN(len(e.shell.loops))]
			}
			x.lives.Store(home)
		}
	}
}

// left says what is not as it must be at the end, "" if nothing. It changes with every tuple that is executed.
func (s *stallCase) left() string {
	at := 0
	for _, p := range s.top.procs {
		if p.Kind != dag.Bolt {
			continue
		}
		if got := s.bolts[at].executed.Load(); got != s.want[p.Name] {
			return fmt.Sprintf("%s executed %d of %d, %d in all", p.Name, got, s.want[p.Name], s.executed())
		}
		at++
	}
	for i, src := range s.sources {
		if got := src.acked.Load(); src.track && got != src.limit {
			return fmt.Sprintf("spout task %d: %d of %d acked, %d failed", i, got, src.limit, src.failed.Load())
		}
	}
	return ""
}

func (s *stallCase) executed() (n int64) {
	for _, m := range s.bolts {
		n += m.executed.Load()
	}
	return n
}

// start runs the topology on one engine, or on two with narrow pipes between them.
func (s *stallCase) start(t *testing.T) ([]*Engine, func()) {
	t.Helper()
	if s.workers == 1 {
		e, stop := begin(t, s.cfg)
		return []*Engine{e}, stop
	}
	local := make([][]dag.Executor, s.workers)
	pipes := map[gearcore.TaskID]*pipe{}
	var ways []*pipe
	owner := map[*pipe]int{}
	for i, x := range s.cfg.Plan.Executors {
		w := i % s.workers // never an empty worker
		local[w] = append(local[w], x)
		p := newPipe(1 + s.rnd.IntN(3))
		ways = append(ways, p)
		owner[p] = w
		for id := x.First; id <= x.Last; id++ {
			pipes[id] = p
		}
	}
	engines := make([]*Engine, s.workers)
	var wg sync.WaitGroup
	for i := range engines {
		c := s.cfg
		c.Local, c.Remote = local[i], func(task gearcore.TaskID) Outlet { return pipes[task] }
		e, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		engines[i] = e
	}
	for _, e := range engines {
		wg.Go(func() {
			if err := e.Run(t.Context()); err != nil {
				t.Errorf("run ended with %v", err)
			}
		})
	}
	for _, p := range ways {
		p.from, p.to = engines[1-owner[p]], engines[owner[p]]
		p.book = p.to.OpenBook(&p.proxies.Counts, p.owner)
		wg.Go(func() { p.drain(t) })
	}
	for _, e := range engines {
		e.Activate()
	}
	return engines, sync.OnceFunc(func() {
		for _, e := range engines {
			e.end()
		}
		for _, p := range ways {
			p.close()
		}
		wg.Wait()
	})
}
