package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// room gives nodes CPU points and MB.
func room(all []Node, cpu, mb float64) []Node {
	for i := range all {
		all[i].CPU, all[i].Memory = cpu, mb
	}
	return all
}

// asking makes a topology whose only component asks for that much.
func asking(id string, n int, cpu, heap float64) Topology {
	t := topology(id, 1, n)
	t.Components[0].Demand = Demand{CPU: cpu, OnHeap: heap}
	t.MaxHeap = 768
	return t
}

func aware(all []Node, tops ...Topology) Result {
	return Run(Policy{Scheduler: Aware}, all, tops)
}

func TestAware(t *testing.T) {
	generic := func(all []Node, name string, amounts ...float64) []Node {
		for i, v := range amounts {
			all[i].Generic = map[string]float64{name: v}
		}
		return all
	}
	racks := func(all []Node, names ...string) []Node {
		for i, r := range names {
			all[i].Rack = r
		}
		return all
	}
	for name, c := range map[string]struct {
		nodes  []Node
		top    Topology
		change func(*Topology)
		want   string
	}{
		"a worker is filled up to its heap": {room(nodes("a:1,2 b:1,2"), 400, 4096), asking("t", 8, 10, 128), nil,
			"a:1=1,2,3,4,5,6 a:2=7,8"},
		"a node is filled up to its CPU": {room(nodes("a:1,2 b:1,2"), 100, 4096), asking("t", 3, 50, 1), nil,
			"a:1=1,2 b:1=3"},
		"a node is filled up to its memory": {room(nodes("a:1,2 b:1,2"), 400, 256), asking("t", 3, 1, 128), nil,
			"a:1=1,2 b:1=3"},
		"round robin goes over all nodes": {room(nodes("a:1,2 b:1,2"), 400, 4096), asking("t", 4, 10, 128),
			func(t *Topology) { t.Strategy = "round-robin" }, "a:1=1,3 b:1=2,4"},
		"round robin on one machine": {room(nodes("a:1,2 b:1,2"), 400, 4096), asking("t", 4, 10, 128),
			func(t *Topology) { t.Strategy, t.Machines = "round-robin", 1 }, "a:1=1,2,3,4"},
		"one executor a worker": {room(nodes("a:1,2 b:1,2"), 400, 4096), asking("t", 3, 10, 128),
			func(t *Topology) { t.OneExecutor = true }, "a:1=1 a:2=2 b:1=3"},
		"one component a worker": {room(nodes("a:1,2 b:1,2"), 400, 4096), parts(asking("t", 2, 10, 128), 0, 2),
			func(t *Topology) { t.OneComponent = true }, "a:1=1,2 a:2=3,4"},
		"favored and unfavored": {room(nodes("a:1 b:1 c:1"), 10, 4096), asking("t", 2, 10, 128),
			func(t *Topology) { t.Favored, t.Unfavored = []string{"c"}, []string{"a"} }, "b:1=2 c:1=1"},
		"avoided nodes come last": {func() []Node { n := room(nodes("a:1 b:1"), 10, 4096); n[0].Avoid = true; return n }(),
			asking("t", 2, 10, 128), nil, "a:1=2 b:1=1"},
		"a rack before others": {racks(room(nodes("a:1 b:1 c:1 d:1"), 10, 4096), "x", "y", "y", "x"), asking("t", 2, 10, 128), nil,
			"a:1=1 d:1=2"},
		"the emptier node": {func() []Node { n := room(nodes("a:1 b:1"), 100, 4096); n[1].CPU = 400; n[0].Memory = 200; return n }(),
			asking("t", 1, 50, 128), nil, "a:1=1"},
		"generic resources are kept": {generic(room(nodes("a:1 b:1"), 400, 4096), "gpu", 1, 2), asking("t", 3, 10, 128),
			func(t *Topology) { t.Components[0].Generic = map[string]float64{"gpu": 1} }, "a:1=1 b:1=2,3"},
		"memory shared in a worker counts once": {room(nodes("a:1 b:1"), 400, 512), asking("t", 3, 10, 64),
			func(t *Topology) { t.Components[0].Shared = []Shared{{Name: "s", OnHeap: 300}} }, "a:1=1,2,3"},
		"memory shared on a node counts once": {room(nodes("a:1,2 b:1"), 400, 512), asking("t", 3, 10, 64),
			func(t *Topology) {
				t.Components[0].Shared, t.OneExecutor = []Shared{{Name: "s", OffHeapNode: 300}}, true
			}, "a:1=1 a:2=2 b:1=3"},
		"ackers go along with new workers": {room(nodes("a:1 b:1"), 100, 4096), parts(asking("t", 4, 50, 128), 0, 2),
			func(t *Topology) { t.Components[1].Acker, t.AckersPerWorker = true, 1 }, "a:1=1,2,5 b:1=3,4,6"},
		"a suspect slot comes last": {room(nodes("a:1?,2"), 400, 4096), asking("t", 1, 10, 128), nil, "a:2=1"},
		"a suspect slot of the best node too": {func() []Node { n := room(nodes("a:1? b:1"), 400, 4096); n[0].CPU = 800; n[1].CPU = 100; return n }(),
			asking("t", 1, 10, 128), nil, "b:1=1"},
		"where its tasks were": {room(nodes("a:1 b:1"), 400, 4096), asking("t", 2, 10, 128),
			func(t *Topology) { t.Near = []Slot{{}, {"b", 1}} }, "a:1=1 b:1=2"},
		"round robin, spread anew": {room(nodes("a:1,2 b:1 c:1"), 100, 4096), asking("t", 3, 40, 128),
			func(t *Topology) {
				t.Strategy, t.Wish, t.OneExecutor = "round-robin", Spread, true
				t.Current = []Slot{{"a", 1}, {"a", 2}, {"b", 1}}
			}, "a:2=2 b:1=3 c:1=1"},
		"round robin, spread as far as it fits": {func() []Node { n := room(nodes("a:1,2 b:1 c:1"), 100, 4096); n[2].CPU = 30; return n }(), asking("t", 3, 40, 128),
			func(t *Topology) {
				t.Strategy, t.Wish, t.OneExecutor = "round-robin", Spread, true
				t.Current = []Slot{{"a", 1}, {"a", 2}, {"b", 1}}
			}, "a:1=1 a:2=2 b:1=3"},
		"no room": {room(nodes("a:1"), 15, 4096), asking("t", 2, 10, 128), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.top)
			}
			r := aware(c.nodes, c.top)
			if got := show(r.Placed["t"]); got != c.want {
				t.Fatalf("got  %s\nwant %s\n%s", got, c.want, r.Status["t"])
			}
		})
	}
}

func TestAwareStatus(t *testing.T) {
	for name, c := range map[string]struct {
		top            Topology
		policy         Policy
		strategy, want string
	}{
		"placed":                 {asking("t", 2, 10, 128), Policy{}, "", "Running - Fully Scheduled by DefaultResourceAwareStrategy (2 states traversed, 1 workers on 1 nodes)"},
		"too much CPU":           {asking("t", 2, 100, 128), Policy{}, "", "Not enough resources to schedule after evicting lower priority topologies. Additional Memory Required: 256.0 MB (Available: 1000.0 MB). Additional CPU Required: 200.0% CPU (Available: 100.0% CPU). Cannot schedule by DefaultResourceAwareStrategy"},
		"too large for a worker": {asking("t", 1, 10, 800), Policy{}, "", "Not enough resources to schedule after evicting lower priority topologies. Additional Memory Required: 800.0 MB (Available: 1000.0 MB). Additional CPU Required: 10.0% CPU (Available: 100.0% CPU). Cannot schedule by DefaultResourceAwareStrategy: no worker has room for an executor of component c0, which asks for 10.0% CPU, 800.0 MB on-heap, 0.0 MB off-heap"},
		"not allowed":            {asking("t", 1, 10, 128), Policy{Allowed: []string{"a.B"}}, "c.D", "Unsuccessful in scheduling - c.D is not an allowed strategy. Please make sure your topology.scheduler.strategy config is one of the allowed strategies: [a.B]"},
		"not known":              {asking("t", 1, 10, 128), Policy{}, "com.example.Mine", "strategy com.example.Mine is not known here: want ConstraintSolverStrategy, DefaultResourceAwareStrategy, DefaultResourceAwareStrategyOld, GenericResourceAwareStrategy, GenericResourceAwareStrategyOld, RoundRobinResourceAwareStrategy; strategies written in Java cannot run"},
	} {
		t.Run(name, func(t *testing.T) {
			c.policy.Scheduler, c.top.Strategy = Aware, c.strategy
			r := Run(c.policy, room(nodes("a:1"), 100, 1000), []Topology{c.top})
			if diff := cmp.Diff(c.want, r.Status["t"]); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConstraintSolver(t *testing.T) {
	for name, c := range map[string]struct {
		nodes  string
		change func(*Topology)
		want   string
	}{
		"not in one worker":     {"a:1,2", func(t *Topology) { t.Components[0].Apart = []string{"c1"} }, "a:1=1,2 a:2=3,4"},
		"at most one on a node": {"a:1 b:1 c:1", func(t *Topology) { t.Components[0].MaxPerNode = 1 }, "a:1=1,3,4 b:1=2"},
		"goes back on a choice": {"a:1 b:1", func(t *Topology) {
			t.Components[0].MaxPerNode, t.Components[1].MaxPerNode = 1, 1
			t.Components[0].Apart = nil
		}, "a:1=1,3 b:1=2,4"},
		"cannot be": {"a:1", func(t *Topology) { t.Components[0].Apart = []string{"c1"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			top := parts(asking("t", 2, 10, 64), 0, 2)
			top.Components[1].Demand = top.Components[0].Demand
			top.Strategy = stormPrefix + "resource.strategies.scheduling.ConstraintSolverStrategy"
			c.change(&top)
			r := aware(room(nodes(c.nodes), 400, 4096), top)
			if got := show(r.Placed["t"]); got != c.want {
				t.Fatalf("got  %s\nwant %s\n%s", got, c.want, r.Status["t"])
			}
		})
	}
}

// A search without a solution ends at its bound and says so.
func TestSearchIsBounded(t *testing.T) {
	top := parts(asking("t", 9, 1, 1), 0, 9)
	top.Strategy, top.MaxStates = "constraint-solver", 500
	top.Components[0].Apart = []string{"c1"}
	top.Components[0].MaxPerNode, top.Components[1].MaxPerNode = 3, 2
	r := aware(room(nodes("a:1,2 b:1,2 c:1,2 d:1,2"), 400, 4096), top)
	if got := r.Status["t"]; show(r.Placed["t"]) != "" || !strings.Contains(got, "topology.ras.constraint.max.state.search") {
		t.Fatalf("status %s", got)
	}
}

func TestEviction(t *testing.T) {
	low, high := asking("low", 2, 50, 128), asking("high", 2, 50, 128)
	low.Priority, high.Priority = 20, 10
	all := room(nodes("a:1,2"), 100, 4096)
	low.Current = at(low, "a:1=1,2")
	r := aware(all, low, high)
	if show(r.Placed["high"]) != "a:1=1,2" || show(r.Placed["low"]) != "" || !slices.Equal(r.Evicted, []string{"low"}) {
		t.Fatalf("high %s, low %s, evicted %v", show(r.Placed["high"]), show(r.Placed["low"]), r.Evicted)
	}
	if got := r.Status["low"]; !strings.HasPrefix(got, "Not enough resources to schedule after evicting lower priority topologies.") {
		t.Errorf("status of the evicted one: %s", got)
	}
	// The other way round nothing moves, and what cannot be placed at all evicts nobody for good.
	high.Current, low.Current = at(high, "a:1=1,2"), nil
	if r := aware(all, low, high); show(r.Placed["high"]) != "a:1=1,2" || len(r.Evicted) != 0 {
		t.Errorf("high %s, evicted %v", show(r.Placed["high"]), r.Evicted)
	}
	low.Current, high = at(low, "a:1=1,2"), asking("high", 1, 500, 128)
	if r := aware(all, low, high); show(r.Placed["low"]) != "a:1=1,2" || len(r.Evicted) != 0 {
		t.Errorf("low %s, evicted %v", show(r.Placed["low"]), r.Evicted)
	}
	low.Fixed, high = true, asking("high", 2, 50, 128)
	if r := aware(all, low, high); show(r.Placed["low"]) != "a:1=1,2" || show(r.Placed["high"]) != "" {
		t.Errorf("a fixed topology: %s, the other one %s", show(r.Placed["low"]), show(r.Placed["high"]))
	}
}

func TestPriorities(t *testing.T) {
	of := func(id, owner string, priority int, uptime int, cpu float64) Topology {
		top := asking(id, 1, cpu, 10)
		top.Owner, top.Priority, top.Uptime = owner, priority, time.Duration(uptime)*time.Second
		return top
	}
	tops := []Topology{of("a1", "ann", 20, 1, 100), of("a2", "ann", 10, 1, 100), of("a3", "ann", 10, 5, 100), of("b1", "bob", 29, 1, 50)}
	order := func(p Policy) string {
		b := newBoard(p, room(nodes("a:1"), 1000, 1000), tops)
		var out []string
		for _, j := range b.priorities() {
			out = append(out, j.ID)
		}
		return strings.Join(out, " ")
	}
	for name, c := range map[string]struct {
		p    Policy
		want string
	}{
		"the smaller user first, then by priority and age": {Policy{}, "b1 a3 a2 a1"},
		"within the guarantee first":                       {Policy{Guarantees: map[string]Guarantee{"ann": {CPU: 200, Memory: 200}}}, "a3 a2 b1 a1"},
		"fifo keeps the newest":                            {Policy{FIFO: true}, "b1 a3 a2 a1"},
	} {
		if got := order(c.p); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestLeastOfAWorker(t *testing.T) {
	top := asking("t", 2, 10, 128)
	top.OneExecutor = true
	p := Policy{Scheduler: Aware, MinWorkerCPU: 50}
	r := Run(p, room(nodes("a:1,2,3 b:1"), 60, 4096), []Topology{top})
	if got := show(r.Placed["t"]); got != "a:1=1 b:1=2" {
		t.Fatalf("workers that count for 50 points on nodes of 60: %s", got)
	}
	workers, _ := Workers(p, top, r.Placed["t"])
	if got := workers[Slot{"a", 1}].CPU; got != 50 {
		t.Errorf("a worker has %v points", got)
	}
}

func TestRebalanceUnderAware(t *testing.T) {
	top := asking("t", 4, 25, 64)
	top.Current, top.Wish = at(top, "a:1=1,2,3,4"), Spread
	all := room(nodes("a:1,2 b:1"), 100, 4096)
	if got := show(aware(all, top).Placed["t"]); got != "a:1=1,2,3,4" {
		t.Errorf("nothing had to move: %s", got)
	}
	top.Components[0].CPU = 50 // the demand grew: half of them has to go
	if got := show(aware(all, top).Placed["t"]); got != "a:1=1,2 b:1=3,4" {
		t.Errorf("a node had too much to do: %s", got)
	}
}

func TestAwareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawNodes(t, 5)
		for i := range all {
			all[i].CPU, all[i].Memory = float64(rapid.IntRange(1, 4).Draw(t, "cores")*100), float64(rapid.IntRange(1, 8).Draw(t, "memory")*256)
			all[i].Generic = map[string]float64{"gpu": float64(rapid.IntRange(0, 2).Draw(t, "gpus"))}
			all[i].Rack = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "rack")
		}
		var tops []Topology
		for i := range rapid.IntRange(1, 4).Draw(t, "topologies") {
			tops = append(tops, drawAsking(t, fmt.Sprint("t", i)))
		}
		p := Policy{Scheduler: Aware}
		first := Run(p, all, tops)
		checkSlots(t, all, first)
		checkRoom(t, p, all, tops, first)
		if diff := cmp.Diff(first, Run(p, all, tops)); diff != "" {
			t.Fatalf("the same input, another output:\n%s", diff)
		}
		again := with(tops, first, Fill)
		second := Run(p, all, again)
		if diff := cmp.Diff(first.Placed, second.Placed); diff != "" && len(second.Evicted) == 0 {
			checkOnlyFresh(t, first, second)
		}
		for id, placed := range Run(p, nil, again).Placed {
			if n := moved(first.Placed[id], placed); n > 0 {
				t.Fatalf("%d executors of %s moved before their supervisors were heard", n, id)
			}
		}
		anew := Run(p, all, with(tops, first, Spread))
		checkSlots(t, all, anew)
		checkRoom(t, p, all, tops, anew)
		lost := with(tops, first, Keep)
		if len(all) > 0 {
			gone := all[0].ID
			for i := range lost {
				lost[i].Current = slices.Clone(lost[i].Current)
				for e, slot := range lost[i].Current {
					if slot.Node == gone {
						lost[i].Current[e] = Slot{}
					}
				}
			}
			after := Run(p, all[1:], lost)
			checkSlots(t, all[1:], after)
			checkRoom(t, p, all[1:], tops, after)
			for _, top := range lost {
				if n := moved(top.Current, after.Placed[top.ID]); n > 0 && !slices.Contains(after.Evicted, top.ID) {
					t.Fatalf("node %s was lost and %d executors of %s moved elsewhere", gone, n, top.ID)
				}
			}
			checkEvicted(t, lost, after)
		}
	})
}

func drawAsking(t *rapid.T, id string) Topology {
	top := parts(Topology{ID: id, MaxHeap: 768}, rapid.IntRange(1, 5).Draw(t, "executors"), rapid.IntRange(0, 5).Draw(t, "more"))
	for c := range top.Components {
		top.Components[c].Demand = Demand{CPU: float64(rapid.IntRange(0, 10).Draw(t, "cpu") * 10),
			OnHeap: float64(rapid.IntRange(0, 6).Draw(t, "heap") * 64), OffHeap: float64(rapid.IntRange(0, 2).Draw(t, "off") * 64),
			Generic: map[string]float64{"gpu": float64(rapid.IntRange(0, 1).Draw(t, "gpu"))}}
		if rapid.Bool().Draw(t, "shares") {
			top.Components[c].Shared = []Shared{{Name: "s", OnHeap: 64, OffHeapWorker: 32, OffHeapNode: 128}}
		}
	}
	top.Components[0].To = []string{"c1"}
	if len(top.Components) > 1 && rapid.Bool().Draw(t, "acker") {
		top.Components[1].Acker, top.AckersPerWorker = true, rapid.IntRange(0, 2).Draw(t, "ackers")
	}
	top.Strategy = rapid.SampledFrom([]string{"", "generic", "round-robin", "constraint-solver"}).Draw(t, "strategy")
	if top.Strategy == "constraint-solver" && len(top.Components) > 1 {
		top.Components[0].MaxPerNode = rapid.IntRange(0, 2).Draw(t, "most")
		if rapid.Bool().Draw(t, "apart") {
			top.Components[0].Apart = []string{"c1"}
		}
		top.MaxStates = 200
	}
	top.OneExecutor = rapid.Bool().Draw(t, "one executor")
	top.OneComponent = rapid.Bool().Draw(t, "one component")
	top.Priority = rapid.IntRange(0, 3).Draw(t, "priority")
	return top
}

// checkRoom adds up from scratch what runs where: no node gives more than it has, no worker has more heap than it may, the
// constraints hold, every topology is placed whole or not at all.
func checkRoom(t *rapid.T, p Policy, all []Node, tops []Topology, r Result) {
	cpu, mb, gpu := make(map[string]float64), make(map[string]float64), make(map[string]float64)
	for _, top := range tops {
		placed := r.Placed[top.ID]
		workers, onNode := Workers(p, top, placed)
		for slot, w := range workers {
			cpu[slot.Node] += w.CPU
			mb[slot.Node] += w.OnHeap + w.OffHeap + w.SharedOnHeap + w.SharedOffHeap
			gpu[slot.Node] += w.Generic["gpu"]
			if w.OnHeap+w.SharedOnHeap > top.MaxHeap {
				t.Fatalf("%s: worker %v has %v MB of heap", top.ID, slot, w.OnHeap+w.SharedOnHeap)
			}
		}
		for node, v := range onNode {
			mb[node] += v
		}
		checkConstraints(t, top, placed)
	}
	for _, n := range all {
		if cpu[n.ID] > n.CPU || mb[n.ID] > n.Memory || gpu[n.ID] > n.Generic["gpu"] {
			t.Fatalf("node %v gives %v points, %v MB, %v gpus", n, cpu[n.ID], mb[n.ID], gpu[n.ID])
		}
	}
}

func checkConstraints(t *rapid.T, top Topology, placed []Slot) {
	perNode := make(map[string]int)
	for slot, execs := range bySlot(placed) {
		of := make(map[int]int)
		for _, e := range execs {
			of[top.Of[e]]++
		}
		perNode[slot.Node] += of[0]
		apart := top.Strategy == "constraint-solver" && len(top.Components[0].Apart) > 0
		regular := of[0]
		if len(top.Components) > 1 && !top.Components[1].Acker {
			regular += of[1]
		}
		if (apart && len(of) > 1) || (top.OneExecutor && regular > 1) || (top.OneComponent && regular > of[0] && of[0] > 0) {
			t.Fatalf("%s: executors %v share a worker", top.ID, execs)
		}
	}
	for node, n := range perNode {
		if most := top.Components[0].MaxPerNode; most > 0 && n > most {
			t.Fatalf("%s: %d executors of c0 on node %s", top.ID, n, node)
		}
	}
}

// checkOnlyFresh holds a second round to leaving alone what was placed.
func checkOnlyFresh(t *rapid.T, first, second Result) {
	for id, placed := range first.Placed {
		if n := moved(placed, second.Placed[id]); n > 0 {
			t.Fatalf("a second round moved %d executors of %s", n, id)
		}
	}
}

// checkEvicted holds evictions to topologies that come after one that was placed. All have one owner.
func checkEvicted(t *rapid.T, tops []Topology, r Result) {
	for _, id := range r.Evicted {
		i := slices.IndexFunc(tops, func(top Topology) bool { return top.ID == id })
		if !slices.ContainsFunc(tops, func(top Topology) bool {
			return top.ID != id && (top.Priority < tops[i].Priority || (top.Priority == tops[i].Priority && top.ID < id)) &&
				!slices.Contains(r.Placed[top.ID], Slot{})
		}) {
			t.Fatalf("%s of priority %d was evicted for nobody of a better one", id, tops[i].Priority)
		}
	}
}
