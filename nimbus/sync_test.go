package nimbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/cluster/mem"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// placement gives a plan's assignment of one topology as "node:port=first-last ..." in order of executors.
func placement(p *stormrpc.NodePlan) string {
	var out []string
	for _, t := range p.Topologies {
		for _, e := range *t.Assignment.ExecutorNodePort {
			out = append(out, fmt.Sprintf("%s:%d=%d-%d", e.Value.Node, e.Value.Port[0], e.Key[0], e.Key[1]))
		}
	}
	return strings.Join(out, " ")
}

func TestPlanReachesHeldCallAtOnce(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Store = openEmbedded(t, t.TempDir()) })
	a := c.node("a", 6700, 6701)
	location := c.upload(jar(t, "resources/script.py"))
	held := make(chan *stormrpc.NodePlan, 1)
	go func() {
		// The wait is the longest there is (10 s): only a change can answer much earlier.
		plan, err := a.client.SyncNode(context.Background(), a.report, a.plan.PlanVersion, 60_000)
		if err != nil {
			t.Error(err)
		}
		held <- plan
	}()
	begin := time.Now()
	must(t, c.client.SubmitTopology(t.Context(), "words", location, `{"topology.workers": 2}`, words()))
	plan := <-held
	t.Logf("submit to plan: %v", time.Since(begin))
	if plan == nil || len(plan.Topologies) != 1 {
		t.Fatalf("held call got %v", plan)
	}
	// __acker 1-2, count 3-6 in 3 executors, words 7-8.
	if diff := cmp.Diff("a:6700=1-1 a:6701=2-2 a:6700=3-4 a:6701=5-5 a:6700=6-6 a:6701=7-7 a:6700=8-8", placement(plan)); diff != "" {
		t.Errorf("placement (-want +got):\n%s", diff)
	}
	top := plan.Topologies[0]
	if len(top.Secret) != 32 || top.Status != stormrpc.TopologyStatus_ACTIVE || top.DagVersion != 1 || top.Epoch != 1 || top.AssignmentID != "1-1" || top.GetOwner() != "tester" {
		t.Errorf("plan of the topology: %v", top)
	}
	want := map[int32]string{1: "__acker", 2: "__acker", 3: "count", 4: "count", 5: "count", 6: "count", 7: "words", 8: "words"}
	if diff := cmp.Diff(want, top.TaskComponents); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if host := (*top.Assignment.NodeHost)["a"]; host != "a.example" {
		t.Errorf("host of the node: %q", host)
	}
}

func TestHeldCallEndsWithTheSamePlan(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	before := a.plan.PlanVersion
	if got := a.sync(50 * time.Millisecond); got.PlanVersion != before {
		t.Fatalf("version %d became %d though nothing changed", before, got.PlanVersion)
	}
}

func TestOnlyNodesConcernedAreTold(t *testing.T) {
	c := start(t, nil)
	a, b := c.node("a", 6700), c.node("b")
	c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	before := b.plan.PlanVersion
	if got := b.sync(0); got.PlanVersion != before || len(got.Topologies) != 0 {
		t.Fatalf("a node without slots got version %d, had %d", got.PlanVersion, before)
	}
}

func TestTopologyWaitsForNodes(t *testing.T) {
	c := start(t, nil)
	c.submitWords("words", "{}")
	s, err := c.client.GetTopologySummaryByName(t.Context(), "words")
	must(t, err)
	if s.NumExecutors != 0 || s.NumWorkers != 0 || s.NumTasks != 0 {
		t.Fatalf("placed without nodes: %+v", s)
	}
	a := c.node("a", 6700)
	a.until("the topology", hasTopologies(1))
	s, err = c.client.GetTopologySummaryByName(t.Context(), "words")
	must(t, err)
	if s.NumExecutors != 6 || s.NumWorkers != 1 || s.NumTasks != 7 || s.GetSchedStatus() != "Fully Scheduled" {
		t.Fatalf("summary %+v", s)
	}
}

func TestSpreadingWaitsForTheRegularRound(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	c.submitWords("words", `{"topology.workers": 2}`)
	first := a.until("the topology", hasTopologies(1)).Topologies[0].AssignmentID
	b := c.node("b", 6700)
	must(t, c.round(t.Context(), false))
	if b.sync(0); len(b.plan.Topologies) != 0 || a.sync(0).Topologies[0].AssignmentID != first {
		t.Fatal("a new node made a running topology move at once")
	}
	must(t, c.round(t.Context(), true))
	if b.sync(0); len(b.plan.Topologies) != 1 {
		t.Fatal("the regular round did not spread the topology")
	}
}

func TestStatusReachesNodes(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	a := c.node("a", 6700)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	is := func(want stormrpc.TopologyStatus) func(*stormrpc.NodePlan) bool {
		return func(p *stormrpc.NodePlan) bool { return len(p.Topologies) == 1 && p.Topologies[0].Status == want }
	}
	must(t, c.client.Deactivate(ctx, "words"))
	a.until("inactive", is(stormrpc.TopologyStatus_INACTIVE))
	must(t, c.client.Activate(ctx, "words"))
	a.until("active", is(stormrpc.TopologyStatus_ACTIVE))
	version, assignment := a.plan.PlanVersion, a.plan.Topologies[0].AssignmentID
	must(t, c.client.Activate(ctx, "words"))
	if got := a.sync(0); got.PlanVersion != version {
		t.Error("activating an active topology made a new plan")
	}
	must(t, c.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(3600))}))
	a.until("killed", is(stormrpc.TopologyStatus_KILLED))
	if got := a.plan.Topologies[0].AssignmentID; got != assignment {
		t.Errorf("assignment %s became %s though nothing moved", assignment, got)
	}
	if got := answer(c.client.Activate(ctx, "words")); got != "application 6" {
		t.Errorf("activating a killed topology: %s", got)
	}
	if got, err := c.client.IsTopologyNameAllowed(ctx, "words"); err != nil || got {
		t.Errorf("name of a topology that is being killed is allowed: %v, %v", got, err)
	}
	must(t, c.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	a.until("nothing to do", hasTopologies(0))
	if got := answer(c.client.KillTopology(ctx, "words")); got != "NotAlive words is not alive" {
		t.Errorf("killing what is gone: %s", got)
	}
	eventually(t, "blobs are cleaned", func() bool { return fileCount(t, c.cfg.BlobDir) == 1 }) // the upload
	h, err := c.client.GetTopologyHistory(ctx, "")
	must(t, err)
	if diff := cmp.Diff([]string{id}, h.TopoIds); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestRebalance(t *testing.T) {
	c := start(t, nil)
	ctx := t.Context()
	a := c.node("a", 6700, 6701)
	id := c.submitWords("words", `{"topology.workers": 1}`)
	first := a.until("the topology", hasTopologies(1)).Topologies[0].AssignmentID
	overrides := `{"topology.workers": 2, "topology.debug": true, "topology.submitter.user": "eve", "storm.local.hostname": "x"}`
	must(t, c.client.Rebalance(ctx, "words", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(0)), NumWorkers: ref(int32(2)),
		NumExecutors: map[string]int32{"count": 1, "words": 5}, TopologyConfOverrides: &overrides,
		TopologyResourcesOverrides: map[string]map[string]float64{"count": {onHeap: 256}}}))
	plan := a.until("a new assignment", func(p *stormrpc.NodePlan) bool {
		return len(p.Topologies) == 1 && p.Topologies[0].AssignmentID != first && p.Topologies[0].Status == stormrpc.TopologyStatus_ACTIVE
	})
	// The tasks stay: one acker, four of count in one executor, two of words.
	if diff := cmp.Diff("a:6700=1-1 a:6701=2-5 a:6700=6-6 a:6701=7-7", placement(plan)); diff != "" {
		t.Errorf("placement (-want +got):\n%s", diff)
	}
	text, err := c.client.GetTopologyConf(ctx, id)
	must(t, err)
	got := mustJSON(t, text)
	if got["topology.debug"] != true || got["topology.workers"] != int64(2) || got["topology.submitter.user"] != "tester" || got["storm.local.hostname"] != nil || got["topology.acker.executors"] != int64(1) {
		t.Errorf("configuration after rebalance: debug %v, workers %v, user %v, hostname %v, ackers %v", got["topology.debug"], got["topology.workers"],
			got["topology.submitter.user"], got["storm.local.hostname"], got["topology.acker.executors"])
	}
	s, err := c.client.GetTopologySummary(ctx, id)
	must(t, err)
	if s.GetRequestedMemonheap() != 3*128+256 {
		t.Errorf("requested memory %v, want three executors of 128 and one of 256", s.GetRequestedMemonheap())
	}
	for name, o := range map[string]struct {
		options *stormrpc.RebalanceOptions
		want    string
	}{
		"unknown component":   {&stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"nobody": 1}}, "Invalid Invalid component nobody for topology words, valid values are count,words"},
		"no executors":        {&stormrpc.RebalanceOptions{NumExecutors: map[string]int32{"count": 0}}, "Invalid Number of executors must be greater than 0"},
		"no workers":          {&stormrpc.RebalanceOptions{NumWorkers: ref(int32(0))}, "Invalid Number of workers must be greater than 0"},
		"other tasks":         {&stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"topology.acker.executors": 3}`)}, "Invalid number tasks: "},
		"tasks by default":    {&stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"topology.tasks": 9}`)}, "Invalid topology.tasks cannot change"},
		"bad conf":            {&stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"topology.debug": 3}`)}, "Invalid Field TOPOLOGY_DEBUG must be of type class java.lang.Boolean"},
		"unknown key of ours": {&stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`{"gearstorm.transport.sm": false}`)}, "Invalid unknown key gearstorm.transport.sm: did you mean gearstorm.transport.shm?"},
		"unknown for memory":  {&stormrpc.RebalanceOptions{TopologyResourcesOverrides: map[string]map[string]float64{"nobody": {onHeap: 1}}}, "Invalid no component nobody"},
		"negative wait":       {&stormrpc.RebalanceOptions{WaitSecs: ref(int32(-1))}, "application 6"},
		"conf that is a list": {&stormrpc.RebalanceOptions{TopologyConfOverrides: ref(`[]`)}, "Invalid "},
	} {
		if got := answer(c.client.Rebalance(ctx, "words", o.options)); !strings.HasPrefix(got, o.want) {
			t.Errorf("%s:\n got %s\nwant %s", name, got, o.want)
		}
	}
	if s, err = c.client.GetTopologySummary(ctx, id); err != nil || s.Status != "ACTIVE" {
		t.Errorf("status after refused rebalances: %v, %v", s, err)
	}
	if got := answer(c.client.Rebalance(ctx, "nobody", &stormrpc.RebalanceOptions{})); got != "NotAlive nobody is not alive" {
		t.Errorf("rebalance of nothing: %s", got)
	}
}

// brokenFor is a store that refuses writes under a prefix while broken is set.
type brokenFor struct {
	cluster.Store
	prefix string
	broken atomic.Bool
}

func (s *brokenFor) Txn(ctx context.Context, e cluster.Epoch, ops ...cluster.Op) error {
	for _, op := range ops {
		if s.broken.Load() && strings.HasPrefix(op.Key, s.prefix) {
			return errors.New("disk full")
		}
	}
	return s.Store.Txn(ctx, e, ops...)
}

// A rebalance that is cut off between its record and its placement must be done again, not counted as done: nothing else
// brings a topology to fewer workers.
func TestRebalanceIsNotDoneBeforeItIsPlaced(t *testing.T) {
	clk := newClock()
	store := &brokenFor{Store: mem.New(), prefix: "assignments/"}
	defer store.Close()
	c := start(t, func(cfg *Config) { cfg.Store, cfg.Now = store, clk.Now })
	a := c.node("a", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 2}`)
	a.until("two workers", func(p *stormrpc.NodePlan) bool {
		return len(p.Topologies) == 1 && strings.Contains(placement(p), "6700") && strings.Contains(placement(p), "6701")
	})
	store.broken.Store(true)
	must(t, c.client.Rebalance(t.Context(), "words", &stormrpc.RebalanceOptions{WaitSecs: ref(int32(0)), NumWorkers: ref(int32(1))}))
	eventually(t, "the rebalance is tried", func() bool { top, _ := c.named("words"); return top.Workers == 1 })
	if top, _ := c.named("words"); top.Status != cluster.Rebalancing {
		t.Errorf("status %s before the topology is placed", top.Status)
	}
	store.broken.Store(false)
	eventually(t, "the rebalance is done", func() bool { // the failed try may arm its alarm after the clock was moved
		clk.advance(2 * retryAfter)
		must(t, c.ring(t.Context()))
		top, _ := c.named("words")
		return top.Status == cluster.Active
	})
	a.until("one worker", func(p *stormrpc.NodePlan) bool {
		return p.Topologies[0].Status == stormrpc.TopologyStatus_ACTIVE &&
			(strings.Contains(placement(p), "6700") != strings.Contains(placement(p), "6701"))
	})
}

func TestDeadWorkerIsReplaced(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a, b := c.node("a", 6700), c.node("b", 6700)
	c.submitWords("words", `{"topology.workers": 1}`)
	a.until("the topology", hasTopologies(1))
	a.works()
	first := a.plan.Topologies[0].AssignmentID
	step := func(d time.Duration) string {
		pass(clk, d, b)
		a.sync(0)
		must(t, c.round(t.Context(), true))
		if a.sync(0); a.has() {
			return a.plan.Topologies[0].AssignmentID
		}
		return "moved to b"
	}
	for range 5 {
		a.works()
		if got := step(20 * time.Second); got != first {
			t.Fatalf("a worker that reports every 20 s was replaced: %s", got)
		}
	}
	// Its supervisor goes on and complains, the worker is silent.
	a.report.Workers = []*stormrpc.WorkerReport{{TopologyID: a.plan.Topologies[0].TopologyID, Port: 6700, TimeMs: 1,
		Errors: []*stormrpc.WorkerError{{Component: "__system", Message: "worker died", TimeMs: 1}}}}
	if got := step(29 * time.Second); got != first {
		t.Fatalf("a worker was replaced before nimbus.task.timeout.secs: %s", got)
	}
	if got := step(3 * time.Second); got != "moved to b" {
		t.Fatalf("a worker silent for 32 s still runs on %s", got)
	}
	b.sync(0)
	// The new worker has nimbus.task.launch.secs to report.
	pass(clk, 119*time.Second, a, b)
	must(t, c.round(t.Context(), true))
	if b.sync(0); len(b.plan.Topologies) != 1 {
		t.Fatal("a worker was replaced while it still may come up")
	}
}

func TestDeadNodeIsReplacedAndForgotten(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700)
	c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	a.works()
	b := c.node("b", 6700)
	pass(clk, 61*time.Second, b)
	c.forgetSilentNodes()
	must(t, c.round(t.Context(), true))
	if b.sync(0); len(b.plan.Topologies) != 1 {
		t.Fatal("a silent node's topology did not move")
	}
	info, err := c.client.GetClusterInfo(t.Context())
	must(t, err)
	if len(info.Supervisors) != 1 || info.Supervisors[0].SupervisorID != "b" {
		t.Fatalf("supervisors %v", info.Supervisors)
	}
}

// TestClockOfEarlierMaster: a worker that was placed by a master whose clock was ahead is missed all the same.
func TestClockOfEarlierMaster(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	config := func(cfg *Config) {
		cfg.Store, cfg.BlobDir, cfg.Now = openEmbedded(t, dir), dir+"/blobs", clk.Now
	}
	clk.advance(10 * time.Minute)
	c := start(t, config)
	c.node("a", 6700)
	c.submitWords("words", "{}")
	c.stop()
	must(t, c.cfg.Store.Close())

	clk.advance(-10 * time.Minute)
	c = start(t, config)
	a, b := c.node("a", 6700), c.node("b", 6700)
	a.until("the topology", hasTopologies(1))
	a.works()
	a.report.Workers = nil
	pass(clk, 31*time.Second, a, b)
	must(t, c.round(t.Context(), true))
	b.until("the topology", hasTopologies(1))
}

// TestDeafMasterMovesNothing: a master that hears of no node for long was cut off itself, as far as it can know. When they
// are back, one after the other, everything still runs where it ran, and they get their time anew.
func TestDeafMasterMovesNothing(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a, b := c.node("a", 6700), c.node("b", 6700)
	c.submitWords("words", `{"topology.workers": 2}`)
	for _, n := range []*fakeNode{a, b} {
		n.until("the topology", hasTopologies(1))
		n.works()
	}
	first := a.plan.Topologies[0].AssignmentID
	still := func(when string) {
		t.Helper()
		c.forgetSilentNodes()
		must(t, c.round(t.Context(), true))
		id := a.plan.Topologies[0].TopologyID
		if top, ok := c.byID(id); !ok || top.assignment.ID != first {
			t.Fatalf("%s: the topology moved", when)
		}
	}
	clk.advance(5 * time.Minute)
	still("nobody is heard")
	a.sync(0)
	still("one node is back")
	pass(clk, 25*time.Second, a)
	still("the other has still time")
	b.sync(0)
	still("both are back")
	pass(clk, 61*time.Second, a)
	c.forgetSilentNodes()
	must(t, c.round(t.Context(), true))
	if a.sync(0); a.plan.Topologies[0].AssignmentID == first {
		t.Fatal("a node that went silent after that was not replaced")
	}
}

func TestRestartLeavesTopologiesWhereTheyRun(t *testing.T) {
	dir, clk := t.TempDir(), newClock()
	config := func(cfg *Config) {
		cfg.Store, cfg.BlobDir, cfg.Now = openEmbedded(t, dir), dir+"/blobs", clk.Now
	}
	c := start(t, config)
	a := c.node("a", 6700)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	a.works()
	old := a.plan
	c.stop()
	must(t, c.cfg.Store.Close())

	c = start(t, config)
	must(t, c.round(t.Context(), true))
	clk.advance(50 * time.Second)
	must(t, c.round(t.Context(), true)) // the node has not reported yet
	b := c.node("b", 6700)
	if len(b.plan.Topologies) != 0 {
		t.Fatal("a topology moved though its node had time to report")
	}
	again := &fakeNode{c: c, client: stormrpc.NewGearstormClient(c.dial()), plan: old, report: a.report}
	got := again.sync(0)
	if len(got.Topologies) != 1 || got.Epoch != 2 || got.PlanVersion <= old.PlanVersion {
		t.Fatalf("plan after the restart: %v", got)
	}
	was, is := old.Topologies[0], got.Topologies[0]
	if was.AssignmentID != is.AssignmentID || string(was.Secret) != string(is.Secret) || is.TopologyID != id {
		t.Fatalf("assignment %s, was %s", is.AssignmentID, was.AssignmentID)
	}
	if diff := cmp.Diff(was.TaskComponents, is.TaskComponents); diff != "" {
		t.Fatalf("tasks (-before +after):\n%s", diff)
	}
	again.works()
	must(t, c.client.KillTopologyWithOpts(t.Context(), "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
	again.until("nothing", hasTopologies(0))
}

func TestTimersAreArmedAgain(t *testing.T) {
	dir := t.TempDir()
	for _, status := range []cluster.Status{cluster.Killed, cluster.Rebalancing} {
		t.Run(string(status), func(t *testing.T) {
			clk := newClock()
			config := func(cfg *Config) {
				cfg.Store, cfg.BlobDir, cfg.Now = openEmbedded(t, dir), dir+"/blobs", clk.Now
			}
			c := start(t, config)
			ctx := t.Context()
			c.submitWords("words", "{}")
			wait := ref(int32(3600))
			if status == cluster.Killed {
				must(t, c.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: wait}))
			} else {
				must(t, c.client.Deactivate(ctx, "words"))
				must(t, c.client.Rebalance(ctx, "words", &stormrpc.RebalanceOptions{WaitSecs: wait, NumWorkers: ref(int32(3))}))
			}
			c.stop()
			must(t, c.cfg.Store.Close())

			c = start(t, config)
			s, err := c.client.GetTopologySummaryByName(ctx, "words")
			must(t, err)
			if s.Status != string(status) {
				t.Fatalf("status %s after the restart, want %s", s.Status, status)
			}
			clk.advance(3599 * time.Second)
			must(t, c.ring(ctx))
			if s, err = c.client.GetTopologySummaryByName(ctx, "words"); err != nil || s.Status != string(status) {
				t.Fatalf("before the wait is over: %v, %v", s, err)
			}
			clk.advance(2 * time.Second)
			must(t, c.ring(ctx))
			s, err = c.client.GetTopologySummaryByName(ctx, "words")
			if status == cluster.Killed {
				if answer(err) != "NotAlive words is not alive" {
					t.Fatalf("after the wait: %v, %v", s, err)
				}
				return
			}
			must(t, err)
			top, _ := c.named("words")
			if s.Status != "INACTIVE" || top.Workers != 3 {
				t.Fatalf("after the wait: status %s, %d workers", s.Status, top.Workers)
			}
			must(t, c.client.KillTopologyWithOpts(ctx, "words", &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
			eventually(t, "removal", func() bool { _, ok := c.named("words"); return !ok })
			c.stop()
			must(t, c.cfg.Store.Close())
		})
	}
}

func TestReportsAreBounded(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.MaxNodes = 1 })
	a := c.node("a", 6700)
	good := *a.report
	for name, spoil := range map[string]func(*stormrpc.NodeReport){
		"no id":         func(r *stormrpc.NodeReport) { r.NodeID = "" },
		"long id":       func(r *stormrpc.NodeReport) { r.NodeID = strings.Repeat("x", 300) },
		"no host":       func(r *stormrpc.NodeReport) { r.Hostname = "" },
		"port 0":        func(r *stormrpc.NodeReport) { r.Ports = []int32{0} },
		"port too high": func(r *stormrpc.NodeReport) { r.Ports = []int32{65536} },
		"many ports":    func(r *stormrpc.NodeReport) { r.Ports = make([]int32, maxPorts+1) },
		"second node":   func(r *stormrpc.NodeReport) { r.NodeID = "b" },
	} {
		r := good
		spoil(&r)
		_, err := a.client.SyncNode(t.Context(), &r, 0, 0)
		if got := answer(err); got != "application 6" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := a.client.SyncNode(t.Context(), &good, 0, 0); err != nil {
		t.Errorf("a good report afterwards: %v", err)
	}
}

// A report names components and executors; what the topology does not have there must not be kept, or a worker that makes
// names up fills the master's memory and store.
func TestReportsOfWhatIsNotThereAreDropped(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700)
	id := c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	a.works()
	w := a.report.Workers[0]
	stats := &stormrpc.ExecutorStats{Specific: &stormrpc.ExecutorSpecificStats{Bolt: stormrpc.NewBoltStats()}}
	var own []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]
	for _, e := range *a.plan.Topologies[0].Assignment.ExecutorNodePort {
		own = append(own, wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{
			Key: &stormrpc.ExecutorInfo{TaskStart: int32(e.Key[0]), TaskEnd: int32(e.Key[1])}, Value: stats,
		})
	}
	for i := range int32(3) {
		for _, name := range []string{"made-up-" + strconv.Itoa(int(i)), "count", "__system"} {
			w.Errors = append(w.Errors, &stormrpc.WorkerError{Component: name, Message: "oops", TimeMs: 1})
		}
		w.ExecutorStats = append(slices.Clone(own), wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{
			Key: &stormrpc.ExecutorInfo{TaskStart: 100 + i, TaskEnd: 100 + i}, Value: stats,
		})
		a.sync(0)
	}
	info, err := c.client.GetTopologyInfo(t.Context(), id)
	must(t, err)
	if len(info.Errors["count"]) != 1 {
		t.Errorf("%d errors of count, want 1", len(info.Errors["count"]))
	}
	c.errors.mu.Lock()
	defer c.errors.mu.Unlock()
	if len(c.errors.books) != 2 {
		t.Errorf("errors of %d components are kept, want those of count and __system", len(c.errors.books))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.workers {
		if len(w.stats) != len(own) {
			t.Errorf("statistics of %d executors are kept, want %d", len(w.stats), len(own))
		}
	}
}
