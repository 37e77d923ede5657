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

// nodes reads "a:1,2 b:3"; a port with a question mark is suspect.
func nodes(text string) []Supervisor {
	var out []Supervisor
	for _, f := range strings.Fields(text) {
		name, ports, _ := strings.Cut(f, ":")
		s := Supervisor{Node: name}
		for _, p := range strings.Split(ports, ",") {
			var port int32
			fmt.Sscan(strings.TrimSuffix(p, "?"), &port)
			s.Ports = append(s.Ports, port)
			if strings.HasSuffix(p, "?") {
				s.Suspect = append(s.Suspect, port)
			}
		}
		out = append(out, s)
	}
	return out
}

// single makes n executors of one task each.
func single(n int) []Executor {
	var out []Executor
	for i := range n {
		out = append(out, Executor{int32(i + 1), int32(i + 1)})
	}
	return out
}

// placed reads "a:1=1,2 b:1=3": slot=first tasks of executors of one task.
func placed(text string) map[Executor]Slot {
	out := make(map[Executor]Slot)
	for _, f := range strings.Fields(text) {
		where, what, _ := strings.Cut(f, "=")
		node, p, _ := strings.Cut(where, ":")
		var slot = Slot{Node: node}
		fmt.Sscan(p, &slot.Port)
		for _, w := range strings.Split(what, ",") {
			var n int32
			fmt.Sscan(w, &n)
			out[Executor{n, n}] = slot
		}
	}
	return out
}

func show(m map[Executor]Slot) string {
	var lines []string
	groups := bySlot(m)
	for _, slot := range slices.SortedFunc(maps.Keys(groups), compareSlots) {
		var firsts []int32
		for _, e := range groups[slot] {
			firsts = append(firsts, e.First)
		}
		slices.Sort(firsts)
		lines = append(lines, fmt.Sprintf("%s:%d=%s", slot.Node, slot.Port, strings.Trim(strings.ReplaceAll(fmt.Sprint(firsts), " ", ","), "[]")))
	}
	return strings.Join(lines, " ")
}

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
			var got []string
			for _, s := range newBoard(nodes(c.in), nil).free() {
				got = append(got, fmt.Sprintf("%s:%d", s.Node, s.Port))
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
		current     string
		want        string
	}{
		"new topology, round robin":        {"a:1,2 b:1,2", 3, 7, "", "a:1=1,4,7 a:2=3,6 b:1=2,5"},
		"fewer executors than workers":     {"a:1,2 b:1", 3, 2, "", "a:1=1 b:1=2"},
		"fewer slots than workers":         {"a:1", 3, 4, "", "a:1=1,2,3,4"},
		"no supervisor":                    {"", 2, 4, "", ""},
		"runs as it should":                {"a:1,2 b:1,2", 2, 4, "a:1=1,2 a:2=3,4", "a:1=1,2 a:2=3,4"},
		"short of slots, none to get":      {"a:1", 3, 4, "a:1=1,2,3,4", "a:1=1,2,3,4"},
		"slots come: share out again":      {"a:1 b:1", 2, 4, "a:1=1,2,3,4", "a:1=1,3 b:1=2,4"},
		"slots come: fair workers stay":    {"a:1,2 b:1", 3, 6, "a:1=1,2 a:2=3,4,5,6", "a:1=1,2 a:2=3,5 b:1=4,6"},
		"one worker died":                  {"a:1,2 b:1,2", 2, 4, "a:1=1,3", "a:1=1,3 b:1=2,4"},
		"died in a suspect slot":           {"a:1,2?,3", 2, 4, "a:1=1,3", "a:1=1,3 a:3=2,4"},
		"only the suspect slot is left":    {"a:1,2?", 2, 4, "a:1=1,3", "a:1=1,3 a:2=2,4"},
		"supervisor gone, worker not told": {"b:1", 1, 2, "a:1=1,2", "a:1=1,2"},
		"workers wanted 0 counts as 1":     {"a:1,2", 0, 2, "", "a:1=1,2"},
		"executors that exist no more":     {"a:1,2", 1, 2, "a:1=1,2,3", "a:1=1,2"},
	} {
		t.Run(name, func(t *testing.T) {
			top := Topology{ID: "t", Workers: c.workers, Executors: single(c.executors), Current: placed(c.current)}
			got := show(Even(nodes(c.supervisors), []Topology{top})["t"])
			if got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTopologiesDoNotShareSlots(t *testing.T) {
	got := Even(nodes("a:1,2 b:1"), []Topology{
		{ID: "first", Workers: 2, Executors: single(2)},
		{ID: "running", Workers: 1, Executors: single(1), Current: placed("a:1=1")},
		{ID: "late", Workers: 1, Executors: single(1)},
	})
	want := map[string]string{"first": "a:2=1 b:1=2", "running": "a:1=1", "late": ""}
	for id, w := range want {
		if g := show(got[id]); g != w {
			t.Errorf("%s: got %q, want %q", id, g, w)
		}
	}
}

// TestProperties checks what must hold whatever the input: nothing in two places, no slot for two topologies, nothing
// moved without need, and a second round that changes nothing.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sup []Supervisor
		for i := range rapid.IntRange(0, 4).Draw(t, "supervisors") {
			s := Supervisor{Node: string(rune('a' + i))}
			for p := range rapid.IntRange(0, 4).Draw(t, "ports") {
				s.Ports = append(s.Ports, int32(p))
			}
			sup = append(sup, s)
		}
		var tops []Topology
		for i := range rapid.IntRange(1, 3).Draw(t, "topologies") {
			tops = append(tops, Topology{ID: string(rune('A' + i)), Workers: rapid.IntRange(1, 5).Draw(t, "workers"),
				Executors: single(rapid.IntRange(1, 9).Draw(t, "executors"))})
		}
		first := Even(sup, tops)
		owner := make(map[Slot]string)
		for _, top := range tops {
			used := bySlot(first[top.ID])
			if len(used) > top.Workers {
				t.Fatalf("%s uses %d slots, wants %d", top.ID, len(used), top.Workers)
			}
			if len(used) > 0 && len(first[top.ID]) != len(top.Executors) {
				t.Fatalf("%s has slots but only %d of %d executors", top.ID, len(first[top.ID]), len(top.Executors))
			}
			for slot, execs := range used {
				if o, ok := owner[slot]; ok {
					t.Fatalf("%v given to %s and %s", slot, o, top.ID)
				}
				owner[slot] = top.ID
				if low := len(top.Executors) / len(used); len(execs) < low || len(execs) > low+1 {
					t.Fatalf("%s: %d executors in one of %d workers", top.ID, len(execs), len(used))
				}
			}
		}
		for i := range tops {
			tops[i].Current = first[tops[i].ID]
		}
		if diff := cmp.Diff(first, Even(sup, tops)); diff != "" {
			t.Fatalf("a second round moved something (-first +second):\n%s", diff)
		}
	})
}
