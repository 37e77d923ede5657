package nimbus

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// rebalance asks for a rebalance without a wait and waits until it is done.
func (c *testCluster) rebalance(name string, o *stormrpc.RebalanceOptions) *topology {
	c.t.Helper()
	o.WaitSecs = ref(int32(0))
	must(c.t, c.client.Rebalance(c.t.Context(), name, o))
	eventually(c.t, "the rebalance", func() bool { t, ok := c.named(name); return ok && t.Status != cluster.Rebalancing })
	t, _ := c.named(name)
	return t
}

// places gives an assignment the form "first-last@node:port ...".
func places(a cluster.Assignment) map[[2]int32]cluster.Placement {
	out := make(map[[2]int32]cluster.Placement)
	for _, p := range a.Executors {
		out[[2]int32{p.First, p.Last}] = p
	}
	return out
}

// stayed counts the executors that two assignments have in the same place, and the start of each has to be the same then.
func stayed(t *testing.T, before, after cluster.Assignment) int {
	t.Helper()
	was, n := places(before), 0
	for span, p := range places(after) {
		if old, ok := was[span]; ok && old.Node == p.Node && old.Port == p.Port {
			n++
			if !old.Started.Equal(p.Started) {
				t.Errorf("executor %v stayed and started anew", span)
			}
		}
	}
	return n
}

func TestRebalanceMovesTheLeast(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700, 6701)
	b := c.node("b", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 2, "topology.acker.executors": 1}`) // 6 executors
	a.until("the topology", hasTopologies(1))
	b.until("the topology", hasTopologies(1))
	first, _ := c.named("words")
	clk.advance(time.Second)

	three := c.rebalance("words", &stormrpc.RebalanceOptions{NumWorkers: ref(int32(3))})
	if got := stayed(t, first.assignment, three.assignment); got != 4 || len(three.slots()) != 3 || three.assignment.ID == first.assignment.ID {
		t.Errorf("from 2 to 3 workers %d of 6 executors stayed, in %d workers", got, len(three.slots()))
	}
	clk.advance(time.Second)
	two := c.rebalance("words", &stormrpc.RebalanceOptions{NumWorkers: ref(int32(2))})
	if got := stayed(t, three.assignment, two.assignment); got != 4 || len(two.slots()) != 2 {
		t.Errorf("from 3 to 2 workers %d of 6 executors stayed, in %d workers", got, len(two.slots()))
	}
	clk.advance(time.Second)
	// count had tasks 2-3, 4, 5 and has 2-3, 4-5 now: all but that executor stay.
	fewer := c.rebalance("words", &stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"count": 2}})
	if got := stayed(t, two.assignment, fewer.assignment); got != 4 || len(fewer.assignment.Executors) != 5 {
		t.Errorf("with an executor less %d of 4 stayed, %d are placed", got, len(fewer.assignment.Executors))
	}
	nothing := c.rebalance("words", &stormrpc.RebalanceOptions{})
	if nothing.assignment.ID != fewer.assignment.ID {
		t.Errorf("a rebalance of what is in balance made assignment %s of %s", nothing.assignment.ID, fewer.assignment.ID)
	}
	if nothing.CodeVersion != 0 {
		t.Errorf("code version %d without a change of code", nothing.CodeVersion)
	}
}

func TestRebalanceBringsLoadBackToANode(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 2}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	before, _ := c.named("words")
	b := c.node("b", 6700, 6701)
	must(t, c.round(t.Context(), true))
	if now, _ := c.named("words"); now.assignment.ID != before.assignment.ID {
		t.Fatal("the topology has all its workers, and moved as a node came")
	}
	after := c.rebalance("words", &stormrpc.RebalanceOptions{})
	if got := stayed(t, before.assignment, after.assignment); got != 3 && got != 4 {
		t.Errorf("%d of 7 executors stayed, want those of one worker", got)
	}
	b.until("its half", hasTopologies(1))
}

func TestRebalancingTopologyGoesOn(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	a := c.node("a", 6700)
	c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	wait := &stormrpc.RebalanceOptions{WaitSecs: ref(int32(3600))}
	must(t, c.client.Rebalance(ctx, "words", wait))
	if got := a.sync(0).Topologies[0].Status; got != stormrpc.TopologyStatus_ACTIVE {
		t.Errorf("a topology that waits for its rebalance is told as %v", got)
	}
	s, err := c.client.GetTopologySummaryByName(ctx, "words")
	must(t, err)
	if s.Status != "REBALANCING" {
		t.Errorf("clients see status %s", s.Status)
	}
	must(t, c.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	a.until("nothing", hasTopologies(0))
	c.submitWords("quiet", "{}")
	a.until("the topology", hasTopologies(1))
	must(t, c.client.Deactivate(ctx, "quiet"))
	must(t, c.client.Rebalance(ctx, "quiet", wait))
	if got := a.sync(0).Topologies[0].Status; got != stormrpc.TopologyStatus_INACTIVE {
		t.Errorf("an inactive topology that waits for its rebalance is told as %v", got)
	}
}

func TestChangedConfigurationReachesWorkers(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	c.submitWords("words", "{}")
	before := a.until("the topology", hasTopologies(1)).Topologies[0]
	c.rebalance("words", &stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"topology.debug": true}`)})
	after := a.sync(0).Topologies[0]
	if after.CodeVersion != before.CodeVersion+1 || after.AssignmentID != before.AssignmentID {
		t.Errorf("code version %d was %d; assignment %s was %s", after.CodeVersion, before.CodeVersion, after.AssignmentID, before.AssignmentID)
	}
	c.rebalance("words", &stormrpc.RebalanceOptions{TopologyResourcesOverrides: map[string]map[string]float64{"count": {onHeap: 256}}})
	last := a.sync(0).Topologies[0]
	if got := *last.Assignment.WorkerResources; last.CodeVersion != before.CodeVersion+2 || len(got) != 1 || got[0].Value.GetMemOnHeap() != 3*128+3*256 {
		t.Errorf("code version %d, resources %v", last.CodeVersion, got)
	}
}

func TestRebalanceIsHeldToTheLimits(t *testing.T) {
	c := start(t, func(cfg *Config) {
		cfg.Conf = mergeConf(cfg.Conf, `{"nimbus.slots.perTopology": 2, "nimbus.executors.perTopology": 5}`)
	})
	c.submitWords("words", "{}")
	for name, o := range map[string]struct {
		options *stormrpc.RebalanceOptions
		want    string
	}{
		"workers":   {&stormrpc.RebalanceOptions{NumWorkers: ref(int32(3))}, "Invalid Failed to submit topology. Topology requests more than 2 workers."},
		"executors": {&stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"count": 4}}, "Invalid Failed to submit topology. Topology requests more than 5 executors."},
		"heap": {&stormrpc.RebalanceOptions{TopologyResourcesOverrides: map[string]map[string]float64{"count": {onHeap: 1000}}},
			"Invalid Topology will not be able to be successfully scheduled: "},
	} {
		if got := answer(c.client.Rebalance(t.Context(), "words", o.options)); !strings.HasPrefix(got, o.want) {
			t.Errorf("%s: got %s, want %s", name, got, o.want)
		}
	}
}

// TestTimedTopologyKeepsItsShape: one executor a task, and a clock and checkpoints in one place from the beginning to the end or never.
func TestTimedTopologyKeepsItsShape(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	c.submitWords("timed", `{"gearstorm.event.time": true}`)
	c.submitWords("plain", `{}`)
	c.submitGo("kept", `{"gearstorm.event.time": true, "gearstorm.checkpoint.interval.ms": 1000}`)
	a.until("the topology", hasTopologies(1))
	timed, _ := c.named("timed")
	if len(timed.executors) != len(timed.component) || countTasks(timed, "__clock") != 1 {
		t.Errorf("%d executors for %d tasks, %d of them of the clock", len(timed.executors), len(timed.component), countTasks(timed, "__clock"))
	}
	for name, r := range map[string]struct {
		topology string
		o        stormrpc.RebalanceOptions
	}{
		"executors of two tasks": {"timed", stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"count": 2}}},
		"the clock goes":         {"timed", stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"gearstorm.event.time": false}`)}},
		"a clock comes":          {"plain", stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"gearstorm.checkpoint.interval.ms": 1000}`)}},
		"the checkpoints go":     {"kept", stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"gearstorm.checkpoint.interval.ms": 0}`)}},
		"they are elsewhere":     {"kept", stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"gearstorm.checkpoint.store": "file:///b"}`)}},
	} {
		if err := c.client.Rebalance(t.Context(), r.topology, &r.o); err == nil {
			t.Errorf("%s: taken", name)
		} else if text := err.Error(); !strings.Contains(text, "event") && !strings.Contains(text, "checkpoint") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
