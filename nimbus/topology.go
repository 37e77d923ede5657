package nimbus

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// topology is everything known of a live topology. Once it stands in Nimbus.topologies it is never changed: with makes
// an altered copy.
type topology struct {
	cluster.Topology
	conf      conf.Conf               // whole: the daemon's under the topology's
	code      *stormrpc.StormTopology // normalized
	system    *stormrpc.StormTopology // with system components
	executors []schedule.Executor     // in order of First
	component map[int32]string        // of every task
	// shape is what the scheduler is told of it, apart from what changes with time. It is empty if broken is set.
	shape schedule.Topology
	// assignment is where executors run; its ID is empty while nothing was ever placed.
	assignment cluster.Assignment
	// orders are what its workers are told beside that.
	orders orders
	// versions are what it was before, and is.
	versions cluster.Versions
	// on holds the nodes with workers of the topology, and told is what they are told. Both are made when the topology
	// is put in place: nodes ask far more often than anything changes.
	on   map[string]bool
	told *stormrpc.TopologyPlan
	// broken says why the stored topology cannot be read. Such a topology stays where it runs; it can be killed.
	broken error
}

// with returns a copy of t that change has altered.
func (t *topology) with(change func(*topology)) *topology {
	c := *t
	change(&c)
	return &c
}

// newTopology expands a record. conf and code are kept.
func newTopology(rec cluster.Topology, c conf.Conf, code *stormrpc.StormTopology) (*topology, error) {
	system, err := compat.SystemTopology(c, code)
	if err != nil {
		return nil, err
	}
	graph, err := compat.Compile(code, c)
	if err != nil {
		return nil, err
	}
	t := &topology{Topology: rec, conf: c, code: code, system: system}
	if err := t.expand(graph); err != nil {
		return nil, err
	}
	t.shape, err = t.shapeOf()
	return t, err
}

// replaceCode takes code with the same tasks as before, if it is other code.
func (t *topology) replaceCode(code *stormrpc.StormTopology) error {
	if code == t.code {
		return nil
	}
	system, err := compat.SystemTopology(t.conf, code)
	if err == nil {
		_, err = compat.Compile(code, t.conf)
	}
	if err == nil {
		t.code, t.system = code, system
	}
	return err
}

// expand computes tasks and executors. A record without numbering gets one; one without executor counts gets the
// graph's.
func (t *topology) expand(graph *dag.Graph) error {
	if t.Executors == nil {
		t.Executors = make(map[string]int)
		for _, p := range graph.Processors {
			if p.Executors > 0 {
				t.Executors[p.Name] = p.Executors
			}
		}
	}
	plan, err := dag.ExpandAfter(graph, numbering(t.Numbering), former(&t.Topology), t.Executors)
	if err != nil {
		return fmt.Errorf("number tasks: %w", err)
	}
	t.Numbering = runs(plan.Numbering)
	t.component = make(map[int32]string, len(plan.Numbering))
	for id, name := range plan.Numbering {
		t.component[int32(id)] = name
	}
	t.executors = make([]schedule.Executor, 0, len(plan.Executors))
	for _, e := range plan.Executors {
		t.executors = append(t.executors, schedule.Executor{First: int32(e.First), Last: int32(e.Last)})
	}
	return nil
}

// numbering turns stored runs into the map that package dag takes; no runs are no numbering.
func numbering(stored []cluster.TaskRun) dag.Numbering {
	if len(stored) == 0 {
		return nil
	}
	out := make(dag.Numbering)
	for _, r := range stored {
		for id := r.First; id <= r.Last; id++ {
			out[gearcore.TaskID(id)] = r.Component
		}
	}
	return out
}

// runs is the short form of a numbering in which it is stored.
func runs(n dag.Numbering) []cluster.TaskRun {
	var out []cluster.TaskRun
	for _, id := range slices.Sorted(maps.Keys(n)) {
		name := n[id]
		if last := len(out) - 1; last >= 0 && out[last].Component == name && out[last].Last == int32(id)-1 {
			out[last].Last++
			continue
		}
		out = append(out, cluster.TaskRun{Component: name, First: int32(id), Last: int32(id)})
	}
	return out
}

// slots returns the places of the topology's workers.
func (t *topology) slots() map[schedule.Slot][]cluster.Placement {
	out := make(map[schedule.Slot][]cluster.Placement)
	for _, p := range t.assignment.Executors {
		slot := schedule.Slot{Node: p.Node, Port: p.Port}
		out[slot] = append(out[slot], p)
	}
	return out
}

// places says whether the executor of those tasks is placed in slot.
func (t *topology) places(first, last int32, slot schedule.Slot) bool {
	all := t.assignment.Executors
	i, ok := slices.BinarySearchFunc(all, first, func(p cluster.Placement, first int32) int { return cmp.Compare(p.First, first) })
	return ok && all[i].Last == last && all[i].Node == slot.Node && all[i].Port == slot.Port
}

// has says whether the topology has tasks of a component; every one has those of __system.
func (t *topology) has(component string) bool {
	return component == gearcore.SystemComponent ||
		slices.ContainsFunc(t.Numbering, func(r cluster.TaskRun) bool { return r.Component == component })
}

// messageTimeout is the wait of a kill or a rebalance that names none.
func (t *topology) messageTimeout() time.Duration {
	d, err := t.conf.SecsOr("topology.message.timeout.secs", 30*time.Second)
	if err != nil || d < 0 {
		return 30 * time.Second
	}
	return d
}

// uptime is the time since launch in whole seconds.
func (t *topology) uptime(now time.Time) int32 { return secondsBetween(t.Launched, now) }

func secondsBetween(from, to time.Time) int32 {
	return int32(max(0, min(to.Sub(from)/time.Second, 1<<31-1)))
}
