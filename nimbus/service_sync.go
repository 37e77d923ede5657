package nimbus

import (
	"context"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// SyncNode implements stormrpc.Gearstorm: a node reports, and gets its plan at once when it knows another version than
// the present one or there is a question to its workers, else when that is so or its wait is over. The wait is cut to a third of nimbus.task.timeout.secs.
func (n *Nimbus) SyncNode(ctx context.Context, report *stormrpc.NodeReport, known int64, waitMs int32) (*stormrpc.NodePlan, error) {
	if err := n.lead(); err != nil {
		return nil, err
	}
	if err := n.may(ctx, "syncNode", "", nil); err != nil {
		return nil, err
	}
	if err := checkReport(report); err != nil {
		return nil, err
	}
	if err := n.outrun(ctx, report); err != nil {
		return nil, err
	}
	nd, slotsChanged, err := n.hear(report)
	if err != nil {
		return nil, err
	}
	if slotsChanged {
		n.cfg.Log.Info("supervisor registered", "supervisor", report.NodeID, "host", report.Hostname, "slots", len(report.Ports))
		n.wake()
	}
	return n.await(ctx, nd, known, min(time.Duration(max(0, waitMs))*time.Millisecond, n.maxHold()))
}

// await returns the plan of a node: at once when known is not its version, else when it changes or wait is over.
func (n *Nimbus) await(ctx context.Context, nd *node, known int64, wait time.Duration) (*stormrpc.NodePlan, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		n.mu.Lock()
		version, changed, asked := nd.plan, nd.changed, len(nd.questions) > 0
		_, registered := n.nodes[nd.id]
		n.mu.Unlock()
		if version != known || asked || !registered {
			break
		}
		select {
		case <-changed:
			continue
		case <-timer.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		break
	}
	if err := n.lead(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.planLocked(nd), nil
}

// SyncWorker implements stormrpc.Gearstorm. Workers talk to their supervisor, not to the master.
func (n *Nimbus) SyncWorker(context.Context, *stormrpc.WorkerReport, int64, int32) (*stormrpc.TopologyPlan, error) {
	return nil, wire.ErrNotImplemented
}
