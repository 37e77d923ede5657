package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSlotOrder(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"most free first":         {"s1:6700,6701 s2:6700,6701,6702 s3:6700,6703,6702,6701", "s3:6700 s2:6700 s1:6700 s3:6701 s2:6701 s1:6701 s3:6702 s2:6702 s3:6703"},
		"equal groups by node":    {"b:2,1 a:1,2", "a:1 b:1 a:2 b:2"},
		"suspect ports last":      {"a:1?,2 b:1", "a:2 b:1 a:1"},
		"a port twice is one":     {"a:1,1", "a:1"},
		"no slots":                {"", ""},
		"one supervisor, in turn": {"a:6703,6700,6702,6701", "a:6700 a:6701 a:6702 a:6703"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(Policy{}, nodes(c.in), []Topology{topology("t", 9, 9)})
			var got []string
			for _, s := range b.freeSlots(b.jobs[0], 9) {
				got = append(got, fmt.Sprintf("%s:%d", b.slots[s].Node, b.slots[s].Port))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEven(t *testing.T) {
	for name, c := range map[string]struct {
		supervisors string
		workers     int
		executors   int
		wish        Wish
		current     string
		want        string
	}{
		"new topology, round robin":         {"a:1,2 b:1,2", 3, 7, Keep, "", "a:1=1,4,7 a:2=3,6 b:1=2,5"},
		"fewer executors than workers":      {"a:1,2 b:1", 3, 2, Keep, "", "a:1=1 b:1=2"},
		"fewer slots than workers":          {"a:1", 3, 4, Keep, "", "a:1=1,2,3,4"},
		"no supervisor":                     {"", 2, 4, Keep, "", ""},
		"runs as it should":                 {"a:1,2 b:1,2", 2, 4, Fill, "a:1=1,2 a:2=3,4", "a:1=1,2 a:2=3,4"},
		"short of slots, none to get":       {"a:1", 3, 4, Fill, "a:1=1,2,3,4", "a:1=1,2,3,4"},
		"slots come: nobody asked":          {"a:1 b:1", 2, 4, Keep, "a:1=1,2,3,4", "a:1=1,2,3,4"},
		"slots come: the half moves":        {"a:1 b:1", 2, 4, Fill, "a:1=1,2,3,4", "a:1=1,2 b:1=3,4"},
		"slots come: fair workers stay":     {"a:1,2 b:1", 3, 6, Fill, "a:1=1,2 a:2=3,4,5,6", "a:1=1,2 a:2=3,4 b:1=5,6"},
		"one worker died":                   {"a:1,2 b:1,2", 2, 4, Keep, "a:1=1,3", "a:1=1,3 b:1=2,4"},
		"died in a suspect slot":            {"a:1,2?,3", 2, 4, Keep, "a:1=1,3", "a:1=1,3 a:3=2,4"},
		"only the suspect slot is left":     {"a:1,2?", 2, 4, Keep, "a:1=1,3", "a:1=1,3 a:2=2,4"},
		"died, and no slot for another":     {"a:1", 2, 4, Keep, "a:1=1,3", "a:1=1,2,3,4"},
		"supervisor gone, worker not told":  {"b:1", 1, 2, Fill, "a:1=1,2", "a:1=1,2"},
		"workers wanted 0 counts as 1":      {"a:1,2", 0, 2, Keep, "", "a:1=1,2"},
		"a worker more":                     {"a:1,2 b:1,2", 3, 6, Spread, "a:1=1,2,3 b:1=4,5,6", "a:1=1,2 a:2=3,6 b:1=4,5"},
		"a worker less":                     {"a:1,2 b:1,2", 2, 6, Spread, "a:1=1,2 a:2=3,6 b:1=4,5", "a:1=1,2,3 b:1=4,5,6"},
		"a node came back":                  {"a:1,2 b:1,2", 2, 4, Spread, "a:1=1,2 a:2=3,4", "a:2=3,4 b:1=1,2"},
		"spread over nodes as it should be": {"a:1,2 b:1,2", 2, 4, Spread, "a:1=1,2 b:2=3,4", "a:1=1,2 b:2=3,4"},
		"executors out of balance":          {"a:1 b:1", 2, 6, Spread, "a:1=1,2,3,4,5 b:1=6", "a:1=1,2,3 b:1=4,5,6"},
		"out of balance, nobody asked":      {"a:1 b:1", 2, 6, Fill, "a:1=1,2,3,4,5 b:1=6", "a:1=1,2,3,4,5 b:1=6"},
	} {
		t.Run(name, func(t *testing.T) {
			top := topology("t", c.workers, c.executors)
			top.Current, top.Wish = at(top, c.current), c.wish
			got := show(Run(Policy{}, nodes(c.supervisors), []Topology{top}).Placed["t"])
			if got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestWhatLeavesAWorkerIsWhatItHasMostOf(t *testing.T) {
	top := parts(Topology{ID: "t", Workers: 2, Wish: Fill}, 2, 4)
	top.Current = at(top, "a:1=1,2,3,4,5,6")
	if got, want := show(Run(Policy{}, nodes("a:1 b:1"), []Topology{top}).Placed["t"]), "a:1=1,3,4 b:1=2,5,6"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestExecutorsGoWhereTheirTasksWere(t *testing.T) {
	top := topology("t", 2, 4)
	top.Current = at(top, "a:1=1 b:1=2")
	top.Near = at(top, "b:1=3,4")
	if got, want := show(Run(Policy{}, nodes("a:1 b:1"), []Topology{top}).Placed["t"]), "a:1=1,4 b:1=2,3"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

func TestSpreadLooksAtAllTopologies(t *testing.T) {
	first, second := topology("first", 2, 2), topology("second", 2, 2)
	first.Current, second.Current = at(first, "a:1=1 c:1=2"), at(second, "a:2=1 c:2=2")
	first.Wish = Spread
	got := Run(Policy{}, nodes("a:1,2 b:1,2 c:1,2"), []Topology{first, second})
	if a, b := show(got.Placed["first"]), show(got.Placed["second"]); a != "b:1=1 c:1=2" || b != "a:2=1 c:2=2" {
		t.Fatalf("first %s, second %s", a, b)
	}
}

func TestTopologiesDoNotShareSlots(t *testing.T) {
	running := topology("running", 1, 1)
	running.Current = at(running, "a:1=1")
	got := Run(Policy{}, nodes("a:1,2 b:1"), []Topology{topology("first", 2, 2), running, topology("late", 1, 1)})
	for id, want := range map[string]string{"first": "a:2=1 b:1=2", "running": "a:1=1", "late": ""} {
		if g := show(got.Placed[id]); g != want {
			t.Errorf("%s: got %q, want %q", id, g, want)
		}
	}
}

// drawNodes draws up to most nodes a, b, ... with up to 4 ports.
func drawNodes(t *rapid.T, most int) []Node {
	var out []Node
	for i := range rapid.IntRange(0, most).Draw(t, "nodes") {
		n := Node{ID: string(rune('a' + i))}
		for p := range rapid.IntRange(0, 4).Draw(t, "ports") {
			n.Ports = append(n.Ports, int32(p+1))
		}
		out = append(out, n)
	}
	return out
}

// checkSlots holds a result to what is true under every scheduler: no slot of two topologies, nothing in a slot that nobody
// offers.
func checkSlots(t *rapid.T, all []Node, r Result) {
	owner := make(map[Slot]string)
	offered := make(map[Slot]bool)
	for _, n := range all {
		for _, p := range n.Ports {
			offered[Slot{n.ID, p}] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.Placed)) {
		for slot := range bySlot(r.Placed[id]) {
			if o, ok := owner[slot]; ok {
				t.Fatalf("%v given to %s and %s", slot, o, id)
			}
			if owner[slot] = id; !offered[slot] {
				t.Fatalf("%s is in %v, which nobody offers", id, slot)
			}
		}
	}
}

func with(tops []Topology, r Result, wish Wish) []Topology {
	out := slices.Clone(tops)
	for i := range out {
		out[i].Current, out[i].Wish = r.Placed[out[i].ID], wish
	}
	return out
}

// TestEvenProperties checks what must hold whatever the input: balance, determinism, a second round that changes nothing, and
// least movement when a node comes or goes.
func TestEvenProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawNodes(t, 5)
		var tops []Topology
		for i := range rapid.IntRange(1, 3).Draw(t, "topologies") {
			tops = append(tops, topology(string(rune('A'+i)), rapid.IntRange(1, 5).Draw(t, "workers"), rapid.IntRange(1, 9).Draw(t, "executors")))
		}
		first := Run(Policy{}, all, tops)
		checkSlots(t, all, first)
		for _, top := range tops {
			checkEven(t, top, first.Placed[top.ID])
		}
		if diff := cmp.Diff(first, Run(Policy{}, all, tops)); diff != "" {
			t.Fatalf("the same input, another output:\n%s", diff)
		}
		again := with(tops, first, Fill)
		if diff := cmp.Diff(first, Run(Policy{}, all, again)); diff != "" {
			t.Fatalf("a second round moved something (-first +second):\n%s", diff)
		}
		for id, placed := range Run(Policy{}, nil, again).Placed {
			if n := moved(first.Placed[id], placed); n > 0 {
				t.Fatalf("%d executors of %s moved before their supervisors were heard", n, id)
			}
		}
		checkNodeAdded(t, all, with(tops, first, Keep))
		checkNodeLost(t, all, with(tops, first, Keep))
		checkChanged(t, all, with(tops, first, Spread))
	})
}

func checkEven(t *rapid.T, top Topology, placed []Slot) {
	used := bySlot(placed)
	if len(used) > top.Workers {
		t.Fatalf("%s uses %d slots, wants %d", top.ID, len(used), top.Workers)
	}
	for slot, execs := range used {
		if low := len(placed) / len(used); len(execs) < low || len(execs) > low+1 {
			t.Fatalf("%s: %d of %d executors in %v, one of %d workers", top.ID, len(execs), len(placed), slot, len(used))
		}
	}
	if n := len(bySlot(placed)); n > 0 && slices.Contains(placed, Slot{}) {
		t.Fatalf("%s has %d slots and executors without a place", top.ID, n)
	}
}

func checkNodeAdded(t *rapid.T, all []Node, tops []Topology) {
	more := append(slices.Clone(all), Node{ID: "z", Ports: []int32{1, 2, 3, 4, 5}})
	after := Run(Policy{}, more, tops)
	for _, top := range tops {
		if n := moved(top.Current, after.Placed[top.ID]); n > 0 {
			t.Fatalf("a node came and %d executors of %s moved", n, top.ID)
		}
	}
}

func checkNodeLost(t *rapid.T, all []Node, tops []Topology) {
	if len(all) == 0 {
		return
	}
	gone := all[rapid.IntRange(0, len(all)-1).Draw(t, "lost")].ID
	left := slices.DeleteFunc(slices.Clone(all), func(n Node) bool { return n.ID == gone })
	for i := range tops {
		tops[i].Current = slices.Clone(tops[i].Current)
		for e, slot := range tops[i].Current {
			if slot.Node == gone {
				tops[i].Current[e] = Slot{}
			}
		}
	}
	after := Run(Policy{}, left, tops)
	checkSlots(t, left, after)
	for _, top := range tops {
		if n := moved(top.Current, after.Placed[top.ID]); n > 0 {
			t.Fatalf("node %s was lost and %d executors of %s moved elsewhere", gone, n, top.ID)
		}
		checkEven(t, top, after.Placed[top.ID])
	}
}

// checkChanged rebalances to another number of workers: no more executors move than it takes.
func checkChanged(t *rapid.T, all []Node, tops []Topology) {
	top := &tops[0]
	before := bySlot(top.Current)
	top.Workers = rapid.IntRange(1, 6).Draw(t, "workers then")
	for i := range tops[1:] {
		tops[i+1].Wish = Keep
	}
	after := Run(Policy{}, all, tops)
	checkSlots(t, all, after)
	placed := after.Placed[top.ID]
	checkEven(t, *top, placed)
	now := bySlot(placed)
	if len(before) == 0 || len(now) == len(before) {
		return // spread may have moved whole workers
	}
	n, k := len(placed), len(now)
	stay := slices.Sorted(func(yield func(int) bool) {
		for _, execs := range before {
			if !yield(len(execs)) {
				return
			}
		}
	})
	slices.Reverse(stay)
	most := 0 // that can stay
	for i := range min(k, len(stay)) {
		share := n / k
		if i < n%k {
			share++
		}
		most += min(stay[i], share)
	}
	if kept := n - moved(top.Current, placed); kept < most-spreadMoves(before, now) {
		t.Fatalf("from %d to %d workers %d of %d executors stayed, %d could have", len(before), k, kept, n, most)
	}
}

// spreadMoves counts the executors of workers that were moved to another node to spread the topology.
func spreadMoves(before, now map[Slot][]int) int {
	n := 0
	for slot, execs := range before {
		if len(now[slot]) == 0 {
			n += len(execs)
		}
	}
	return n
}
