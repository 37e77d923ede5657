package nimbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// What Storm's own supervisors and workers call. Our nodes say and hear all of it in syncNode.

// timeSecsID is the field of a worker's heartbeat that Storm 2.8 sends as i32 and 3.0 as i64.
const timeSecsID = 3

// GetSupervisorAssignments implements stormrpc.Nimbus: the topologies with executors on a node, and where all of each run.
func (n *Nimbus) GetSupervisorAssignments(ctx context.Context, node string) (*stormrpc.SupervisorAssignments, error) {
	if err := n.may(ctx, "getSupervisorAssignments", "", nil); err != nil {
		return nil, err
	}
	all := make(map[string]*stormrpc.Assignment)
	for _, t := range n.all() {
		if t.on[node] {
			all[t.ID] = t.told.Assignment
		}
	}
	return &stormrpc.SupervisorAssignments{StormAssignment: &all}, nil
}

// SendSupervisorWorkerHeartbeats implements stormrpc.Nimbus: signs of life of a node's workers. Those of topologies that are
// gone are passed over, as in Storm.
func (n *Nimbus) SendSupervisorWorkerHeartbeats(ctx context.Context, beats *stormrpc.SupervisorWorkerHeartbeats) error {
	if err := n.may(ctx, "sendSupervisorWorkerHeartbeats", "", nil); err != nil {
		return err
	}
	if beats == nil {
		return errors.New("worker heartbeats are missing")
	}
	if len(beats.WorkerHeartbeats) > maxPorts {
		return fmt.Errorf("%d worker heartbeats, allowed are %d", len(beats.WorkerHeartbeats), maxPorts)
	}
	for _, b := range beats.WorkerHeartbeats {
		if b == nil {
			continue
		}
		if t, ok := n.byID(b.StormID); ok {
			n.beat(t, beats.SupervisorID, b.Executors)
		}
	}
	return nil
}

// SendSupervisorWorkerHeartbeat implements stormrpc.Nimbus: the sign of life of a worker whose supervisor does not answer it.
// NotAliveException tells it to exit.
func (n *Nimbus) SendSupervisorWorkerHeartbeat(ctx context.Context, beat *stormrpc.SupervisorWorkerHeartbeat) error {
	if beat == nil {
		return errors.New("worker heartbeat is missing")
	}
	t, err := n.read(ctx, "sendSupervisorWorkerHeartbeat", beat.StormID)
	if err != nil {
		return err
	}
	n.beat(t, "", beat.Executors)
	return nil
}

// beat counts a heartbeat as a report without news of the worker that has one of the executors, on a node or, with "", on any.
func (n *Nimbus) beat(t *topology, node string, executors []*stormrpc.ExecutorInfo) {
	slot, ok := t.slotOfAny(executors)
	if !ok || node != "" && slot.Node != node {
		return
	}
	now, key := n.cfg.Now(), workerKey{t.ID, slot}
	n.mu.Lock()
	defer n.mu.Unlock()
	w := worker{since: now, stats: make(map[schedule.Executor]*stormrpc.ExecutorStats),
		state: &stormrpc.WorkerState{TopologyID: t.ID, Port: slot.Port}}
	if known := n.workers[key]; known != nil {
		w = *known
	}
	w.seen = now
	n.workers[key] = &w
}

// slotOfAny finds where the first of the executors that is placed at all is placed.
func (t *topology) slotOfAny(executors []*stormrpc.ExecutorInfo) (schedule.Slot, bool) {
	for _, e := range executors {
		if e == nil {
			continue
		}
		all := t.assignment.Executors
		i, ok := slices.BinarySearchFunc(all, e.TaskStart, func(p cluster.Placement, first int32) int { return cmp.Compare(p.First, first) })
		if ok && all[i].Last == e.TaskEnd {
			return schedule.Slot{Node: all[i].Node, Port: all[i].Port}, true
		}
	}
	return schedule.Slot{}, false
}

// ProcessWorkerMetrics implements stormrpc.Nimbus. As in a Storm without a metric store they are dropped.
func (n *Nimbus) ProcessWorkerMetrics(ctx context.Context, _ *stormrpc.WorkerMetrics) error {
	return n.may(ctx, "processWorkerMetrics", "", nil)
}
