package nimbus

import (
	"context"
	"fmt"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// orders are what the workers of a topology are told beside where they run. Each is a record of its own in the store. What
// they hold is never changed, only replaced.
type orders struct {
	levels      cluster.LogConfig
	credentials map[string]string
	requests    cluster.Requests
	savepoints  []*stormrpc.SavepointRequest // asked of this master; not stored
}

// readOrders reads the orders of a topology from the store.
func (n *Nimbus) readOrders(ctx context.Context, id string) (o orders, err error) {
	if o.levels, err = cluster.ReadLogConfig(ctx, n.cfg.Store, id); err != nil {
		return o, fmt.Errorf("read log levels of %s: %w", id, err)
	}
	c, err := cluster.ReadCredentials(ctx, n.cfg.Store, id)
	if err != nil {
		return o, fmt.Errorf("read credentials of %s: %w", id, err)
	}
	o.credentials = c.Values
	if o.requests, err = cluster.ReadRequests(ctx, n.cfg.Store, id); err != nil {
		return o, fmt.Errorf("read requests to workers of %s: %w", id, err)
	}
	return o, nil
}

// order changes the orders of a live topology: change alters its copy and returns the operation that stores that. Nodes are
// told at once.
func (n *Nimbus) order(ctx context.Context, id string, change func(*orders) (cluster.Op, error)) error {
	n.change.Lock()
	defer n.change.Unlock()
	t, ok := n.byID(id)
	if !ok {
		return notAliveID(id)
	}
	next := t.orders
	op, err := change(&next)
	if err != nil {
		return err
	}
	if err := n.txn(ctx, op); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replaceLocked(t.with(func(t *topology) { t.orders = next }))
	return nil
}

// tell adds the orders to a plan.
func (o orders) tell(p *stormrpc.TopologyPlan) {
	p.LogConfig, p.Credentials, p.Savepoints = thriftLevels(o.levels), o.credentials, o.savepoints
	for _, r := range o.requests.Pending {
		a := &stormrpc.WorkerAction{ID: r.ID, Node: r.Node, Port: r.Port, Action: stormrpc.ProfileAction(r.Action)}
		if a.Action == stormrpc.ProfileAction_JPROFILE_STOP {
			a.UntilMs = r.Stamp
		}
		p.Actions = append(p.Actions, a)
	}
}
