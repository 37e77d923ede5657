package worker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// twoSlots puts the spout and an acker on the first port, the rest on the second.
func twoSlots(ports []int) map[int][][2]int64 {
	return map[int][][2]int64{ports[0]: {{1, 1}, {5, 5}}, ports[1]: {{2, 2}, {3, 3}, {4, 4}}}
}

func TestTwoWorkersRunATopology(t *testing.T) {
	const n = 2000
	r := newRelay(t, n, nil)
	ports := freePorts(t, 2)
	c := newCluster(t, r.topo, twoSlots(ports))
	a := c.start(ports[0])
	await(t, "first report", func() bool { return c.sup.report(a.id) != nil })
	if c.sup.isReady(a.id) || r.spout.isActive() {
		t.Error("a worker is ready before its peer is there")
	}
	link := func(over string) bool {
		links := c.sup.report(a.id).Links
		return len(links) == 1 && links[0].Peer == net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])) && links[0].Over == over
	}
	if !link("") {
		t.Errorf("links are %v before the peer is there, want one that is down", c.sup.report(a.id).Links)
	}
	b := c.start(ports[1])
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	if r.nseen.Load() != n {
		t.Errorf("the sink saw %d of %d", r.nseen.Load(), n)
	}
	await(t, "both report what they did", func() bool {
		ra, rb := c.sup.report(a.id), c.sup.report(b.id)
		if !ra.Ready || !rb.Ready || statOf(ra, 5).Specific.Spout.Acked["600"]["default"] != n || statOf(rb, 4).Emitted == nil {
			return false
		}
		executed := statOf(rb, 4).Specific.Bolt.Executed[":all-time"]
		return len(executed) == 1 && executed[0].Value >= n
	})
	await(t, "the link is reported", func() bool { return link("ring") })
	rb := c.sup.report(b.id)
	e := statOf(rb, 4).Specific.Bolt.Executed[":all-time"][0]
	if e.Key.ComponentId != "echo" || e.Key.StreamId != "default" || e.Value != n {
		t.Errorf("the sink executed %d of stream %s of %s", e.Value, e.Key.StreamId, e.Key.ComponentId)
	}
	if rb.AssignmentID != "1-1" || rb.Port != int32(ports[1]) || rb.TopologyID != testTopology || rb.GetPid() == 0 {
		t.Errorf("report is %+v", rb)
	}
	for _, p := range []*process{a, b} {
		if err := p.stop(); err != nil {
			t.Errorf("%s ends with %v", p.id, err)
		}
	}
}

// soon makes what a worker took with it time out before the test does.
func soon(b *storm.TopologyBuilder) { b.MessageTimeout(time.Duration(1+raced.Fewer/2) * time.Second) }

// TestReplacedWorkerLosesNoMessage stops the worker with the bolts again and again while messages are under way.
func TestReplacedWorkerLosesNoMessage(t *testing.T) {
	const n = 6000
	r := newRelay(t, n, soon)
	ports := freePorts(t, 2)
	c := newCluster(t, r.topo, twoSlots(ports))
	c.start(ports[0])
	b := c.start(ports[1])
	for round := 1; round <= 3; round++ {
		await(t, "messages go through", func() bool { return r.spout.done() > round*n/5 })
		if err := b.stop(); err != nil {
			t.Errorf("%s ends with %v", b.id, err)
		}
		b = c.start(ports[1])
	}
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	if r.nseen.Load() != n {
		t.Errorf("the sink saw %d of %d", r.nseen.Load(), n)
	}
	r.spout.mu.Lock()
	defer r.spout.mu.Unlock()
	if r.spout.opened != 1 {
		t.Errorf("the spout was opened %d times", r.spout.opened)
	}
	t.Logf("%d failed and were emitted again", r.spout.failed)
}

// TestMovedPeerIsFollowed moves all that a worker runs to another slot. It ends once its peers have gone over, by the plan
// or told by a signal at the same time.
func TestMovedPeerIsFollowed(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(fmt.Sprint("told ", told), func(t *testing.T) {
			const n = 3000
			r := newRelay(t, n, nil)
			ports := freePorts(t, 3)
			c := newCluster(t, r.topo, twoSlots(ports))
			a := c.start(ports[0])
			b := c.start(ports[1])
			await(t, "messages go through", func() bool { return r.spout.done() > n/10 })
			c.sup.change(func(p *stormrpc.TopologyPlan) {
				p.AssignmentID, p.Epoch = "2-1", 2
				p.Assignment = assignment(map[int][][2]int64{ports[0]: {{1, 1}, {5, 5}}, ports[2]: {{2, 2}, {3, 3}, {4, 4}}})
			})
			began := time.Now()
			if told {
				b.stop()
			}
			if err := <-b.end; err != nil {
				t.Errorf("the worker that has nothing left ends with %v", err)
			}
			t.Logf("it ends after %v", time.Since(began).Round(time.Millisecond))
			c.start(ports[2])
			await(t, "every message is acked", func() bool { return r.spout.done() == n })
			await(t, "the other worker knows", func() bool {
				rep := c.sup.report(a.id)
				return rep.AssignmentID == "2-1" && rep.Epoch == 2
			})
			r.spout.mu.Lock()
			defer r.spout.mu.Unlock()
			t.Logf("%d of %d messages failed", r.spout.failed, n)
		})
	}
}

func TestStatusIsFollowed(t *testing.T) {
	r := newRelay(t, 1<<30, nil)
	ports := freePorts(t, 1)
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	p := c.start(ports[0])
	await(t, "messages go through", func() bool { return r.spout.done() > 100 })
	c.sup.change(func(p *stormrpc.TopologyPlan) { p.Status = stormrpc.TopologyStatus_INACTIVE })
	await(t, "spouts are deactivated", func() bool { return !r.spout.isActive() })
	c.sup.change(func(p *stormrpc.TopologyPlan) { p.Status = stormrpc.TopologyStatus_ACTIVE })
	at := r.spout.done()
	await(t, "spouts go on", func() bool { return r.spout.isActive() && r.spout.done() > at+100 })

	c.sup.change(func(p *stormrpc.TopologyPlan) { p.Epoch = 5 })
	await(t, "the new leader is known", func() bool { return c.sup.report(p.id).Epoch == 5 })
	c.sup.change(func(p *stormrpc.TopologyPlan) { p.Epoch, p.Status = 4, stormrpc.TopologyStatus_KILLED })
	at = r.spout.done()
	c.sup.mu.Lock()
	calls := c.sup.calls[p.id]
	c.sup.mu.Unlock()
	await(t, "the former leader's plan is answered", func() bool {
		c.sup.mu.Lock()
		defer c.sup.mu.Unlock()
		return c.sup.calls[p.id] > calls+1
	})
	if !r.spout.isActive() || c.sup.report(p.id).Epoch != 5 {
		t.Error("a former leader stopped the spouts")
	}
	await(t, "spouts go on", func() bool { return r.spout.done() > at+100 })
	c.sup.mu.Lock()
	c.sup.dead = true
	c.sup.mu.Unlock()
	if err := <-p.end; err != nil {
		t.Errorf("the worker of a topology that is gone ends with %v", err)
	}
}

func TestSupervisorAway(t *testing.T) {
	r := newRelay(t, 1<<30, nil)
	ports := freePorts(t, 1)
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	p := c.start(ports[0])
	await(t, "messages go through", func() bool { return r.spout.done() > 100 })
	c.sup.stop()
	at := r.spout.done()
	await(t, "messages go on without a supervisor", func() bool { return r.spout.done() > at+1000 })
	before := c.sup.report(p.id)
	c.sup.serve(t, c.sup.addr)
	await(t, "the supervisor hears again", func() bool { return c.sup.report(p.id) != before })
}

func TestErrorsReachTheSupervisor(t *testing.T) {
	for _, c := range []struct {
		name, want, component string
		change                func(*storm.TopologyBuilder)
		ends                  bool
	}{
		{"returned", "no good", "extra", func(b *storm.TopologyBuilder) {
			b.SetBolt("extra", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return errors.New("no good") }), 1).ShuffleGrouping("words")
		}, false},
		{"panic, with its stack", "run_test.go", "extra", func(b *storm.TopologyBuilder) {
			b.SetBolt("extra", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { panic("oops") }), 1).ShuffleGrouping("words")
		}, false},
		{"cannot be opened", "open component extra, task 4: no database", "__system", func(b *storm.TopologyBuilder) {
			b.SetBolt("extra", storm.BoltFactory(func() storm.Bolt { return brokenBolt{} }), 1).ShuffleGrouping("words")
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t, 10, c.change)
			ports := freePorts(t, 1)
			cl := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}, {6, 6}}})
			p := cl.start(ports[0])
			await(t, "the error is reported", func() bool {
				cl.sup.mu.Lock()
				defer cl.sup.mu.Unlock()
				for _, e := range cl.sup.errs {
					if e.Component == c.component && strings.Contains(e.Message, c.want) {
						return true
					}
				}
				return false
			})
			if c.ends {
				if err := <-p.end; err == nil {
					t.Error("the worker ends as if nothing was wrong")
				}
			}
		})
	}
}

type brokenBolt struct{}

func (brokenBolt) Prepare(*storm.Context, *storm.Collector) error { return errors.New("no database") }
func (brokenBolt) Execute(storm.Tuple, *storm.Collector) error    { return nil }

// TestTuplesThatCannotLeave emits more than a frame holds: the component gets an error, every tree fails at once,
// whichever acker keeps it.
func TestTuplesThatCannotLeave(t *testing.T) {
	b := storm.NewTopologyBuilder().Ackers(3).MessageTimeout(time.Hour).AddConfig("gearstorm.tuple.max.bytes", 3<<20)
	spout := &hugeSpout{text: strings.Repeat("x", 5<<20), left: 20, failed: make(chan struct{}, 20)}
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return spout }), 1).Fields("word")
	b.SetBolt("sink", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 1).ShuffleGrouping("words")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 1}, {5, 5}}, ports[1]: {{2, 2}, {3, 3}, {4, 4}}})
	c.start(ports[0])
	c.start(ports[1])
	timeout := time.After(30 * time.Second)
	for i := range cap(spout.failed) {
		select {
		case <-spout.failed:
		case <-timeout:
			t.Fatalf("%d of %d tuples failed", i, cap(spout.failed))
		}
	}
	await(t, "the error is reported", func() bool {
		c.sup.mu.Lock()
		defer c.sup.mu.Unlock()
		return len(c.sup.errs) > 0 && strings.Contains(c.sup.errs[0].Message, "more than 4194242") && c.sup.errs[0].Component == "words"
	})
}

type hugeSpout struct {
	text   string
	left   int
	failed chan struct{}
}

func (s *hugeSpout) Open(*storm.Context, *storm.Collector) error { return nil }
func (s *hugeSpout) Next(c *storm.Collector) error {
	if s.left == 0 {
		return storm.ErrIdle
	}
	s.left--
	c.EmitID(gearcore.Long(int64(s.left)), []any{s.text}) // what is in a list counts only in a frame
	return nil
}
func (s *hugeSpout) Ack(storm.Value, *storm.Collector)  {}
func (s *hugeSpout) Fail(storm.Value, *storm.Collector) { s.failed <- struct{}{} }

func TestRunRefuses(t *testing.T) {
	r := newRelay(t, 1, nil)
	ports := freePorts(t, 2)
	c := newCluster(t, r.topo, map[int][][2]int64{ports[0]: {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}})
	busy, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(ports[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	run := func(change func(*Config)) error {
		cfg := Config{Spec: c.spec(ports[0])}
		change(&cfg)
		return Run(t.Context(), cfg)
	}
	for _, tc := range []struct {
		name, want string
		change     func(*Config)
	}{
		{"no spec", "bad worker spec", func(c *Config) { c.Spec.Topology = "" }},
		{"plan that is none", "read plan", func(c *Config) { c.Spec.Plan = []byte{1, 2, 3} }},
		{"no code", "stored topology", func(c *Config) { c.Spec.CodeDir = t.TempDir() }},
		{"no Go components", "run the topology's own binary", func(*Config) {}},
	} {
		if err := run(tc.change); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
	p := c.start(ports[0])
	if err := <-p.end; err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("busy port: %v", err)
	}
	if err := <-c.start(ports[1]).end; err != nil {
		t.Errorf("a slot with nothing assigned: %v", err)
	}
}

// wideWorker returns a worker with 200 executors that reports but does not run.
func wideWorker(t *testing.T) *worker {
	t.Helper()
	b := storm.NewTopologyBuilder()
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return newCounter(0) }), 200).Fields("word", "n")
	topo, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLocal(LocalConfig{Name: "wide", Topology: topo.Thrift, Conf: topo.Conf, Registry: topo.Components})
	if err != nil {
		t.Fatal(err)
	}
	return &worker{host: l.host, plan: &stormrpc.TopologyPlan{}, links: &transport.Transport{}}
}

// TestReportFits runs fit on a worker with far more executors than a report may hold.
func TestReportFits(t *testing.T) {
	w := wideWorker(t)
	w.host.set.reportBytes = 16 << 10
	w.host.table.Errored(1, errors.New(strings.Repeat("x", 1000)))
	seen := map[int32]bool{}
	for range 40 {
		r, _ := w.report(time.Now())
		if len(r.ExecutorStats) == 0 {
			t.Fatal("a report without executors")
		}
		for _, e := range r.ExecutorStats {
			seen[e.Key.TaskStart] = true
		}
	}
	if len(seen) != len(w.host.local) {
		t.Errorf("%d of %d executors appear in 40 reports", len(seen), len(w.host.local))
	}
	w.host.set.reportBytes = 1200
	if r, _ := w.report(time.Now()); len(r.ExecutorStats) != 0 || len(r.Errors[0].Message) != maxErrorLine {
		t.Errorf("%d executors, error of %d bytes", len(r.ExecutorStats), len(r.Errors[0].Message))
	}
	if errs, _ := w.host.table.Errors(); len(errs[0].Message) != 1000 {
		t.Error("the kept error was cut")
	}
}

// TestStatisticsOfManyExecutorsGoUpLessOften makes reports of a worker with 200 executors, one each second.
func TestStatisticsOfManyExecutorsGoUpLessOften(t *testing.T) {
	w := wideWorker(t)
	begin, all := time.Now(), len(w.host.local)
	period := time.Duration(all) * statsPerExecutor
	var with []int
	for i := range 9 {
		at := begin.Add(time.Duration(i) * time.Second)
		r, _ := w.report(at)
		if n := len(r.ExecutorStats); n == all {
			with = append(with, i)
		} else if n != 0 {
			t.Errorf("report %d has %d of %d executors", i, n, all)
		}
		if i != 0 { // the first one got lost
			w.took(r, at)
		}
	}
	if period < 2*time.Second || period >= 3*time.Second {
		t.Fatalf("%d executors have a period of %v", all, period)
	}
	if want := []int{0, 1, 4, 7}; !slices.Equal(with, want) {
		t.Errorf("reports %v have statistics, want %v", with, want)
	}
}
