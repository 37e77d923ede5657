package supervisor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

func nodePlan(epoch, version int64, topologies ...*stormrpc.TopologyPlan) *stormrpc.NodePlan {
	return &stormrpc.NodePlan{Epoch: epoch, PlanVersion: version, Topologies: topologies}
}

func TestPlanFence(t *testing.T) {
	good := func() *stormrpc.TopologyPlan { return planOf("a-1-1", 5, "n", 1) }
	cases := []struct {
		name  string
		next  *stormrpc.NodePlan
		isNew bool
		stale bool
		bad   bool
	}{
		{name: "the same", next: nodePlan(5, 10)},
		{name: "newer version", next: nodePlan(5, 11), isNew: true},
		{name: "older version", next: nodePlan(5, 9), stale: true},
		{name: "newer leader, smaller version", next: nodePlan(6, 1), isNew: true},
		{name: "newer leader, same version", next: nodePlan(6, 10), isNew: true},
		{name: "older leader, larger version", next: nodePlan(4, 99), stale: true},
		{name: "none", next: nil, bad: true},
		{name: "nil topology", next: nodePlan(5, 11, nil), bad: true},
		{name: "topology twice", next: nodePlan(5, 11, good(), good()), bad: true},
		{name: "no id", next: nodePlan(5, 11, planOf("", 5, "n", 1)), bad: true},
		{name: "no assignment", next: nodePlan(5, 11, &stormrpc.TopologyPlan{TopologyID: "a"}), bad: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := newPlans("n")
			if isNew, err := p.check(nodePlan(5, 10, good())); !isNew || err != nil {
				t.Fatal(isNew, err)
			}
			p.accept(nodePlan(5, 10, good()), []int{1})
			isNew, err := p.check(c.next)
			if isNew != c.isNew || errors.Is(err, errStale) != c.stale || (err != nil) != (c.stale || c.bad) {
				t.Errorf("new %v, %v", isNew, err)
			}
		})
	}
}

func TestFirstPlanMayBeOfEpochZero(t *testing.T) {
	if isNew, err := newPlans("n").check(nodePlan(0, 0)); !isNew || err != nil {
		t.Errorf("new %v, %v", isNew, err)
	}
}

func TestPlanSlots(t *testing.T) {
	p := newPlans("n")
	if _, known := p.slot(1); known {
		t.Error("a plan is known before the first")
	}
	changed := p.next()
	a, elsewhere := planOf("a-1-1", 5, "n", 1, 2, 2), planOf("z-9-9", 5, "other", 3)
	*a.Assignment.ExecutorNodePort = append(*a.Assignment.ExecutorNodePort,
		wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: []int64{9, 9}}, // no place
		wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: []int64{8, 8}, Value: &stormrpc.NodeInfo{Node: "n"}})
	bare := &stormrpc.TopologyPlan{TopologyID: "bare", Assignment: &stormrpc.Assignment{}}
	if c := p.accept(nodePlan(5, 1, a, elsewhere, bare), []int{1, 2, 3}); len(c) != 0 {
		t.Errorf("complaints %v", c)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody is woken")
	}
	if diff := cmp.Diff(map[int]string{1: "a-1-1", 2: "a-1-1"}, p.bySlot); diff != "" {
		t.Error(diff)
	}
	// Another topology claims a slot: the one that has it keeps it, wherever it stands in the plan.
	b := planOf("0-first", 5, "n", 2, 3, 4)
	want := []complain{{"0-first", "slot 2 is given to a-1-1 as well"}, {"0-first", "node n has no slot 4"}}
	for version, order := range [][]*stormrpc.TopologyPlan{{a, b}, {b, a}} {
		got := p.accept(nodePlan(5, int64(version+2), order...), []int{1, 2, 3})
		slices.SortFunc(got, func(a, b complain) int { return -strings.Compare(a.Text, b.Text) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[int]string{1: "a-1-1", 2: "a-1-1", 3: "0-first"}, p.bySlot); diff != "" {
			t.Error(diff)
		}
	}
}

func TestPlanOfATopologyDoesNotGoBack(t *testing.T) {
	p := newPlans("n")
	p.accept(nodePlan(5, 1, planOf("a-1-1", 5, "n", 1)), []int{1})
	complaints := p.accept(nodePlan(6, 1, planOf("a-1-1", 4, "n", 1)), []int{1})
	if diff := cmp.Diff([]complain{{"a-1-1", "plan of epoch 4 is refused, newest is 5"}}, complaints); diff != "" {
		t.Error(diff)
	}
	if got, _ := p.topology("a-1-1"); got.Epoch != 5 {
		t.Errorf("epoch %d", got.Epoch)
	}
}

// The plan may have lost a topology by the time somebody asks for the version of its code.
func TestCodeVersionOfWhatIsNotPlanned(t *testing.T) {
	if v := newPlans("n").code("gone-1-1"); v.Number != 0 {
		t.Errorf("version %v", v)
	}
}
