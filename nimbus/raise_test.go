package nimbus

import (
	"path/filepath"
	"testing"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A leader over a store that was wiped goes on above what nodes have seen, and everything works under the new number.
func TestWipedStateHeals(t *testing.T) {
	c := start(t, nil)
	id := c.submitWords("words", "{}")
	a, b := c.node("a", 6700), c.node("b", 6700)
	b.until("the topology is placed", func(p *stormrpc.NodePlan) bool { a.sync(0); return len(p.Topologies)+len(a.plan.Topologies) > 0 })
	a.report.Epoch = 41
	got := a.sync(0)
	if got.Epoch != 42 || got.PlanVersion>>32 != 42 {
		t.Fatalf("plan of epoch %d, version %x", got.Epoch, got.PlanVersion)
	}
	b.report.Epoch = 42
	if got := b.sync(0); got.Epoch != 42 {
		t.Fatalf("the other node has a plan of epoch %d", got.Epoch)
	}
	for _, p := range append(a.plan.Topologies, b.plan.Topologies...) {
		if p.TopologyID != id || p.Epoch != 42 {
			t.Errorf("topology %s is told with epoch %d", p.TopologyID, p.Epoch)
		}
	}
	must(t, c.client.Deactivate(t.Context(), "words"))
	l, err := cluster.ReadLeader(t.Context(), c.cfg.Store)
	if err != nil || l.Epoch != 42 || c.Figures().Raised != 1 {
		t.Errorf("leader %+v, %v, figures %+v", l, err, c.Figures())
	}
}

// What nobody can have seen is not believed.
func TestEpochsThatAreNotBelieved(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	for _, seen := range []int64{1 << 62, maxEpoch, maxEpochStep + 2} {
		a.report.Epoch = seen
		if _, err := a.client.SyncNode(t.Context(), a.report, 0, 0); answer(err) != "application 6" {
			t.Errorf("a report of epoch %d: %v", seen, err)
		}
	}
	if c.epoch() != 1 || c.lead() != nil {
		t.Errorf("the master is in epoch %d, %v", c.epoch(), c.lead())
	}
	// Step by step nobody gets beyond the bound either.
	c.mu.Lock()
	c.term.Epoch = maxEpoch - 1
	c.mu.Unlock()
	a.report.Epoch = maxEpoch
	if _, err := a.client.SyncNode(t.Context(), a.report, 0, 0); answer(err) != "application 6" {
		t.Errorf("a report of epoch %d: %v", a.report.Epoch, err)
	}
}

// A leader that was replaced learns that from a node, and does not put itself above the new one.
func TestReplacedLeaderDoesNotRaiseItself(t *testing.T) {
	state := mem.New()
	defer state.Close()
	m := &masters{t: t, all: make([]*testCluster, 2)}
	for range m.all {
		m.seats, m.dirs = append(m.seats, newSeat(state.Peer())), append(m.dirs, filepath.Join(t.TempDir(), "blobs"))
	}
	m.seats[0].deaf = true
	m.start(0, nil)
	m.start(1, nil)
	stale := m.all[0]
	a := stale.node("a", 6700)
	m.seats[0].lose()
	eventually(t, "both believe that they lead", func() bool { return m.all[1].lead() == nil && stale.lead() == nil })
	a.report.Epoch = 2
	if _, err := a.client.SyncNode(t.Context(), a.report, 0, 0); client.KindOf(err) != client.NoLeader {
		t.Errorf("the stale leader answered %v", err)
	}
	m.leaderAfter(stale)
	if f := stale.Figures(); f.Fenced != 1 || f.Raised != 0 {
		t.Errorf("figures of the stale leader: %+v", f)
	}
	m.all[1].submitWords("words", "{}") // epoch 2 still counts
	if e := m.all[1].epoch(); e != 2 {
		t.Errorf("the new leader has epoch %d", e)
	}
}
