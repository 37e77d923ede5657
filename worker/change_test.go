package worker

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// flow is words -> pass (4 tasks) -> sink (2), tasks numbered by name: ackers first if there are any.
type flow struct {
	c      *cluster
	rnd    *rand.Rand
	ports  []int
	procs  []*process
	places map[string][][2]int64 // component -> its executors
	fixed  map[int][][2]int64
	single string // the component whose tasks have an executor each
	number uint64
}

// start places fixed on their ports, the others at random, and starts the workers.
func startFlow(t *testing.T, topo *storm.Topology, ports []int, fixed map[int][][2]int64, pass, sink []int64) *flow {
	t.Helper()
	f := &flow{rnd: rand.New(rand.NewPCG(1, 2)), ports: ports, fixed: fixed, places: map[string][][2]int64{}}
	f.places["pass"], f.places["sink"] = [][2]int64{{pass[0], pass[1]}}, [][2]int64{{sink[0], sink[1]}}
	f.c = newCluster(t, topo, f.deal())
	for _, p := range ports {
		f.procs = append(f.procs, f.c.start(p))
	}
	return f
}

// deal cuts the tasks of pass and sink into executors and places them.
func (f *flow) deal() map[int][][2]int64 {
	out := map[int][][2]int64{}
	for p, spans := range f.fixed {
		out[p] = append(out[p], spans...)
	}
	for _, name := range []string{"pass", "sink"} {
		all := f.places[name]
		for first, last := all[0][0], all[0][1]; first <= last; {
			n := 1 + f.rnd.Int64N(last-first+1)
			if name == f.single {
				n = 1
			}
			p := f.ports[f.rnd.IntN(len(f.ports))]
			out[p] = append(out[p], [2]int64{first, first + n - 1})
			first += n
		}
	}
	return out
}

// rebalance makes a new plan.
func (f *flow) rebalance() {
	f.number++
	f.c.sup.change(func(p *stormrpc.TopologyPlan) {
		p.AssignmentID = fmt.Sprint("1-", 1+f.number)
		p.Assignment = assignment(f.deal())
	})
}

// followed says whether the workers go by the last plan.
func (f *flow) followed() bool {
	for _, p := range f.procs {
		if r := f.c.sup.report(p.id); r == nil || r.AssignmentID != fmt.Sprint("1-", 1+f.number) {
			return false
		}
	}
	return true
}

// alive fails the test if a worker has ended.
func (f *flow) alive(t *testing.T) {
	t.Helper()
	for _, p := range f.procs {
		select {
		case err := <-p.end:
			t.Fatalf("%s has ended: %v", p.id, err)
		default:
		}
	}
}

// TestExecutorsChangePlacesUnderLoad moves bolts and cuts them into other executors again and again while tuples are under
// way: no worker ends, no tuple is lost, none is seen twice but those that failed, and the spout is not disturbed.
func TestExecutorsChangePlacesUnderLoad(t *testing.T) {
	const n, rounds = 120_000 / raced.Fewer, 12
	spout := newCounter(n)
	var mu sync.Mutex
	seen := make([]int, n)
	b := storm.NewTopologyBuilder().Ackers(3).MaxSpoutPending(2000).MessageTimeout(time.Minute)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return spout }), 1).Fields("word", "n")
	b.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error { out.Emit(in.Int(1)); return nil }), 4).Fields("n").ShuffleGrouping("words")
	b.SetBolt("sink", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
		mu.Lock()
		seen[in.Int(0)]++
		mu.Unlock()
		return nil
	}), 2).FieldsGrouping("pass", "n")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	// __acker 1 to 3, pass 4 to 7, sink 8 and 9, words 10.
	f := startFlow(t, topo, ports, map[int][][2]int64{ports[0]: {{1, 1}, {10, 10}}, ports[1]: {{2, 2}}, ports[2]: {{3, 3}}}, []int64{4, 7}, []int64{8, 9})
	for round := 1; round <= rounds; round++ {
		await(t, "tuples go through", func() bool { return spout.done() >= round*n/(rounds+2) })
		f.rebalance()
	}
	await(t, "every tuple is acked", func() bool { return spout.done() == n })
	f.alive(t)
	spout.mu.Lock()
	failed := spout.failed // only if an executor could not end in order within the time it has
	if spout.opened != 1 {
		t.Errorf("the spout was opened %d times", spout.opened)
	}
	spout.mu.Unlock()
	mu.Lock()
	again := 0
	for i, times := range seen {
		if times == 0 {
			t.Fatalf("tuple %d was never seen", i)
		}
		again += times - 1
	}
	mu.Unlock()
	if again > failed {
		t.Errorf("%d tuples were seen again, but %d failed", again, failed)
	}
	t.Logf("%d of %d tuples failed, %d were seen again", failed, n, again)
	await(t, "reports are of the new places", func() bool {
		executors := 0
		for _, p := range f.procs {
			r := f.c.sup.report(p.id)
			if r == nil || !r.Ready || r.AssignmentID != fmt.Sprint("1-", 1+f.number) {
				return false
			}
			executors += len(r.ExecutorStats)
		}
		f.c.sup.mu.Lock()
		defer f.c.sup.mu.Unlock()
		return executors == len(*f.c.sup.plan.Assignment.ExecutorNodePort)
	})
}

// TestUntrackedTuplesSurviveRebalances is the same without ackers: nobody would send again what is lost.
func TestUntrackedTuplesSurviveRebalances(t *testing.T) {
	const rounds = 12
	var sent, got atomic.Int64
	var stop atomic.Bool
	var mu sync.Mutex
	seen := map[int64]int{}
	b := storm.NewTopologyBuilder().Ackers(0)
	b.SetSpout("words", storm.SpoutFunc(func(c *storm.Collector) error {
		if stop.Load() {
			return storm.ErrIdle
		}
		c.Emit(gearcore.Long(sent.Add(1) - 1))
		return nil
	}), 3).Fields("n")
	b.SetBolt("pass", storm.BoltFunc(func(in storm.Tuple, out storm.Emitter) error { out.Emit(in.Int(0)); return nil }), 4).Fields("n").FieldsGrouping("words", "n")
	b.SetBolt("sink", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error {
		mu.Lock()
		seen[in.Int(0)]++
		mu.Unlock()
		got.Add(1)
		return nil
	}), 2).ShuffleGrouping("pass")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	// pass 1 to 4, sink 5 and 6, words 7 to 9: one on each worker.
	f := startFlow(t, topo, ports, map[int][][2]int64{ports[0]: {{7, 7}}, ports[1]: {{8, 8}}, ports[2]: {{9, 9}}}, []int64{1, 4}, []int64{5, 6})
	for round := range int64(rounds) {
		await(t, "tuples go through", func() bool { return got.Load() >= (round+1)*20_000/raced.Fewer })
		f.rebalance()
	}
	await(t, "tuples go through at the end", func() bool { return got.Load() >= (rounds+2)*20_000 })
	stop.Store(true)
	await(t, "all are there", func() bool { return got.Load() >= sent.Load() })
	f.alive(t)
	mu.Lock()
	defer mu.Unlock()
	for i := range sent.Load() {
		if seen[i] != 1 {
			t.Fatalf("tuple %d of %d was seen %d times", i, sent.Load(), seen[i])
		}
	}
}

// numbered emits its own number.
type numbered struct{ n int64 }

func (s *numbered) Open(*storm.Context, *storm.Collector) error { return nil }
func (s *numbered) Next(c *storm.Collector) error {
	c.Emit(s.n)
	return nil
}
func (*numbered) Ack(storm.Value, *storm.Collector)  {}
func (*numbered) Fail(storm.Value, *storm.Collector) {}

// TestZombieGetsNothingIn cuts a worker with a spout off from its supervisor while its tasks are given to another: it goes
// on by the old plan, and its tuples are refused.
func TestZombieGetsNothingIn(t *testing.T) {
	var spouts atomic.Int64
	var got [8]atomic.Int64 // by number of the spout
	b := storm.NewTopologyBuilder().Ackers(0)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return &numbered{spouts.Add(1)} }), 1).Fields("n")
	b.SetBolt("sink", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error { got[in.Int(0)].Add(1); return nil }), 2).ShuffleGrouping("words")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	// sink 1 and 2, words 3.
	places := func(words int) map[int][][2]int64 {
		m := map[int][][2]int64{ports[0]: {{1, 1}}, ports[1]: {{2, 2}}}
		m[words] = append(m[words], [2]int64{3, 3})
		return m
	}
	c := newCluster(t, topo, places(ports[2]))
	x, y := c.start(ports[0]), c.start(ports[1])
	real := c.sup
	c.sup = newSupervisor(t, real.plan) // hears nothing of what follows
	zombie := c.start(ports[2])
	c.sup = real
	await(t, "the first spout is heard", func() bool { return got[1].Load() > 10_000 })
	c.sup.change(func(p *stormrpc.TopologyPlan) {
		p.AssignmentID, p.Assignment = "1-2", assignment(places(ports[0]))
	})
	await(t, "both follow", func() bool {
		for _, p := range []*process{x, y} {
			if r := c.sup.report(p.id); r == nil || r.AssignmentID != "1-2" {
				return false
			}
		}
		return true
	})
	await(t, "its successor is heard", func() bool { return got[2].Load() > 10_000 })
	await(t, "what the zombie got in before is executed", func() bool {
		was := got[1].Load()
		<-time.After(50 * time.Millisecond)
		return got[1].Load() == was
	})
	was := got[1].Load()
	await(t, "its successor goes on", func() bool { return got[2].Load() > 200_000 })
	if now := got[1].Load(); now != was {
		t.Errorf("%d tuples of the zombie got in", now-was)
	}
	select {
	case err := <-zombie.end:
		t.Errorf("the zombie has ended by itself: %v", err)
	default:
	}
}

// TestChildMovesWithItsTask moves a Python bolt between two workers that stay: its child ends here and starts there, and
// what the child had is finished or fails at once.
func TestChildMovesWithItsTask(t *testing.T) {
	const n, rounds = 6000, 4
	r := newRelay(t, n, nil)
	ports := freePorts(t, 2)
	// __acker 1 and 2, echo 3, sink 4, words 5.
	places := func(echo int) map[int][][2]int64 {
		m := map[int][][2]int64{ports[0]: {{1, 1}, {5, 5}}, ports[1]: {{2, 2}, {4, 4}}}
		m[ports[echo]] = append(m[ports[echo]], [2]int64{3, 3})
		return m
	}
	c := newCluster(t, r.topo, places(0))
	a, b := c.start(ports[0]), c.start(ports[1])
	for round := 1; round <= rounds; round++ {
		await(t, "messages go through", func() bool { return r.spout.done() >= round*n/(rounds+2) })
		c.sup.change(func(p *stormrpc.TopologyPlan) {
			p.AssignmentID, p.Assignment = fmt.Sprint("1-", 1+round), assignment(places(round%2))
		})
	}
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	if r.nseen.Load() != n {
		t.Errorf("the sink saw %d of %d", r.nseen.Load(), n)
	}
	r.spout.mu.Lock()
	if r.spout.opened != 1 {
		t.Errorf("the spout was opened %d times", r.spout.opened)
	}
	t.Logf("%d of %d messages failed", r.spout.failed, n)
	r.spout.mu.Unlock()
	for _, p := range []*process{a, b} {
		if err := p.stop(); err != nil {
			t.Errorf("%s ends with %v", p.id, err)
		}
	}
}
