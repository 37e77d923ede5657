package worker

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// meter counts tuples by slices of time.
type meter struct {
	n atomic.Int64
}

// rate returns tuples a second over d.
func (m *meter) rate(d time.Duration) float64 {
	was, began := m.n.Load(), time.Now()
	<-time.After(d)
	return float64(m.n.Load()-was) / time.Since(began).Seconds()
}

// busySpout emits n, n+step and so on with ids, emits again what fails, and counts what is acked.
type busySpout struct {
	next  int64
	again []int64
	acked *meter
	lost  *atomic.Int64 // failed
}

func (s *busySpout) Open(*storm.Context, *storm.Collector) error { return nil }
func (s *busySpout) Next(c *storm.Collector) error {
	i := s.next
	if len(s.again) > 0 {
		i, s.again = s.again[0], s.again[1:]
	} else {
		s.next++
	}
	c.EmitID(gearcore.Long(i), i)
	return nil
}
func (s *busySpout) Ack(storm.Value, *storm.Collector) { s.acked.n.Add(1) }
func (s *busySpout) Fail(id storm.Value, _ *storm.Collector) {
	s.lost.Add(1)
	s.again = append(s.again, id.Int())
}

// spread is words -> work (3 tasks), nothing else. Numbered: __acker 1 to 3, words 4, work 5 to 7.
func spread(acked *meter, failed *atomic.Int64) (*storm.Topology, error) {
	b := storm.NewTopologyBuilder().Ackers(3).MaxSpoutPending(4096).MessageTimeout(time.Minute).AddConfig(spreadKey, true)
	b.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return &busySpout{acked: acked, lost: failed} }), 1).Fields("n")
	b.SetBolt("work", storm.BoltFunc(func(in storm.Tuple, _ storm.Emitter) error { toil(in.Int(0)); return nil }), 3).ShuffleGrouping("words")
	return b.Build()
}

// toil takes some microseconds.
func toil(n int64) {
	for range 5000 {
		n = n*6364136223846793005 + 1442695040888963407
	}
	if n == 42 {
		panic("42")
	}
}

const spreadKey = "test.spread"

// TestRateIsBackAfterAKill kills one of two workers under load with SIGKILL. The other goes on with its own bolt meanwhile;
// what was lost is emitted again, and the killed worker's successor, started as soon as the end is noticed, gets its share
// soon. Times are printed; the limit is generous, for machines that do other things.
func TestRateIsBackAfterAKill(t *testing.T) {
	var acked meter
	var failed atomic.Int64
	topo, err := spread(&acked, &failed)
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 2}, {4, 4}, {5, 5}}, ports[1]: {{3, 3}, {6, 6}, {7, 7}}})
	a := c.start(ports[0])
	p, _ := c.launch(ports[1], false)
	await(t, "tuples go through", func() bool { return acked.n.Load() > 50_000 })
	for round := range 3 {
		before := acked.rate(300 * time.Millisecond)
		was := failed.Load()
		began := time.Now()
		if err := syscall.Kill(p.Identity().Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		noticed := time.Since(began)
		p, _ = c.launch(ports[1], false)
		var least float64 = before
		var back time.Duration
		up := func() bool { return len(a.links(c)) == 1 && a.links(c)[0].Over != "" }
		for deadline := time.Now().Add(30 * time.Second); ; {
			r := acked.rate(25 * time.Millisecond)
			least = min(least, r)
			if r >= 0.9*before && time.Since(began) > noticed+25*time.Millisecond {
				back = time.Since(began)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("round %d: %.0f tuples/s after 30 s, %.0f before", round, r, before)
			}
		}
		await(t, "the link is up again", up)
		t.Logf("recovery round=%d before=%.0f/s least=%.0f/s noticed=%v back=%v failed=%d", round, before, least,
			noticed.Round(time.Millisecond), back.Round(time.Millisecond), failed.Load()-was)
		if back > 10*time.Second {
			t.Errorf("the rate is back after %v", back)
		}
		await(t, "the successor works", func() bool { return acked.n.Load() > 0 && up() })
	}
}

// TestPausedWorkerIsGoneRoundAndComesBack stops one of two workers with SIGSTOP for longer than links wait, and lets it go on:
// what it had not settled fails and goes another way meanwhile, and then it gets its share again, as the same process.
func TestPausedWorkerIsGoneRoundAndComesBack(t *testing.T) {
	var acked meter
	var failed atomic.Int64
	topo, err := spread(&acked, &failed)
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 2)
	c := newCluster(t, topo, map[int][][2]int64{ports[0]: {{1, 2}, {4, 4}, {5, 5}}, ports[1]: {{3, 3}, {6, 6}, {7, 7}}})
	c.transport = func(tc *transport.Config) {
		tc.IdleTimeout, tc.FailTimeout = 300*time.Millisecond, 100*time.Millisecond
	}
	a := c.start(ports[0])
	p, spec := c.launch(ports[1], false)
	up := func() bool { return len(a.links(c)) == 1 && a.links(c)[0].Over != "" }
	for round := range 2 {
		await(t, "both work", func() bool { return up() && c.sup.isReady(spec.Worker) })
		was := acked.n.Load()
		await(t, "tuples go through", func() bool { return acked.n.Load() > was+50_000 })
		lost := failed.Load()
		if err := syscall.Kill(p.Identity().Pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		await(t, "the link is given up", func() bool { return !up() })
		await(t, "what the paused one had fails", func() bool { return failed.Load() > lost })
		was = acked.n.Load()
		await(t, "the other goes on", func() bool { return acked.n.Load() > was+20_000 })
		if err := syscall.Kill(p.Identity().Pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		await(t, "the link is up again", up)
		t.Logf("pause round=%d failed=%d", round, failed.Load()-lost)
	}
	was := c.sup.report(spec.Worker)
	await(t, "it works again", func() bool {
		r := c.sup.report(spec.Worker)
		return executedBy(r, 6)+executedBy(r, 7) > executedBy(was, 6)+executedBy(was, 7)
	})
}

func executedBy(r *stormrpc.WorkerReport, task int32) (n int64) {
	if s := statOf(r, task); s != nil {
		for _, e := range s.Specific.Bolt.Executed[":all-time"] {
			n += e.Value
		}
	}
	return n
}

// links returns what the worker reported of its links last.
func (p *process) links(c *cluster) []*stormrpc.WorkerLink {
	if r := c.sup.report(p.id); r != nil {
		return r.Links
	}
	return nil
}

// BenchmarkRebalance moves one executor of a bolt between two workers, beside a spout and a bolt of a third that have
// nothing to do with it. b.N moves; it prints the rates of the third worker's tuples and of the others in the 100 ms after
// a move, as a share of those in the 100 ms before, and how many tuples failed.
func BenchmarkRebalance(b *testing.B) {
	var still, moved meter
	var failed, lost atomic.Int64
	tb := storm.NewTopologyBuilder().Ackers(3).MaxSpoutPending(4096).MessageTimeout(time.Minute)
	tb.SetSpout("calm", storm.SpoutFactory(func() storm.Spout { return &busySpout{acked: &still, lost: &lost} }), 1).Fields("n")
	tb.SetBolt("calmwork", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 1).ShuffleGrouping("calm")
	tb.SetSpout("words", storm.SpoutFactory(func() storm.Spout { return &busySpout{acked: &moved, lost: &failed} }), 1).Fields("n")
	tb.SetBolt("work", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { return nil }), 3).ShuffleGrouping("words")
	topo, err := tb.Build()
	if err != nil {
		b.Fatal(err)
	}
	ports := freePorts(b, 3)
	// __acker 1 to 3, calm 4, calmwork 5, words 6, work 7 to 9.
	place := func(to int) map[int][][2]int64 {
		m := map[int][][2]int64{ports[0]: {{1, 1}, {6, 6}, {7, 7}}, ports[1]: {{2, 2}, {8, 8}}, ports[2]: {{3, 3}, {4, 4}, {5, 5}}}
		m[ports[to]] = append(m[ports[to]], [2]int64{9, 9})
		return m
	}
	c := newCluster(b, topo, place(0))
	for _, p := range ports {
		c.start(p)
	}
	await(b, "tuples go through", func() bool { return still.n.Load() > 100_000 && moved.n.Load() > 100_000 })
	var calm, work [2]float64 // without and with a move
	b.ResetTimer()
	for i := range 2 * b.N {
		moves := i % 2
		s, m, began := still.n.Load(), moved.n.Load(), time.Now()
		if moves == 1 {
			c.sup.change(func(p *stormrpc.TopologyPlan) {
				p.AssignmentID = fmt.Sprint("1-", i+2)
				p.Assignment = assignment(place(i / 2 % 2))
			})
		}
		<-time.After(100 * time.Millisecond)
		d := time.Since(began).Seconds()
		calm[moves] += float64(still.n.Load()-s) / d
		work[moves] += float64(moved.n.Load()-m) / d
	}
	b.StopTimer()
	b.ReportMetric(calm[1]/calm[0], "untouched/before")
	b.ReportMetric(work[1]/work[0], "moved/before")
	b.ReportMetric(float64(failed.Load()+lost.Load()), "failed")
}
