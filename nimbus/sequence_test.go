package nimbus

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/internal/raced"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// world is a master under a random sequence of what can happen to it, and the nodes that are alive.
type world struct {
	*testCluster
	t     *testing.T
	rand  *rand.Rand
	clk   *clock
	nodes map[string]*stormrpc.NodeReport
	names int
	done  []string
}

// TestArbitrarySequences submits, kills and rebalances topologies while nodes come, go and return, and holds every state in
// between to what must always be true.
func TestArbitrarySequences(t *testing.T) {
	for seed := range uint64(max(1, 12/raced.Fewer)) {
		for _, scheduler := range []string{"DefaultScheduler", "resource.ResourceAwareScheduler"} {
			t.Run(fmt.Sprint(scheduler, " ", seed), func(t *testing.T) {
				w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 1)), clk: newClock(), nodes: make(map[string]*stormrpc.NodeReport)}
				w.testCluster = start(t, func(cfg *Config) {
					cfg.Now = w.clk.Now
					cfg.Conf = mergeConf(cfg.Conf, `{"storm.scheduler": "org.apache.storm.scheduler.`+scheduler+`", "topology.component.cpu.pcore.percent": 20.0}`)
				})
				for range 25 {
					w.step()
				}
			})
		}
	}
}

func (w *world) step() {
	steps := []struct {
		name string
		do   func()
	}{
		{"submit", w.submit}, {"submit", w.submit}, {"kill", w.kill}, {"rebalance", w.rebalanceOne}, {"rebalance", w.rebalanceOne},
		{"node", w.nodeComes}, {"node", w.nodeComes}, {"loss", w.nodeGoes}, {"time", w.time},
	}
	s := steps[w.rand.IntN(len(steps))]
	w.done = append(w.done, s.name)
	s.do()
	w.report()
	must(w.t, w.round(w.t.Context(), w.rand.IntN(2) == 0))
	w.check()
}

func (w *world) submit() {
	w.names++
	w.submitWords(fmt.Sprint("words", w.names), fmt.Sprintf(`{"topology.workers": %d, "topology.priority": %d}`, 1+w.rand.IntN(4), w.rand.IntN(3)))
}

func (w *world) any() *topology {
	if all := w.all(); len(all) > 0 {
		return all[w.rand.IntN(len(all))]
	}
	return nil
}

func (w *world) kill() {
	if t := w.any(); t != nil {
		must(w.t, w.client.KillTopologyWithOpts(w.t.Context(), t.Name, &stormrpc.KillOptions{WaitSecs: ref(int32(0))}))
		eventually(w.t, "removal", func() bool { _, ok := w.named(t.Name); return !ok })
	}
}

func (w *world) rebalanceOne() {
	t := w.any()
	if t == nil {
		return
	}
	o := &stormrpc.RebalanceOptions{}
	switch w.rand.IntN(3) {
	case 0:
		o.NumWorkers = ref(int32(1 + w.rand.IntN(4)))
	case 1:
		o.NumExecutors = map[string]int32{"count": int32(1 + w.rand.IntN(4)), "words": int32(1 + w.rand.IntN(2))}
	}
	w.testCluster.rebalance(t.Name, o)
}

func (w *world) nodeComes() {
	id := string(rune('a' + w.rand.IntN(5)))
	r := &stormrpc.NodeReport{NodeID: id, Hostname: id, ThriftPort: 1, Resources: map[string]float64{cpuPercent: 150, "memory.mb": 1500}}
	for p := range 1 + w.rand.IntN(3) {
		r.Ports = append(r.Ports, int32(6700+p))
	}
	if _, known := w.nodes[id]; !known {
		w.nodes[id] = r
	}
}

// nodeGoes loses a node. Nothing that runs elsewhere may move over it.
func (w *world) nodeGoes() {
	ids := slices.Sorted(maps.Keys(w.nodes))
	if len(ids) < 2 { // a master that hears nobody takes nobody for dead
		return
	}
	w.report()
	must(w.t, w.round(w.t.Context(), false))
	w.report()
	gone := ids[w.rand.IntN(len(ids))]
	delete(w.nodes, gone)
	before := w.all()
	for range 5 {
		w.clk.advance(15 * time.Second) // a master that heard of nobody for 20 s would blame itself
		w.report()
	}
	w.forgetSilentNodes()
	must(w.t, w.round(w.t.Context(), false))
	for _, t := range before {
		now, ok := w.byID(t.ID)
		if !ok || (w.policy.aware && len(now.assignment.Executors) < len(t.assignment.Executors)) { // it may have been evicted
			continue
		}
		is := places(now.assignment)
		for span, p := range places(t.assignment) {
			if p.Node != gone && is[span] != p && !w.policy.aware {
				w.fail("%s: node %s was lost and %v moved to %v", t.ID, gone, p, is[span])
			}
		}
	}
}

func (w *world) time() { w.clk.advance(time.Duration(w.rand.IntN(20)) * time.Second) }

// report makes all nodes report, with a worker in every slot that they were given.
func (w *world) report() {
	for _, id := range slices.Sorted(maps.Keys(w.nodes)) {
		r := w.nodes[id]
		r.Workers = nil
		for _, t := range w.all() {
			for slot := range t.slots() {
				if slot.Node == id {
					r.Workers = append(r.Workers, &stormrpc.WorkerReport{TopologyID: t.ID, Port: slot.Port, WorkerID: "w", AssignmentID: t.assignment.ID, Ready: true, AtWork: ref(true)})
				}
			}
		}
		_, _, err := w.hear(r)
		must(w.t, err)
	}
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(w.done, ", "))
}

func (w *world) check() {
	owner := make(map[schedule.Slot]string)
	used := make(map[string]float64)
	for _, t := range w.all() {
		if t.Status == cluster.Rebalancing || t.Previous != "" || t.Pending != nil {
			w.fail("%s is %s", t.ID, t.Status)
		}
		for slot := range t.slots() {
			if other := owner[slot]; other != "" {
				w.fail("%v is of %s and %s", slot, other, t.ID)
			}
			owner[slot] = t.ID
			if r := w.nodes[slot.Node]; r == nil || !slices.Contains(r.Ports, slot.Port) {
				w.fail("%s has %v, which is not there", t.ID, slot)
			}
		}
		w.checkTasks(t)
		for _, wk := range t.assignment.Workers {
			used[wk.Node] += wk.CPU
		}
		stored, err := cluster.ListAssignments(w.t.Context(), w.cfg.Store)
		must(w.t, err)
		i := slices.IndexFunc(stored, func(a cluster.Assignment) bool { return a.Topology == t.ID })
		if t.assignment.ID != "" && (i < 0 || stored[i].ID != t.assignment.ID) {
			w.fail("the store has another assignment of %s", t.ID)
		}
	}
	for node, cpu := range used {
		if w.policy.aware && cpu > 150+1e-6 {
			w.fail("node %s gives %v points", node, cpu)
		}
	}
}

// checkTasks holds an assignment to having every task once, or none at all.
func (w *world) checkTasks(t *topology) {
	if len(t.assignment.Executors) == 0 {
		return
	}
	seen := make(map[int32]bool)
	for _, p := range t.assignment.Executors {
		for task := p.First; task <= p.Last; task++ {
			if seen[task] || t.component[task] != t.component[p.First] {
				w.fail("%s: task %d is placed twice, or with those of another component", t.ID, task)
			}
			seen[task] = true
		}
	}
	if len(seen) != len(t.component) && !w.policy.aware {
		w.fail("%s: %d of %d tasks are placed", t.ID, len(seen), len(t.component))
	}
	if len(t.assignment.Workers) != len(t.slots()) {
		w.fail("%s: resources of %d workers, there are %d", t.ID, len(t.assignment.Workers), len(t.slots()))
	}
}
