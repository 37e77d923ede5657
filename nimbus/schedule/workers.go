package schedule

import "maps"

// Worker is what the executors in one slot ask for together.
type Worker struct {
	Executors                   int
	CPU                         float64 // points, at least the policy's minimum
	OnHeap, OffHeap             float64 // MB, without what is shared
	SharedOnHeap, SharedOffHeap float64 // MB that is shared in the worker
	Generic                     map[string]float64
}

// Workers adds up what each worker of a topology asks for, under whatever scheduler. placed is in the order of t.Executors.
// onNode is the off-heap memory in MB that the workers of the topology on a node share; it is not part of any worker's.
func Workers(p Policy, t Topology, placed []Slot) (workers map[Slot]Worker, onNode map[string]float64) {
	workers, onNode = make(map[Slot]Worker), make(map[string]float64)
	type use struct {
		at   Slot // Port 0 is the node as a whole
		name string
	}
	counted := make(map[use]bool)
	for e, slot := range placed {
		if slot == (Slot{}) {
			continue
		}
		c := t.Components[t.Of[e]]
		w := workers[slot]
		w.Executors++
		w.CPU += c.CPU
		w.OnHeap += c.OnHeap
		w.OffHeap += c.OffHeap
		w.Generic = plus(w.Generic, c.Generic)
		for _, s := range c.Shared {
			if u := (use{slot, s.Name}); !counted[u] {
				counted[u] = true
				w.SharedOnHeap += s.OnHeap
				w.SharedOffHeap += s.OffHeapWorker
			}
			if u := (use{Slot{Node: slot.Node}, s.Name}); !counted[u] && s.OffHeapNode > 0 {
				counted[u] = true
				onNode[slot.Node] += s.OffHeapNode
			}
		}
		workers[slot] = w
	}
	for slot, w := range workers {
		w.CPU = max(w.CPU, p.MinWorkerCPU)
		workers[slot] = w
	}
	return workers, onNode
}

func plus(sum, more map[string]float64) map[string]float64 {
	if len(more) == 0 {
		return sum
	}
	if sum == nil {
		return maps.Clone(more)
	}
	for name, v := range more {
		sum[name] += v
	}
	return sum
}
