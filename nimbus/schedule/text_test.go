package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// nodes reads "a:1,2 b:3"; a port with a question mark is suspect.
func nodes(text string) []Node {
	var out []Node
	for _, f := range strings.Fields(text) {
		name, ports, _ := strings.Cut(f, ":")
		n := Node{ID: name}
		for _, p := range strings.Split(ports, ",") {
			var port int32
			fmt.Sscan(strings.TrimSuffix(p, "?"), &port)
			n.Ports = append(n.Ports, port)
			if strings.HasSuffix(p, "?") {
				n.Suspect = append(n.Suspect, port)
			}
		}
		out = append(out, n)
	}
	return out
}

// topology makes one of n executors of one task each, of one component.
func topology(id string, workers, n int) Topology {
	return parts(Topology{ID: id, Name: id, Workers: workers}, n)
}

// parts gives a topology components c0, c1, ... of so many executors of one task each.
func parts(t Topology, executors ...int) Topology {
	for c, n := range executors {
		if c >= len(t.Components) {
			t.Components = append(t.Components, Component{ID: fmt.Sprint("c", c)})
		}
		for range n {
			task := int32(len(t.Executors) + 1)
			t.Executors, t.Of = append(t.Executors, Executor{task, task}), append(t.Of, c)
		}
	}
	return t
}

// at reads "a:1=1,2 b:1=3": slot=first tasks of executors.
func at(t Topology, text string) []Slot {
	out := make([]Slot, len(t.Executors))
	for _, f := range strings.Fields(text) {
		where, what, _ := strings.Cut(f, "=")
		node, p, _ := strings.Cut(where, ":")
		slot := Slot{Node: node}
		fmt.Sscan(p, &slot.Port)
		for _, w := range strings.Split(what, ",") {
			var task int
			fmt.Sscan(w, &task)
			if task <= len(out) {
				out[task-1] = slot
			}
		}
	}
	return out
}

// bySlot groups executors by slot, those without a place left out.
func bySlot(placed []Slot) map[Slot][]int {
	out := make(map[Slot][]int)
	for e, slot := range placed {
		if slot != (Slot{}) {
			out[slot] = append(out[slot], e)
		}
	}
	return out
}

// show is the opposite of at.
func show(placed []Slot) string {
	var lines []string
	groups := bySlot(placed)
	for _, slot := range slices.SortedFunc(maps.Keys(groups), compareSlots) {
		var tasks []string
		for _, e := range groups[slot] {
			tasks = append(tasks, fmt.Sprint(e+1))
		}
		lines = append(lines, fmt.Sprintf("%s:%d=%s", slot.Node, slot.Port, strings.Join(tasks, ",")))
	}
	return strings.Join(lines, " ")
}

// moved counts executors that had a place and have another one or none.
func moved(before, after []Slot) int {
	n := 0
	for e, slot := range before {
		if slot != (Slot{}) && after[e] != slot {
			n++
		}
	}
	return n
}
