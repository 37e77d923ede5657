package schedule

import (
	"fmt"
	"strings"
	"testing"
)

// TestExecutorOrder has a chain of components a -> b -> c and an acker, and shows in which order their executors are placed.
func TestExecutorOrder(t *testing.T) {
	for name, c := range map[string]struct {
		executors []int // of a, b, c and the acker
		proximity bool
		want      string
	}{
		// b has most connections; with each of its executors goes one of a and c.
		"the busiest component first": {[]int{2, 2, 1, 1}, false, "b1 a1 c1 b2 a2 ack1"},
		"the way of tuples":           {[]int{2, 2, 1, 1}, true, "a1 b1 a2 b2 c1 ack1"},
		"what is left over":           {[]int{1, 1, 4, 0}, false, "b1 c1 a1 c2 c3 c4"},
	} {
		t.Run(name, func(t *testing.T) {
			top := Topology{ID: "t", Proximity: c.proximity, Components: []Component{{ID: "a", To: []string{"b"}}, {ID: "b", To: []string{"c"}}, {ID: "c"}, {ID: "ack", Acker: true}}}
			top = parts(top, c.executors...)
			b := newBoard(Policy{}, nil, []Topology{top})
			seen := make(map[int]int)
			var got []string
			for _, e := range b.jobs[0].unplaced() {
				of := top.Of[e]
				seen[of]++
				got = append(got, fmt.Sprint(top.Components[of].ID, seen[of]))
			}
			if order := strings.Join(got, " "); order != c.want {
				t.Errorf("got %s, want %s", order, c.want)
			}
		})
	}
}

// A cycle of components has an order too.
func TestFlowOfACycle(t *testing.T) {
	top := parts(Topology{ID: "t", Proximity: true, Components: []Component{{ID: "a", To: []string{"b"}}, {ID: "b", To: []string{"a", "b"}}}}, 1, 1)
	if got := len(newBoard(Policy{}, nil, []Topology{top}).jobs[0].unplaced()); got != 2 {
		t.Errorf("%d executors in order, want 2", got)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "even", "resource-aware", "isolation", "multitenant", "DefaultScheduler",
		"org.apache.storm.scheduler.DefaultScheduler", "org.apache.storm.scheduler.EvenScheduler", "org.apache.storm.scheduler.IsolationScheduler",
		"org.apache.storm.scheduler.multitenant.MultitenantScheduler", "org.apache.storm.scheduler.resource.ResourceAwareScheduler"} {
		if s, err := FindScheduler(name); err != nil || s == nil {
			t.Errorf("scheduler %q: %v", name, err)
		}
	}
	for _, name := range []string{"", "default", "generic", "round-robin", "constraint-solver", "DefaultResourceAwareStrategy", "DefaultResourceAwareStrategyOld",
		"GenericResourceAwareStrategy", "GenericResourceAwareStrategyOld", "RoundRobinResourceAwareStrategy", "ConstraintSolverStrategy"} {
		full := name
		if strings.HasSuffix(name, "Strategy") || strings.HasSuffix(name, "Old") {
			full = "org.apache.storm.scheduler.resource.strategies.scheduling." + name
		}
		if s, err := FindStrategy(full); err != nil || s == nil {
			t.Errorf("strategy %q: %v", full, err)
		}
	}
	_, err := FindScheduler("com.example.DefaultScheduler")
	if want := "scheduler com.example.DefaultScheduler is not known here: want DefaultScheduler, EvenScheduler, IsolationScheduler, MultitenantScheduler, " +
		"ResourceAwareScheduler, even, isolation, multitenant, resource-aware; schedulers written in Java cannot run"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
