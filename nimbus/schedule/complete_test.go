package schedule

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAllThatFitsIsPlaced holds the greedy strategies to what can be counted: executors that are all alike.
func TestAllThatFitsIsPlaced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawNodes(t, 5)
		cpu, heap := float64(10*rapid.IntRange(1, 8).Draw(t, "cpu")), float64(64*rapid.IntRange(1, 6).Draw(t, "heap"))
		room := 0
		for i := range all {
			n := &all[i]
			n.CPU, n.Memory = float64(rapid.IntRange(0, 400).Draw(t, "points")), float64(rapid.IntRange(0, 4096).Draw(t, "mb"))
			room += int(min(math.Floor(n.CPU/cpu), math.Floor(n.Memory/heap), float64(len(n.Ports))*math.Floor(768/heap)))
		}
		top := asking("t", rapid.IntRange(1, 40).Draw(t, "executors"), cpu, heap)
		top.Strategy = rapid.SampledFrom([]string{"default", "generic", "round-robin", "constraint-solver"}).Draw(t, "strategy")
		if top.Strategy == "constraint-solver" {
			top.MaxStates = 1
		}
		placed := !slices.Contains(aware(all, top).Placed["t"], Slot{})
		if placed != (len(top.Executors) <= room) {
			t.Fatalf("%d executors, room for %d: placed %v", len(top.Executors), room, placed)
		}
	})
}

// TestSolverFindsWhatThereIs compares ConstraintSolver with a search through everything.
func TestSolverFindsWhatThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []Node
		for i := range rapid.IntRange(1, 3).Draw(t, "nodes") {
			n := Node{ID: string(rune('a' + i)), CPU: float64(10 * rapid.IntRange(1, 4).Draw(t, "points")), Memory: 4096}
			n.Ports = []int32{1, 2}[:rapid.IntRange(1, 2).Draw(t, "ports")]
			all = append(all, n)
		}
		top := parts(Topology{ID: "t", Strategy: "constraint-solver", MaxStates: 100_000}, rapid.IntRange(1, 2).Draw(t, "first"), rapid.IntRange(1, 3).Draw(t, "second"))
		for c := range top.Components {
			top.Components[c].CPU = float64(10 * rapid.IntRange(1, 3).Draw(t, "cpu"))
			top.Components[c].MaxPerNode = rapid.IntRange(0, 2).Draw(t, "most")
		}
		if rapid.Bool().Draw(t, "apart") {
			top.Components[0].Apart = []string{rapid.SampledFrom([]string{"c0", "c1"}).Draw(t, "from")}
		}
		r := aware(all, top)
		if placed, can := !slices.Contains(r.Placed["t"], Slot{}), possible(all, top, nil); placed != can {
			t.Fatalf("placed %v, possible %v: %s", placed, can, r.Status["t"])
		}
	})
}

// possible tries every slot for every executor.
func possible(all []Node, top Topology, placed []Slot) bool {
	if !allowed(all, top, placed) {
		return false
	}
	if len(placed) == len(top.Executors) {
		return true
	}
	for _, n := range all {
		for _, p := range n.Ports {
			if possible(all, top, append(slices.Clone(placed), Slot{n.ID, p})) {
				return true
			}
		}
	}
	return false
}

func allowed(all []Node, top Topology, placed []Slot) bool {
	for _, n := range all {
		cpu, count := 0.0, make([]int, len(top.Components))
		for e, slot := range placed {
			if slot.Node == n.ID {
				cpu += top.Components[top.Of[e]].CPU
				count[top.Of[e]]++
			}
		}
		for c, comp := range top.Components {
			if cpu > n.CPU || (comp.MaxPerNode > 0 && count[c] > comp.MaxPerNode) {
				return false
			}
		}
	}
	for _, execs := range bySlot(placed) {
		for i, e := range execs {
			for _, other := range execs[i+1:] {
				x, y := top.Components[top.Of[e]], top.Components[top.Of[other]]
				if slices.Contains(x.Apart, y.ID) || slices.Contains(y.Apart, x.ID) {
					return false
				}
			}
		}
	}
	return true
}
