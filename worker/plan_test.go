package worker

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// at places executors [first last] on ports of node n1.
func at(port int64, spans ...[2]int64) []wire.MapEntry[[]int64, *stormrpc.NodeInfo] {
	var out []wire.MapEntry[[]int64, *stormrpc.NodeInfo]
	for _, s := range spans {
		out = append(out, wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: s[:], Value: &stormrpc.NodeInfo{Node: "n1", Port: []int64{port}}})
	}
	return out
}

func testTopologyPlan(places ...[]wire.MapEntry[[]int64, *stormrpc.NodeInfo]) *stormrpc.TopologyPlan {
	var all []wire.MapEntry[[]int64, *stormrpc.NodeInfo]
	for _, p := range places {
		all = append(all, p...)
	}
	return &stormrpc.TopologyPlan{
		TopologyID: "t-1-1", PlanVersion: 5, Epoch: 3, AssignmentID: "2-7", Status: stormrpc.TopologyStatus_ACTIVE, DagVersion: 1,
		Secret: make([]byte, 32), TaskComponents: map[int32]string{1: "__acker", 2: "count", 3: "count", 4: "words"},
		Assignment: &stormrpc.Assignment{NodeHost: &map[string]string{"n1": "host1"}, ExecutorNodePort: &all},
	}
}

func TestPlaceRefusesNonsense(t *testing.T) {
	for _, c := range []struct {
		name   string
		places []wire.MapEntry[[]int64, *stormrpc.NodeInfo]
		err    string
	}{
		{"fine", at(6700, [2]int64{1, 1}, [2]int64{2, 3}), ""},
		{"nothing", nil, ""},
		{"three numbers", []wire.MapEntry[[]int64, *stormrpc.NodeInfo]{{Key: []int64{1, 2, 3}, Value: &stormrpc.NodeInfo{Port: []int64{1}}}}, "executor [1 2 3]"},
		{"backwards", at(6700, [2]int64{3, 2}), "executor [3 2]"},
		{"task 0", at(6700, [2]int64{0, 1}), "executor [0 1]"},
		{"huge", at(6700, [2]int64{1, 1 << 40}), "executor [1 1099511627776]"},
		{"twice", at(6700, [2]int64{1, 2}, [2]int64{2, 3}), "task 2 is placed twice"},
		{"no slot", []wire.MapEntry[[]int64, *stormrpc.NodeInfo]{{Key: []int64{1, 1}}}, "has no slot"},
		{"bad port", at(70000, [2]int64{1, 1}), "has no slot"},
	} {
		_, err := place(testTopologyPlan(c.places))
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.err)
		}
	}
	if _, err := place(&stormrpc.TopologyPlan{}); err == nil {
		t.Error("a plan without an assignment is taken")
	}
}

func TestOnHost(t *testing.T) {
	p := placement{
		spans: map[span]slot{{1, 2}: {"n1", 6700}, {3, 3}: {"n1", 6701}, {4, 4}: {"n2", 6700}, {5, 5}: {"n3", 6700}, {6, 6}: {"n4", 6700}},
		hosts: map[string]string{"n1": "a", "n2": "a", "n3": "b"},
	}
	for _, c := range []struct {
		node string
		want []gearcore.TaskID
	}{{"n1", []gearcore.TaskID{1, 2, 3, 4}}, {"n3", []gearcore.TaskID{5}}, {"n4", []gearcore.TaskID{6}}} {
		if got := slices.Sorted(maps.Keys(p.onHost(slot{c.node, 6700}))); !slices.Equal(got, c.want) {
			t.Errorf("on the host of %s are %v, want %v", c.node, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	self := slot{"n1", 6700}
	before := func() *stormrpc.TopologyPlan {
		return testTopologyPlan(at(6700, [2]int64{1, 1}, [2]int64{4, 4}), at(6701, [2]int64{2, 3}))
	}
	for _, c := range []struct {
		name   string
		change func(*stormrpc.TopologyPlan)
		want   string // go on, known, leave, bad
	}{
		{"same", func(p *stormrpc.TopologyPlan) { p.PlanVersion = 5 }, "known"},
		{"older version", func(p *stormrpc.TopologyPlan) { p.PlanVersion = 4 }, "known"},
		{"older epoch, newer version", func(p *stormrpc.TopologyPlan) { p.Epoch, p.PlanVersion = 2, 99 }, "known"},
		{"newer version", func(*stormrpc.TopologyPlan) {}, "go on"},
		{"newer epoch, lower version", func(p *stormrpc.TopologyPlan) { p.Epoch, p.PlanVersion = 4, 1 }, "go on"},
		{"inactive", func(p *stormrpc.TopologyPlan) { p.Status = stormrpc.TopologyStatus_INACTIVE }, "go on"},
		{"peer moved", func(p *stormrpc.TopologyPlan) {
			e := append(at(6700, [2]int64{1, 1}, [2]int64{4, 4}), at(6702, [2]int64{2, 3})...)
			p.Assignment.ExecutorNodePort = &e
		}, "go on"},
		{"own executor gone", func(p *stormrpc.TopologyPlan) {
			e := append(at(6700, [2]int64{1, 1}), at(6701, [2]int64{2, 3}, [2]int64{4, 4})...)
			p.Assignment.ExecutorNodePort = &e
		}, "go on"},
		{"nothing here any more", func(p *stormrpc.TopologyPlan) {
			e := at(6701, [2]int64{1, 1}, [2]int64{2, 3}, [2]int64{4, 4})
			p.Assignment.ExecutorNodePort = &e
		}, "leave"},
		{"other DAG", func(p *stormrpc.TopologyPlan) { p.DagVersion = 2 }, "leave"},
		{"other configuration, for which the supervisor restarts it", func(p *stormrpc.TopologyPlan) { p.CodeVersion = 1 }, "go on"},
		{"other numbering", func(p *stormrpc.TopologyPlan) { p.TaskComponents[9] = "new" }, "leave"},
		{"other secret", func(p *stormrpc.TopologyPlan) { p.Secret = []byte("x") }, "leave"},
		{"other topology", func(p *stormrpc.TopologyPlan) { p.TopologyID = "u-1-1" }, "bad"},
		{"no assignment", func(p *stormrpc.TopologyPlan) { p.Assignment = nil }, "bad"},
	} {
		next := before()
		next.PlanVersion = 6
		c.change(next)
		_, known, err := judge(before(), next, self)
		got := "go on"
		switch {
		case errors.Is(err, errLeave):
			got = "leave"
		case err != nil:
			got = "bad"
		case known:
			got = "known"
		}
		if got != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, got, err, c.want)
		}
	}
}

func TestPeersAndTargets(t *testing.T) {
	in := func(from string, k dag.GroupingKind) []dag.Input {
		return []dag.Input{{Source: from, Stream: "default", Grouping: dag.Grouping{Kind: k}}}
	}
	out := []dag.Output{{Stream: "default", Fields: []string{"x"}}}
	plan, err := dag.Expand(&dag.Graph{Name: "t", Processors: []*dag.Processor{
		{Name: "__acker", Kind: dag.Acker, Tasks: 2, Executors: 2},                                          // 1, 2
		{Name: "count", Kind: dag.Bolt, Tasks: 2, Executors: 1, Inputs: in("split", dag.Global)},            // 3, 4
		{Name: "split", Kind: dag.Bolt, Tasks: 1, Executors: 1, Outputs: out, Inputs: in("words", dag.All)}, // 5
		{Name: "words", Kind: dag.Spout, Tasks: 2, Executors: 2, Outputs: out},                              // 6, 7
	}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := testTopologyPlan(at(6700, [2]int64{1, 1}, [2]int64{6, 6}), at(6701, [2]int64{2, 2}, [2]int64{3, 4}), at(6702, [2]int64{5, 5}, [2]int64{7, 7}))
	for i := int32(1); i <= 7; i++ {
		p.TaskComponents[i] = "x"
	}
	placed, err := place(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		port int
		want map[gearcore.TaskID]string
	}{
		{6700, map[gearcore.TaskID]string{5: "host1:6702"}}, // words and an acker
		{6701, map[gearcore.TaskID]string{}},                // an acker and count
		{6702, map[gearcore.TaskID]string{3: "host1:6701", 4: "host1:6701"}},
	} {
		self := slot{"n1", c.port}
		local, err := executors(plan, placed.of(self))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, placed.peers(self, targets(plan, local))); d != "" {
			t.Errorf("port %d (-want +got):\n%s", c.port, d)
		}
	}
	if _, err := executors(plan, []span{{2, 3}}); err == nil {
		t.Error("an executor over two components is taken")
	}
	if _, err := executors(plan, []span{{9, 9}}); err == nil {
		t.Error("an executor of no task is taken")
	}
}

func TestAssignmentEpoch(t *testing.T) {
	for _, c := range []struct {
		id    string
		epoch int64
		want  int64
	}{{"2-7", 3, 2}, {"3-1", 3, 3}, {"9-1", 3, 3}, {"odd", 3, 3}, {"x-1", 3, 3}} {
		if got := assignmentEpoch(&stormrpc.TopologyPlan{AssignmentID: c.id, Epoch: c.epoch}); got != c.want {
			t.Errorf("assignment %s of epoch %d: %d, want %d", c.id, c.epoch, got, c.want)
		}
	}
}
