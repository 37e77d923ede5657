package nimbus

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What runs on an unhealthy node moves at once, and the node is offered again when it is well.
func TestUnhealthyNode(t *testing.T) {
	c := start(t, nil)
	a, b := c.node("a", 6700), c.node("b", 6700)
	c.submitWords("words", `{"topology.workers": 2}`)
	for _, n := range []*fakeNode{a, b} {
		n.until("a worker", func(*stormrpc.NodePlan) bool { return n.has() })
		n.works()
	}
	a.report.Unhealthy, a.report.Ports, a.report.SchedulerMeta = ref("disk\xff "+strings.Repeat("x", 5000)), nil, map[string]string{isolationMeta: "rlimit"}
	a.until("nothing on the unhealthy node", func(*stormrpc.NodePlan) bool { return !a.has() })
	b.until("all on the other one", func(p *stormrpc.NodePlan) bool { return strings.Count(placement(p), "b:6700") == 7 })

	info, err := c.client.GetClusterInfo(t.Context())
	must(t, err)
	s := info.Supervisors[0]
	if !strings.HasPrefix(s.GetUnhealthy(), "disk\uFFFD xxx") || len(s.GetUnhealthy()) > maxStateBytes || !s.GetBlacklisted() || s.GetIsolation() != "rlimit" {
		t.Errorf("summary of the unhealthy node: %v", s)
	}
	if s := info.Supervisors[1]; s.Unhealthy != nil || s.GetBlacklisted() || s.Isolation != nil {
		t.Errorf("summary of the healthy node: %v", s)
	}
	a.report.Unhealthy, a.report.Ports = nil, []int32{6700}
	a.report.Workers = nil
	a.sync(0)
	must(t, c.round(t.Context(), true))
	a.until("a worker again", func(*stormrpc.NodePlan) bool { return a.has() })
}

// A node hears for a while where a topology is that has left it, so that its last workers can finish.
func TestNodeHearsOfWhatLeft(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a, b := c.node("a", 6700), c.node("b", 6700)
	c.submitWords("words", `{"topology.workers": 2}`)
	for _, n := range []*fakeNode{a, b} {
		n.until("a worker", func(*stormrpc.NodePlan) bool { return n.has() })
		n.works()
	}
	must(t, c.client.Rebalance(t.Context(), "words", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(0)), NumWorkers: ref(int32(1))}))
	left := a
	b.until("one node left", func(*stormrpc.NodePlan) bool {
		if a.sync(0); b.has() && a.has() {
			return false
		}
		if a.has() {
			left = b
		}
		return true
	})
	left.sync(0)
	if len(left.plan.Topologies) != 1 || left.has() || len(*left.plan.Topologies[0].Assignment.ExecutorNodePort) != 7 {
		t.Fatalf("the node is told %v, want the plan by which the topology is elsewhere", left.plan)
	}
	pass(clk, partingTime+10*time.Second, a, b)
	if left.plan.PlanVersion = 0; len(left.sync(0).Topologies) != 0 {
		t.Error("the node is told of a topology that left it long ago")
	}
}

// What a supervisor says of its workers is shown, bounded.
func TestWorkersAreShown(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	info, err := c.client.GetTopologyInfo(t.Context(), id)
	must(t, err)
	if len(info.Workers) != 1 || info.Workers[0].WorkerID != nil || info.Workers[0].Host != "a.example" || info.Workers[0].Port != 6700 {
		t.Fatalf("workers before the first report: %v", info.Workers)
	}
	a.works()
	w := a.report.Workers[0]
	w.Restarts, w.LastExit, w.Suspect = ref(int32(3)), ref("exit code 7"), ref(strings.Repeat("s", 5000))
	w.Usage = &stormrpc.WorkerUsage{MemoryBytes: 5 << 20, MemoryLimitBytes: -1, CPUUs: 2_000_000, ThrottledUs: 3}
	a.sync(0)
	info, err = c.client.GetTopologyInfo(t.Context(), id)
	must(t, err)
	page, err := c.client.GetSupervisorPageInfo(t.Context(), "a", "", false)
	must(t, err)
	for _, all := range [][]*stormrpc.WorkerState{info.Workers, page.States} {
		if len(all) != 1 {
			t.Fatalf("workers %v", all)
		}
		s := all[0]
		if s.GetRestarts() != 3 || s.GetLastExit() != "exit code 7" || len(s.GetSuspect()) != maxStateBytes || s.GetWorkerID() != "w" || s.GetUptimeSecs() < 100 ||
			*s.Usage != (stormrpc.WorkerUsage{MemoryBytes: 5 << 20, CPUUs: 2_000_000, ThrottledUs: 3}) {
			t.Errorf("worker %v", s)
		}
	}
}

// A worker that ended and waits for its next start is in no report: what it said before is not shown as if it were so now.
func TestSilentWorkersAreToldOf(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	c.submitGo("words", `{"gearstorm.checkpoint.interval.ms": 1000, "topology.workers": 1}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	a.report.Workers[0].Timing = &stormrpc.TopologyTiming{Generation: 3, State: "running", Clocks: []*stormrpc.ComponentClock{}}
	a.sync(0)
	look := func() (*stormrpc.WorkerState, *stormrpc.TopologyTiming) {
		t.Helper()
		info, err := c.client.GetTopologyInfoByName(t.Context(), "words")
		must(t, err)
		if len(info.Workers) != 1 || info.Timing == nil {
			t.Fatalf("workers %v, timing %v", info.Workers, info.Timing)
		}
		return info.Workers[0], info.Timing
	}
	if w, timing := look(); w.Suspect != nil || timing.State != "running" {
		t.Errorf("a worker that reports is %v, %v", w, timing)
	}
	a.report.Workers = nil
	pass(clk, silentAfter+2*time.Second, a)
	w, timing := look()
	if w.GetSuspect() != "its node has not reported it for 12s" {
		t.Errorf("a silent worker is %v", w)
	}
	if want := "the worker with the clock is away: its node has not reported it for 12s; before that: running"; timing.State != want || timing.Generation != 3 {
		t.Errorf("its time is %v, want state %q", timing, want)
	}
}
