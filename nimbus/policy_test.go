package nimbus

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	awareScheduler = "org.apache.storm.scheduler.resource.ResourceAwareScheduler"
	awareKeys      = `{"storm.scheduler": "` + awareScheduler + `"}`
)

func TestPolicyKeys(t *testing.T) {
	p, err := readPolicy(mergeConf(conf.Defaults(), `{"storm.scheduler": "`+awareScheduler+`", "storm.worker.min.cpu.pcore.percent": 20,
		"resource.aware.scheduler.max.topology.scheduling.attempts": 2, "isolation.scheduler.machines": {"t": 2},
		"multitenant.scheduler.user.pools": {"ann": 3}, "resource.aware.scheduler.user.pools": {"ann": {"cpu": 100, "memory": 2.5}},
		"resource.aware.scheduler.priority.strategy": "org.apache.storm.scheduler.resource.strategies.priority.FIFOSchedulingPriorityStrategy"}`))
	must(t, err)
	if !p.aware || !p.FIFO || p.MinWorkerCPU != 20 || p.Attempts != 2 || p.MaxStates != 100_000 || p.Machines["t"] != 2 || p.Tenants["ann"] != 3 {
		t.Errorf("policy %+v", p)
	}
	if diff := cmp.Diff(schedule.Guarantee{CPU: 100, Memory: 2.5}, p.Guarantees["ann"]); diff != "" {
		t.Error(diff)
	}
	for json, want := range map[string]string{
		`{"storm.scheduler": "com.example.Mine"}`:                                                          "storm.scheduler: scheduler com.example.Mine is not known here: want DefaultScheduler, ",
		`{"resource.aware.scheduler.priority.strategy": "com.example.Order"}`:                              "resource.aware.scheduler.priority.strategy com.example.Order is not known here",
		`{"storm.scheduler": "isolation", "isolation.scheduler.machines": {"t": "x"}}`:                     "isolation.scheduler.machines: ",
		`{"storm.scheduler": "multitenant", "multitenant.scheduler.user.pools": {"ann": -3}}`:              "multitenant.scheduler.user.pools: ann is -3",
		`{"storm.scheduler": "resource-aware", "resource.aware.scheduler.user.pools": {"a": {"cpu": []}}}`: "resource.aware.scheduler.user.pools of a: ",
	} {
		if _, err := readPolicy(mergeConf(conf.Defaults(), json)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", json, err, want)
		}
	}
}

func TestShape(t *testing.T) {
	code := words()
	code.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 4, "topology.component.cpu.pcore.percent": 40,
		"topology.component.resources.map": {"onheap.memory.mb": 300, "gpu": 1}}`)
	code.SharedMemory = map[string]*stormrpc.SharedMemory{"s": {Name: "s", OnHeap: ref(50.0), OffHeapNode: ref(70.0)}}
	code.ComponentToSharedMemory = map[string][]string{"count": {"s", "missing"}}
	c := mergeConf(conf.Defaults(), `{"topology.acker.resources.onheap.memory.mb": 32, "topology.component.resources.map": {"disk": 2},
		"topology.priority": 3, "topology.scheduler.favored.nodes": ["h1"], "topology.ras.one.executor.per.worker": true,
		"topology.ras.constraints": {"count": {"maxNodeCoLocationCnt": 2, "incompatibleComponents": "words"}}, "topology.acker.executors": 1}`)
	top, err := newTopology(topologyRecord(), c, code)
	must(t, err)
	s := top.shape
	byID := make(map[string]schedule.Component)
	for _, c := range s.Components {
		byID[c.ID] = c
	}
	disk := map[string]float64{"disk": 2}
	want := map[string]schedule.Component{
		"__acker": {ID: "__acker", Acker: true, Demand: schedule.Demand{CPU: 10, OnHeap: 32, Generic: disk}},
		"words":   {ID: "words", Demand: schedule.Demand{CPU: 10, OnHeap: 128, Generic: disk}, To: []string{"count"}},
		"count": {ID: "count", Demand: schedule.Demand{CPU: 40, OnHeap: 300, Generic: map[string]float64{"gpu": 1, "disk": 2}},
			Shared: []schedule.Shared{{Name: "s", OnHeap: 50, OffHeapNode: 70}}, MaxPerNode: 2, Apart: []string{"words"}},
	}
	for id, w := range want {
		if diff := cmp.Diff(w, byID[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if s.Priority != 3 || !s.OneExecutor || s.MaxHeap != 768 || s.AckersPerWorker != 1 || len(s.Favored) != 1 || len(s.Of) != 6 {
		t.Errorf("topology %+v", s)
	}
	requested, _ := top.demand()
	if requested[onHeap] != 32+2*128+3*300+50 || requested[sharedOffHeap] != 70 || requested["gpu"] != 3 {
		t.Errorf("requested %v", requested)
	}
}

func TestOldConstraints(t *testing.T) {
	all := []schedule.Component{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	must(t, constrain(all, mergeConf(conf.Conf{}, `{"topology.ras.constraints": [["a", "b"], ["a", "c"], ["x", "y"]], "topology.spread.components": ["b", "x"]}`)))
	want := []schedule.Component{{ID: "a", Apart: []string{"b", "c"}}, {ID: "b", MaxPerNode: 1}, {ID: "c"}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResourceAwareCluster(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Conf = mergeConf(cfg.Conf, awareKeys) })
	ctx := t.Context()
	a, b := c.node("a", 6700, 6701), c.node("b", 6700, 6701)
	for _, n := range []*fakeNode{a, b} {
		n.report.Resources = map[string]float64{cpuPercent: 40, "memory.mb": 4096}
		n.report.SchedulerMeta = map[string]string{"rack": "r-" + n.report.NodeID}
		n.sync(0)
	}
	c.submitWords("words", `{"topology.workers": 4, "topology.acker.executors": 1}`) // six executors of 10 points
	eventually(t, "placement", func() bool { top, _ := c.named("words"); return len(top.assignment.Executors) == 6 })
	s, err := c.client.GetTopologySummaryByName(ctx, "words")
	must(t, err)
	if !strings.HasPrefix(s.GetSchedStatus(), "Running - Fully Scheduled by DefaultResourceAwareStrategy (") || s.NumWorkers != 2 || s.GetAssignedCPU() != 60 {
		t.Errorf("status %q, %d workers, %v points", s.GetSchedStatus(), s.NumWorkers, s.GetAssignedCPU())
	}
	must(t, c.round(ctx, true))
	if again, err := c.client.GetTopologySummaryByName(ctx, "words"); err != nil || again.GetSchedStatus() != s.GetSchedStatus() {
		t.Errorf("status became %q, %v", again.GetSchedStatus(), err)
	}
	info, err := c.client.GetClusterInfo(ctx)
	must(t, err)
	if got := info.Supervisors[0]; got.GetUsedCPU() != 40 || got.GetUsedMem() != 4*128 || got.GetFragmentedCPU() != 0 {
		t.Errorf("first supervisor %v", got)
	}
	c.submitWords("more", "{}")
	eventually(t, "a reason", func() bool {
		s, err := c.client.GetTopologySummaryByName(ctx, "more")
		return err == nil && strings.HasPrefix(s.GetSchedStatus(), "Not enough resources to schedule after evicting lower priority topologies.")
	})
	got := answer(c.client.SubmitTopology(ctx, "mine", c.upload(jar(t, "resources/script.py")), `{"topology.scheduler.strategy": "com.example.Mine"}`, words()))
	if want := "Invalid topology.scheduler.strategy: strategy com.example.Mine is not known here: want ConstraintSolverStrategy, "; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A topology that has to give way in the round of its new version leaves its slots to the other one.
func TestEvictedByItsChange(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now, cfg.Conf = clk.Now, mergeConf(cfg.Conf, awareKeys) })
	a := c.node("a", 6700)
	a.report.Resources = map[string]float64{cpuPercent: 60, "memory.mb": 4096}
	a.sync(0)
	const keys = `{"topology.workers": 1, "topology.acker.executors": 1, "topology.priority": ` // six executors of 10 points
	c.submitWords("words", keys+"20}")
	a.until("the topology", hasTopologies(1))
	a.works()
	c.submitWords("urgent", keys+"0}")
	eventually(t, "nobody has to give way while nodes may be missing", func() bool {
		s, err := c.client.GetTopologySummaryByName(t.Context(), "urgent")
		return err == nil && strings.HasPrefix(s.GetSchedStatus(), "Not enough resources to schedule")
	})
	pass(clk, 70*time.Second, a)
	c.applyWords(keys+"20}", wordsWith(func(t *stormrpc.StormTopology) {
		t.Bolts["count"].Common.JSONConf = ref(`{"topology.tasks": 4, "gearstorm.component.version": "2"}`)
	}), nil)
	used := make(map[schedule.Slot]string)
	for _, top := range c.all() {
		for slot := range top.slots() {
			if by := used[slot]; by != "" {
				t.Errorf("slot %v is given to %s and to %s", slot, by, top.Name)
			}
			used[slot] = top.Name
		}
	}
}

// A change keeps the number of ackers unless it says how many there are to be, in all or by worker.
func TestChangesKeepAckers(t *testing.T) {
	base := &topology{conf: conf.Conf{ackersKey: int64(1), ackersPerWorkerKey: int64(1)}}
	for _, c := range []struct {
		submitted conf.Conf
		want      int64
	}{{conf.Conf{}, 1}, {conf.Conf{ackersKey: int64(3)}, 3}, {conf.Conf{ackersPerWorkerKey: int64(3)}, 3}} {
		if n := ackersOf(keepAckers(base, c.submitted, conf.Conf{ackersKey: int64(3)})); n != c.want {
			t.Errorf("%v: %d ackers, want %d", c.submitted, n, c.want)
		}
	}
}

func TestAckersUnderResourceAware(t *testing.T) {
	aware, even := policy{aware: true}, policy{}
	for json, want := range map[string][2]int64{ // five executors of 128 MB
		`{}`: {1, 1},
		`{"topology.worker.max.heap.size.mb": 256}`:                                                         {3, 1},
		`{"topology.worker.max.heap.size.mb": 256, "topology.ras.acker.executors.per.worker": 2}`:           {6, 2},
		`{"topology.worker.max.heap.size.mb": 256, "topology.acker.executors": 4}`:                          {4, 2},
		`{"topology.acker.executors": 0}`:                                                                   {0, 0},
		`{"topology.component.resources.onheap.memory.mb": 768.0, "topology.worker.max.heap.size.mb": 768}`: {5, 1},
	} {
		got, err := aware.withAckers(conf.Defaults(), mustJSON(t, json), words())
		must(t, err)
		if n, each := got["topology.acker.executors"], got["topology.ras.acker.executors.per.worker"]; n != want[0] || each != want[1] {
			t.Errorf("%s: %v ackers, %v a worker; want %v", json, n, each, want)
		}
		if got, err := even.withAckers(conf.Defaults(), conf.Conf{}, words()); err != nil || len(got) != 0 {
			t.Errorf("under the default scheduler: %v, %v", got, err)
		}
	}
}

func TestWorkerResourcesAreTold(t *testing.T) {
	c := start(t, nil)
	a := c.node("a", 6700, 6701)
	c.submitWords("words", `{"topology.workers": 2, "topology.component.resources.offheap.memory.mb": 16, "topology.scheduler.strategy": "com.example.Mine"}`)
	plan := a.until("the topology", hasTopologies(1))
	cpu, on, off := 0.0, 0.0, 0.0
	for _, w := range *plan.Topologies[0].Assignment.WorkerResources {
		cpu, on, off = cpu+w.Value.GetCPU(), on+w.Value.GetMemOnHeap(), off+w.Value.GetMemOffHeap()
	}
	if n := len(*plan.Topologies[0].Assignment.WorkerResources); n != 2 || cpu != 70 || on != 7*128 || off != 7*16 {
		t.Errorf("%d workers of %v points, %v and %v MB", n, cpu, on, off)
	}
}

// A node on which workers are lost again and again is avoided until it had time to recover.
func TestBadNodeIsAvoided(t *testing.T) {
	clk := newClock()
	c := start(t, func(cfg *Config) { cfg.Now = clk.Now })
	a := c.node("a", 6700, 6701, 6702)
	c.submitWords("words", "{}")
	a.until("the topology", hasTopologies(1))
	for range 3 {
		a.works()
		a.report.Workers = nil
		pass(clk, 40*time.Second, a) // its worker is silent
		must(t, c.round(t.Context(), true))
		a.sync(0)
	}
	info, err := c.client.GetClusterInfo(t.Context())
	must(t, err)
	if !info.Supervisors[0].GetBlacklisted() {
		t.Fatal("a node with three lost workers is not avoided")
	}
	b := c.node("b", 6700)
	b.sync(0)
	c.submitWords("second", "{}")
	b.until("the second topology", hasTopologies(1))
	clk.advance(1801 * time.Second)
	a.sync(0)
	if c.avoids("a") {
		t.Error("a node is avoided for longer than blacklist.scheduler.resume.time.secs")
	}
}

func topologyRecord() cluster.Topology {
	return cluster.Topology{ID: "t-1-1", Name: "t", Owner: "tester", Workers: 1}
}
