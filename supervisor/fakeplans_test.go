package supervisor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// change gives the plan a new version.
func (n *fakeNimbus) change(f func(p *stormrpc.NodePlan)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := *n.plan
	next.Topologies = slices.Clone(n.plan.Topologies)
	next.PlanVersion++
	f(&next)
	n.plan = &next
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *fakeNimbus) setAway(away bool) {
	n.change(func(*stormrpc.NodePlan) { n.away = away })
}

// submit stores the blobs of a topology whose workers act out role and puts it on the slots of a node.
func (n *fakeNimbus) submit(id, role, node string, ports ...int) {
	n.t.Helper()
	n.store(id, conf.Conf{"topology.environment": map[string]any{roleVar: role, "TEXT": "no words"}})
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = append(p.Topologies, planOf(id, p.Epoch, node, ports...))
	})
}

func (n *fakeNimbus) store(id string, c conf.Conf) {
	n.t.Helper()
	data, err := client.EncodeConf(c)
	if err != nil {
		n.t.Fatal(err)
	}
	code, err := client.EncodeTopology(&stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{}, Bolts: map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobs[client.ConfKey(id)], n.blobs[client.CodeKey(id)] = data, code
	n.vers[client.ConfKey(id)]++
}

// put stores a blob.
func (n *fakeNimbus) put(key, data string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.blobs[key] = []byte(data)
	n.vers[key]++
}

func (n *fakeNimbus) remove(id string) {
	n.change(func(p *stormrpc.NodePlan) {
		p.Topologies = slices.DeleteFunc(p.Topologies, func(t *stormrpc.TopologyPlan) bool { return t.TopologyID == id })
	})
}

// planOf puts executor i of a topology on the i-th port.
func planOf(id string, epoch int64, node string, ports ...int) *stormrpc.TopologyPlan {
	where := []wire.MapEntry[[]int64, *stormrpc.NodeInfo]{}
	tasks := map[int32]string{}
	for i, port := range ports {
		task := int64(i + 1)
		where = append(where, wire.MapEntry[[]int64, *stormrpc.NodeInfo]{Key: []int64{task, task},
			Value: &stormrpc.NodeInfo{Node: node, Port: []int64{int64(port)}}})
		tasks[int32(task)] = "spout"
	}
	hosts := map[string]string{node: "localhost"}
	return &stormrpc.TopologyPlan{TopologyID: id, PlanVersion: 1, Epoch: epoch, AssignmentID: fmt.Sprintf("%d-1", epoch),
		Assignment:     &stormrpc.Assignment{NodeHost: &hosts, ExecutorNodePort: &where},
		TaskComponents: tasks, Secret: make([]byte, 32), DagVersion: 1}
}

// until waits for a condition on what Nimbus knows. It is asked after every report and now and then.
func (n *fakeNimbus) until(what string, ok func() bool) {
	n.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		n.mu.Lock()
		met, heard := ok(), n.heard
		n.mu.Unlock()
		if met {
			return
		}
		select {
		case <-heard:
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			n.mu.Lock()
			defer n.mu.Unlock()
			n.t.Fatalf("not in 30 s: %s; workers %v, errors %q", what, slices.Collect(maps.Keys(n.workers)), n.errors)
		}
	}
}

// ready waits until the slot's worker of a topology is up and gives its id and pid.
func (n *fakeNimbus) ready(id string, port int) (string, int) {
	n.t.Helper()
	var w *stormrpc.WorkerReport
	n.until(fmt.Sprintf("%s is ready on %d", id, port), func() bool {
		w = n.workers[int32(port)]
		return w != nil && w.Ready && w.TopologyID == id
	})
	return w.WorkerID, int(w.GetPid())
}

// hears waits for an error that has all the parts.
func (n *fakeNimbus) hears(parts ...string) string {
	n.t.Helper()
	found := ""
	n.until(fmt.Sprintf("error with %q", parts), func() bool {
		i := slices.IndexFunc(n.errors, func(e string) bool {
			return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e, p) })
		})
		if i >= 0 {
			found = n.errors[i]
		}
		return i >= 0
	})
	return found
}

// told lists the errors so far.
func (n *fakeNimbus) told() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.errors)
}

// worker is what was last reported of a slot.
func (n *fakeNimbus) worker(port int) *stormrpc.WorkerReport {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.workers[int32(port)]
}
