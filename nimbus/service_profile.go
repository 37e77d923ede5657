package nimbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// requestPatience is how long a request to a worker is kept that nobody carries out. A profile takes an hour at most.
const requestPatience = 2 * time.Hour

// SetWorkerProfiler implements stormrpc.Nimbus: a request to one worker, which its node is told at once. As in Storm a newer
// request takes the place of one for the same worker and action.
func (n *Nimbus) SetWorkerProfiler(ctx context.Context, id string, r *stormrpc.ProfileRequest) error {
	if _, err := n.read(ctx, "setWorkerProfiler", id); err != nil {
		return err
	}
	if r == nil || r.NodeInfo == nil || len(r.NodeInfo.Port) != 1 {
		return errors.New("profile request names no worker: wanted are a host and one port")
	}
	if r.Action < stormrpc.ProfileAction_JPROFILE_STOP || r.Action > stormrpc.ProfileAction_JVM_RESTART {
		return fmt.Errorf("profile action %d is not known", r.Action)
	}
	return n.order(ctx, id, func(o *orders) (cluster.Op, error) {
		t, _ := n.byID(id)
		slot, ok := t.workerAt(r.NodeInfo.Node, r.NodeInfo.Port[0])
		if !ok {
			return cluster.Op{}, fmt.Errorf("topology %s has no worker at %.255s:%d", id, r.NodeInfo.Node, r.NodeInfo.Port[0])
		}
		next := cluster.Request{ID: o.requests.Last + 1, Node: slot.Node, Host: t.assignment.Hosts[slot.Node], Port: slot.Port,
			Action: int64(r.Action), Stamp: r.GetTimeStamp(), Asked: n.cfg.Now().UTC()}
		pending := slices.DeleteFunc(slices.Clone(o.requests.Pending), func(p cluster.Request) bool {
			return p.Node == next.Node && p.Port == next.Port && p.Action == next.Action
		})
		o.requests = cluster.Requests{Last: next.ID, Pending: append(pending, next)}
		return cluster.PutRequests(id, o.requests), nil
	})
}

// workerAt finds a worker by its node's host or id.
func (t *topology) workerAt(where string, port int64) (schedule.Slot, bool) {
	for slot := range t.slots() {
		if int64(slot.Port) == port && (slot.Node == where || t.assignment.Hosts[slot.Node] == where) {
			return slot, true
		}
	}
	return schedule.Slot{}, false
}

// GetComponentPendingProfileActions implements stormrpc.Nimbus: what is pending of an action for workers with tasks of a
// component.
func (n *Nimbus) GetComponentPendingProfileActions(ctx context.Context, id, component string, action stormrpc.ProfileAction) ([]*stormrpc.ProfileRequest, error) {
	t, err := n.read(ctx, "getComponentPendingProfileActions", id)
	if err != nil {
		return nil, err
	}
	out := []*stormrpc.ProfileRequest{}
	for _, r := range t.orders.requests.Pending {
		hosts := slices.ContainsFunc(t.assignment.Executors, func(p cluster.Placement) bool {
			return p.Node == r.Node && p.Port == r.Port && t.component[p.First] == component
		})
		if !hosts || r.Action != int64(action) {
			continue
		}
		told := &stormrpc.ProfileRequest{NodeInfo: &stormrpc.NodeInfo{Node: r.Host, Port: []int64{int64(r.Port)}}, Action: action}
		if r.Stamp != 0 {
			told.TimeStamp = ref(r.Stamp)
		}
		out = append(out, told)
	}
	return out, nil
}

// requestKey is a request to a worker of a topology.
type requestKey struct {
	topology string
	id       int64
}

// noteDoneLocked takes a worker's word for requests to it that are done; they are removed a little later.
func (n *Nimbus) noteDoneLocked(t *topology, slot schedule.Slot, done []int64) {
	for _, r := range t.orders.requests.Pending {
		if r.Node == slot.Node && r.Port == slot.Port && slices.Contains(done, r.ID) {
			n.done[requestKey{t.ID, r.ID}] = true
		}
	}
}

// settleRequests removes requests that are over.
func (n *Nimbus) settleRequests(ctx context.Context) error {
	var errs []error
	for _, t := range n.all() {
		over := n.requestsOver(t)
		if len(over) == 0 {
			continue
		}
		errs = append(errs, n.order(ctx, t.ID, func(o *orders) (cluster.Op, error) {
			o.requests.Pending = slices.DeleteFunc(slices.Clone(o.requests.Pending), func(r cluster.Request) bool { return over[r.ID] })
			return cluster.PutRequests(t.ID, o.requests), nil
		}))
	}
	return errors.Join(errs...)
}

// requestsOver finds requests of a topology that are done, whose worker is gone, or that nobody carries out.
func (n *Nimbus) requestsOver(t *topology) map[int64]bool {
	if len(t.orders.requests.Pending) == 0 {
		return nil
	}
	over, slots := make(map[int64]bool), t.slots()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range t.orders.requests.Pending {
		_, there := slots[schedule.Slot{Node: r.Node, Port: r.Port}]
		if n.done[requestKey{t.ID, r.ID}] || !there || n.cfg.Now().Sub(r.Asked) > requestPatience {
			over[r.ID] = true
			delete(n.done, requestKey{t.ID, r.ID})
		}
	}
	return over
}
