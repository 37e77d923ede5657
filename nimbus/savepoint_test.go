package nimbus

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// submitGo submits words with components in Go.
func (c *testCluster) submitGo(name, jsonConf string) {
	c.t.Helper()
	topo := words()
	for _, s := range topo.Spouts {
		s.SpoutObject = compat.GoComponent("words")
	}
	for _, b := range topo.Bolts {
		b.BoltObject = compat.GoComponent("count")
	}
	must(c.t, c.client.SubmitTopology(c.t.Context(), name, c.upload(jar(c.t, "resources/script.py")), jsonConf, topo))
}

// TestSavepointIsAskedOfTheClock: the request is in the plan until the worker with the clock has answered.
func TestSavepointIsAskedOfTheClock(t *testing.T) {
	m := startMasters(t, 2, nil)
	leader := m.all[0]
	a := leader.node("a", 6700)
	leader.submitGo("words", `{"gearstorm.checkpoint.interval.ms": 1000, "topology.workers": 1}`)
	leader.submitGo("plain", `{}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	type outcome struct {
		answer *stormrpc.SavepointAnswer
		err    error
	}
	ask := func(topology, name string, remove bool, wait time.Duration) chan outcome {
		out := make(chan outcome, 1)
		client := stormrpc.NewGearstormClient(m.all[1].dial()) // a follower, which relays it
		go func() {
			answer, err := client.Savepoint(t.Context(), topology, name, remove, int32(wait/time.Millisecond))
			out <- outcome{answer, err}
		}()
		return out
	}
	asked := func(n int) func(*stormrpc.NodePlan) bool {
		return func(p *stormrpc.NodePlan) bool { return len(p.Topologies) == 1 && len(p.Topologies[0].Savepoints) == n }
	}
	first := ask("words", "before", false, waitFor)
	r := a.until("the request", asked(1)).Topologies[0].Savepoints[0]
	if r.Name != "before" || r.Remove {
		t.Errorf("request %+v", r)
	}
	kept := &stormrpc.Savepoint{Name: "before", Epoch: 7, Bytes: 100}
	timing := &stormrpc.TopologyTiming{Generation: 3, State: "running", WatermarkMs: 5, Clocks: []*stormrpc.ComponentClock{{Component: "words"}},
		Savepoints: []*stormrpc.Savepoint{kept}, Answers: []*stormrpc.SavepointAnswer{{ID: r.ID - 1}, {ID: r.ID, Savepoint: kept}}}
	a.report.Workers[0].Timing = timing
	a.sync(0)
	if got := <-first; got.err != nil || got.answer.Savepoint == nil || got.answer.Savepoint.Epoch != 7 {
		t.Errorf("answer %+v", got)
	}
	a.until("nothing asked", asked(0))
	info, err := m.all[1].client.GetTopologyInfoByName(t.Context(), "words")
	must(t, err)
	if info.Timing == nil || info.Timing.Generation != 3 || len(info.Timing.Clocks) != 1 || len(info.Timing.Savepoints) != 1 || info.Timing.Answers != nil {
		t.Errorf("timing %+v", info.Timing)
	}
	if got := <-ask("words", "late", false, 10*time.Millisecond); got.err != nil || !strings.Contains(got.answer.GetError(), "not done within 10ms") {
		t.Errorf("nobody answers: %+v", got)
	}
	if got := <-ask("plain", "x", false, waitFor); got.err != nil || !strings.Contains(got.answer.GetError(), "makes no checkpoints") {
		t.Errorf("no checkpoints: %+v", got)
	}
	if got := <-ask("nosuch", "x", false, waitFor); got.err == nil {
		t.Errorf("no topology: %+v", got)
	}
	last := ask("words", "before", true, waitFor)
	if r := a.until("the removal", asked(1)).Topologies[0].Savepoints[0]; !r.Remove {
		t.Errorf("request %+v", r)
	}
	m.copied()
	m.fail(leader)
	if got := <-last; got.err == nil && !strings.Contains(got.answer.GetError(), "another nimbus leads") {
		t.Errorf("the leader is gone: %+v", got.answer)
	}
}

// A request that waited for a write by which its master has lost the lead is refused: it would be answered by nobody, and the master waits for
// all calls of a term before it follows or leads again.
func TestSavepointIsAskedOfALeader(t *testing.T) {
	c := start(t, nil)
	c.submitGo("words", `{"gearstorm.checkpoint.interval.ms": 1000, "topology.workers": 1}`)
	id := mustNamed(t, c, "words").ID
	c.stepDown()
	err := c.askSavepoint(id, &stormrpc.SavepointRequest{ID: 1, Name: "late"}, make(chan *stormrpc.SavepointAnswer, 1))
	if err == nil || !strings.Contains(err.Error(), "another nimbus leads by now") || len(c.savepoints) > 0 {
		t.Errorf("asked: %v, %d wait", err, len(c.savepoints))
	}
}
