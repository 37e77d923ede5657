package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

// spread says how alike workers or nodes are in something.
type spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// spreadNames are the keys of spreads in the order in which they are printed.
var spreadNames = []string{"executors_per_worker", "executors_per_node", "workers_per_node", "cpu_percent", "memory_percent"}

var spreadText = map[string]string{
	"executors_per_worker": "executors a worker", "executors_per_node": "executors a supervisor", "workers_per_node": "workers a supervisor",
	"cpu_percent": "CPU %, of a supervisor", "memory_percent": "memory %, of a supervisor",
}

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	slices.Sort(values)
	return spread{values[0], values[len(values)/2], values[len(values)-1]}
}

// spreads measures a placement.
func (in *simulated) spreads(r schedule.Result) map[string]spread {
	type load struct{ executors, workers, cpu, memory float64 }
	byNode := make(map[string]load)
	var perWorker []float64
	for _, t := range in.topologies {
		workers, onNode := schedule.Workers(in.policy, t, r.Placed[t.ID])
		for slot, w := range workers {
			l := byNode[slot.Node]
			l.executors += float64(w.Executors)
			l.workers++
			l.cpu += w.CPU
			l.memory += w.OnHeap + w.OffHeap + w.SharedOnHeap + w.SharedOffHeap
			byNode[slot.Node] = l
			perWorker = append(perWorker, float64(w.Executors))
		}
		for node, mb := range onNode {
			l := byNode[node]
			l.memory += mb
			byNode[node] = l
		}
	}
	values := make(map[string][]float64)
	for _, n := range in.nodes {
		l := byNode[n.ID]
		values["executors_per_node"] = append(values["executors_per_node"], l.executors)
		values["workers_per_node"] = append(values["workers_per_node"], l.workers)
		values["cpu_percent"] = append(values["cpu_percent"], percent(l.cpu, n.CPU))
		values["memory_percent"] = append(values["memory_percent"], percent(l.memory, n.Memory))
	}
	values["executors_per_worker"] = perWorker
	out := make(map[string]spread)
	for name, v := range values {
		out[name] = spreadOf(v)
	}
	return out
}

func percent(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return 100 * part / whole
}

// mostWaiting is how many topologies without a place are named.
const mostWaiting = 10

func (s simulation) printWaiting(w io.Writer) error {
	if len(s.Waiting) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n%d topologies are not placed, or not all of them:\n", len(s.Waiting))
	for i, id := range slices.Sorted(maps.Keys(s.Waiting)) {
		if i == mostWaiting {
			fmt.Fprintln(w, "and so on; -o json lists all")
			break
		}
		why := s.Waiting[id]
		if why == "" {
			why = "not enough slots"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", id, why); err != nil {
			return err
		}
	}
	return nil
}
