package supervisor

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// TestCutOffNodeEndsWhatMovedMeanwhile is a partition: the plan changes while the node hears nothing.
func TestCutOffNodeEndsWhatMovedMeanwhile(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	_, pid := n.ready("a-1-1", port)
	n.setAway(true)
	eventually(t, "the supervisor sees it", func() bool { return strings.Contains(s.log.String(), "going on with the last one") })
	n.change(func(p *stormrpc.NodePlan) { p.Epoch, p.Topologies = 2, nil })
	if !alive(pid) {
		t.Fatal("the worker ended without a plan")
	}
	healed := time.Now()
	n.setAway(false)
	eventually(t, "the worker is gone", func() bool { return !alive(pid) })
	took := time.Since(healed)
	t.Logf("healed to gone: %v", took)
	if took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNewLeaderHearsOfAllWorkersAtOnce(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.submit("a-1-1", "good", s.NodeID(), s.Ports()...)
	w0, _ := n.ready("a-1-1", s.Ports()[0])
	w1, _ := n.ready("a-1-1", s.Ports()[1])
	n.stop()
	n.mu.Lock()
	n.first = nil
	n.mu.Unlock()
	n.start(n.addr)
	var first *stormrpc.NodeReport
	n.until("the node reports", func() bool { first = n.first; return first != nil })
	ids := map[string]bool{}
	for _, w := range first.Workers {
		ids[w.WorkerID] = w.Ready
	}
	if !ids[w0] || !ids[w1] {
		t.Errorf("first report has %v", ids)
	}
}

// TestNewLeaderIsFoundSoonAfterItsElection has one Nimbus die and another one lead a while later.
func TestNewLeaderIsFoundSoonAfterItsElection(t *testing.T) {
	a, b := newFakeNimbus(t), newFakeNimbus(t)
	b.follows = true
	s := live(t, a, t.TempDir(), func(c *Config) { c.Nimbus.Seeds = []string{a.addr, b.addr} })
	port := s.Ports()[0]
	a.submit("a-1-1", "good", s.NodeID(), port)
	worker, _ := a.ready("a-1-1", port)
	a.stop()
	b.until("the node looked for a leader for long", func() bool { return b.asked >= 6 })
	b.mu.Lock()
	b.plan.Epoch, b.plan.Topologies = 2, []*stormrpc.TopologyPlan{planOf("a-1-1", 1, s.NodeID(), port)}
	b.follows = false
	elected := time.Now()
	b.mu.Unlock()
	b.until("it reports to the new leader", func() bool { return b.first != nil })
	t.Logf("elected to first report: %v", time.Since(elected))
	if w := b.first.Workers; len(w) != 1 || w[0].WorkerID != worker || !w[0].Ready {
		t.Errorf("first report: %v", w)
	}
	b.until("the new plan is in force", func() bool { return b.last.Epoch == 2 })
	if got, _ := b.ready("a-1-1", port); got != worker {
		t.Error("the worker was started again")
	}
}

// TestNimbusThatDoesNotAnswerIsGivenUp is a half-open link: the call arrives and no answer ever does.
func TestNimbusThatDoesNotAnswerIsGivenUp(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	n.until("the node reports", func() bool { return n.last != nil })
	n.change(func(*stormrpc.NodePlan) { n.mute = true })
	began := time.Now()
	eventually(t, "it is given up", func() bool { return strings.Contains(s.log.String(), "going on with the last one") })
	t.Logf("given up after %v", time.Since(began))
	n.change(func(*stormrpc.NodePlan) { n.mute = false })
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	n.ready("a-1-1", port)
}

// TestAllOfANodeIsKilled has supervisor and workers start again from what is on disk, with nobody to ask.
func TestAllOfANodeIsKilled(t *testing.T) {
	n, dir := newFakeNimbus(t), t.TempDir()
	r := remote{LocalDir: filepath.Join(dir, "local"), LogDir: filepath.Join(dir, "logs"), Nimbus: n.addr, Ports: []int{0, 0}}
	p := startProcess(t, r)
	n.submit("a-1-1", "good", p.node, p.ports...)
	w0, pid0 := n.ready("a-1-1", p.ports[0])
	w1, pid1 := n.ready("a-1-1", p.ports[1])
	n.stop()
	p.kill()
	sendSignal(t, pid0, syscall.SIGKILL)
	sendSignal(t, pid1, syscall.SIGKILL)
	eventually(t, "both are dead", func() bool { return !alive(pid0) && !alive(pid1) })
	began := time.Now()
	q := startProcess(t, r)
	eventually(t, "both are launched", func() bool { return strings.Count(q.err.String(), "launched worker") == 2 })
	t.Logf("supervisor started to workers launched, Nimbus away: %v", time.Since(began))
	n.mu.Lock()
	clear(n.workers)
	n.mu.Unlock()
	n.start(n.addr)
	v0, _ := n.ready("a-1-1", p.ports[0])
	v1, _ := n.ready("a-1-1", p.ports[1])
	if v0 == w0 || v1 == w1 {
		t.Errorf("workers %s and %s are those that were killed", v0, v1)
	}
	n.remove("a-1-1")
	n.until("no worker is reported", func() bool { return len(n.workers) == 0 })
	q.terminate(t)
}
