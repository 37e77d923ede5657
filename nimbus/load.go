package nimbus

import (
	"maps"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

// Names of sums in which onHeap and offHeap hold what is shared as well.
const (
	sharedOnHeap  = "shared.onheap.memory.mb"
	sharedOffHeap = "shared.offheap.memory.mb"
)

// demand sums what the executors of a topology ask for; assigned is what its workers got. Shared memory that is asked for
// counts once.
func (t *topology) demand() (requested, assigned map[string]float64) {
	requested = make(map[string]float64)
	shared := make(map[string]bool)
	executors := make([]float64, len(t.shape.Components))
	for _, c := range t.shape.Of {
		executors[c]++
	}
	for i, c := range t.shape.Components {
		if executors[i] == 0 {
			continue
		}
		addTo(requested, map[string]float64{cpuPercent: executors[i] * c.CPU, onHeap: executors[i] * c.OnHeap, offHeap: executors[i] * c.OffHeap})
		for name, v := range c.Generic {
			requested[name] += executors[i] * v
		}
		for _, s := range c.Shared {
			if !shared[s.Name] {
				shared[s.Name] = true
				addShared(requested, s.OnHeap, s.OffHeapWorker+s.OffHeapNode)
			}
		}
	}
	return requested, t.assignedOn("")
}

// assignedOn sums what the workers of a topology got on a node, "" for all nodes.
func (t *topology) assignedOn(node string) map[string]float64 {
	out := make(map[string]float64)
	for _, w := range t.assignment.Workers {
		if node == "" || w.Node == node {
			addWorker(out, w)
		}
	}
	for at, mb := range t.assignment.SharedOffHeap {
		if node == "" || at == node {
			addShared(out, 0, mb)
		}
	}
	return out
}

// assignedIn is what the worker in a slot got.
func (t *topology) assignedIn(slot schedule.Slot) map[string]float64 {
	out := make(map[string]float64)
	for _, w := range t.assignment.Workers {
		if w.Node == slot.Node && w.Port == slot.Port {
			addWorker(out, w)
		}
	}
	return out
}

func addWorker(sum map[string]float64, w cluster.Worker) {
	addTo(sum, map[string]float64{cpuPercent: w.CPU, onHeap: w.OnHeap, offHeap: w.OffHeap})
	addTo(sum, w.Generic)
	addShared(sum, w.SharedOnHeap, w.SharedOffHeap)
}

func addShared(sum map[string]float64, on, off float64) {
	addTo(sum, map[string]float64{onHeap: on, offHeap: off, sharedOnHeap: on, sharedOffHeap: off})
}

// generic leaves memory and CPU out of resources.
func generic(all map[string]float64) map[string]float64 {
	out := maps.Clone(all)
	for _, name := range []string{onHeap, offHeap, cpuPercent, sharedOnHeap, sharedOffHeap} {
		delete(out, name)
	}
	return out
}
