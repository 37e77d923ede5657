package schedule

import (
	"fmt"
	"testing"
)

// large is a cluster of 1,000 nodes and topologies of 100,000 executors in all.
func large(topologies int) ([]Node, []Topology) {
	var all []Node
	for i := range 1000 {
		all = append(all, Node{ID: fmt.Sprintf("n%04d", i), Rack: fmt.Sprint("r", i/50), Ports: []int32{1, 2, 3, 4}, CPU: 1600, Memory: 65536})
	}
	var tops []Topology
	for i := range topologies {
		n := 100_000 / topologies
		t := parts(Topology{ID: fmt.Sprintf("t%04d", i), Workers: max(1, 2000/topologies), MaxHeap: 8192}, n/10, n/2, n-n/10-n/2)
		for c, d := range []Demand{{CPU: 10, OnHeap: 256}, {CPU: 12, OnHeap: 384}, {CPU: 8, OnHeap: 128}} {
			t.Components[c].Demand = d
		}
		t.Components[0].To, t.Components[1].To = []string{"c1"}, []string{"c2"}
		tops = append(tops, t)
	}
	return all, tops
}

func BenchmarkRun(b *testing.B) {
	for name, s := range map[string]Scheduler{"even": Even, "aware": Aware} {
		for _, topologies := range []int{1, 100} {
			all, tops := large(topologies)
			p := Policy{Scheduler: s}
			b.Run(fmt.Sprintf("%s/%d", name, topologies), func(b *testing.B) {
				for b.Loop() {
					Run(p, all, tops)
				}
			})
			placed := Run(p, all, tops)
			for i := range tops {
				tops[i].Current = append([]Slot{}, placed.Placed[tops[i].ID]...)
				for e, slot := range tops[i].Current {
					if slot.Node == all[0].ID {
						tops[i].Current[e] = Slot{}
					}
				}
			}
			b.Run(fmt.Sprintf("%s/%d/lost", name, topologies), func(b *testing.B) {
				for b.Loop() {
					Run(p, all[1:], tops)
				}
			})
		}
	}
}
