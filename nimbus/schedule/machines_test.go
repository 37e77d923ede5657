package schedule

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// owned gives a topology an owner and the number of machines it wants for itself.
func owned(owner string, machines int, top Topology) Topology {
	top.Owner, top.Machines = owner, machines
	return top
}

// nodesOf lists the nodes of a placement.
func nodesOf(placed []Slot) string {
	var out []string
	for slot := range bySlot(placed) {
		out = append(out, slot.Node)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), "")
}

func TestIsolated(t *testing.T) {
	all := nodes("a:1,2 b:1,2 c:1,2")
	run := func(machines map[string]int, tops ...Topology) Result {
		return Run(Policy{Scheduler: Isolated, Machines: machines}, all, tops)
	}
	two := map[string]int{"own": 2}
	r := run(two, topology("other", 4, 4), topology("own", 3, 6))
	if own, other := show(r.Placed["own"]), show(r.Placed["other"]); own != "a:1=1,4 a:2=3,6 b:1=2,5" || other != "c:1=1,3 c:2=2,4" {
		t.Fatalf("own %s, other %s", own, other)
	}
	// What runs where it may stays; what runs where another one has its machines gives way.
	other, own := topology("other", 3, 3), topology("own", 2, 2)
	other.Current, own.Current = at(other, "a:1=1 b:1=2 c:1=3"), at(own, "b:2=1 c:2=2")
	r = run(two, other, own)
	if own, other := show(r.Placed["own"]), show(r.Placed["other"]); own != "b:2=1 c:2=2" || other != "a:1=1,2 a:2=3" {
		t.Fatalf("own %s, other %s", own, other)
	}
	r = run(map[string]int{"own": 4}, other, own)
	if own, other := show(r.Placed["own"]), show(r.Placed["other"]); own != "b:2=1 c:2=2" || other != "a:1=1 b:1=2 c:1=3" {
		t.Fatalf("too few machines: own %s, other %s", own, other)
	}
	if got, want := r.Status["own"], "Not enough machines: isolation.scheduler.machines gives it 4 of its own, 3 are left"; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
	// Two nodes of one host are one machine.
	all = nodes("a:1 b:1 c:1")
	all[0].Host, all[1].Host = "h", "h"
	r = run(map[string]int{"own": 1}, topology("own", 2, 2), topology("other", 1, 1))
	if own, other := nodesOf(r.Placed["own"]), nodesOf(r.Placed["other"]); own != "ab" || other != "c" {
		t.Errorf("own on %s, other on %s", own, other)
	}
}

func TestTenants(t *testing.T) {
	all := nodes("a:1,2 b:1,2 c:1,2 d:1,2")
	p := Policy{Scheduler: Tenants, Tenants: map[string]int{"ann": 2}}
	r := Run(p, all, []Topology{
		owned("bob", 0, topology("free", 8, 8)),
		owned("ann", 1, topology("alone", 1, 1)), owned("ann", 0, topology("shared1", 1, 1)), owned("ann", 0, topology("shared2", 1, 1)),
		owned("ann", 2, topology("greedy", 1, 1)),
	})
	for id, want := range map[string]string{"alone": "a", "shared1": "b", "shared2": "b", "free": "cd", "greedy": ""} {
		if got := nodesOf(r.Placed[id]); got != want {
			t.Errorf("%s on %q, want %q (%s)", id, got, want, r.Status[id])
		}
	}
	if got, want := r.Status["greedy"], "Max Nodes(2) for this user would be exceeded. 1 more nodes needed to run topology."; got != want {
		t.Errorf("status %q, want %q", got, want)
	}
}

func TestMachinesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawNodes(t, 6)
		var tops []Topology
		p := Policy{Scheduler: Isolated, Machines: map[string]int{}, Tenants: map[string]int{"ann": rapid.IntRange(0, 3).Draw(t, "pool")}}
		if rapid.Bool().Draw(t, "tenants") {
			p.Scheduler = Tenants
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "topologies") {
			id := string(rune('A' + i))
			tops = append(tops, owned(rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "owner"), rapid.IntRange(0, 2).Draw(t, "own"),
				topology(id, rapid.IntRange(1, 4).Draw(t, "workers"), rapid.IntRange(1, 6).Draw(t, "executors"))))
			p.Machines[id] = rapid.IntRange(0, 2).Draw(t, "machines")
		}
		first := Run(p, all, tops)
		checkSlots(t, all, first)
		second := Run(p, all, with(tops, first, Fill))
		checkSlots(t, all, second)
		heard := all[:rapid.IntRange(0, len(all)).Draw(t, "heard")] // as after a change of leaders
		p.Settling = true
		partly := Run(p, heard, with(tops, first, Keep))
		for _, top := range tops {
			if n := moved(first.Placed[top.ID], partly.Placed[top.ID]); n > 0 {
				t.Fatalf("%d executors of %s moved before all supervisors were heard: %s became %s", n, top.ID, show(first.Placed[top.ID]), show(partly.Placed[top.ID]))
			}
		}
		for _, top := range tops {
			if n := moved(first.Placed[top.ID], second.Placed[top.ID]); n > 0 {
				t.Fatalf("a second round moved %d executors of %s", n, top.ID)
			}
			alone := (p.Machines[top.ID] > 0 && p.Tenants == nil) && first.Status[top.ID] == ""
			for _, other := range tops {
				if alone && other.ID != top.ID && strings.ContainsAny(nodesOf(first.Placed[top.ID]), nodesOf(first.Placed[other.ID])) {
					t.Fatalf("%s is not alone: %s has %s", top.ID, other.ID, show(first.Placed[other.ID]))
				}
			}
		}
	})
}
