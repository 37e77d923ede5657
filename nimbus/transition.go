package nimbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
)

// transition runs an event on a topology: the pure step, then its actions. An event of a caller that does not fit is
// an errNoTransition; an event of a topology that is gone does nothing.
func (n *Nimbus) transition(ctx context.Context, id string, ev event) error {
	n.change.Lock()
	defer n.change.Unlock()
	return n.transitionLocked(ctx, id, ev)
}

// transitionLocked is transition for a caller that holds change.
func (n *Nimbus) transitionLocked(ctx context.Context, id string, ev event) error {
	t, ok := n.byID(id)
	if !ok {
		return nil
	}
	now := state{Status: t.Status, Previous: t.Previous, Pending: t.Pending}
	next, actions, ok := step(now, ev)
	if !ok {
		if ev.kind.system() {
			return nil
		}
		return &errNoTransition{event: ev.kind, status: t.Status, topology: id}
	}
	for _, a := range actions {
		if err := n.act(ctx, t, next, a); err != nil {
			return fmt.Errorf("%s of %s: %w", ev.kind, id, err)
		}
	}
	if len(actions) > 0 {
		n.cfg.Log.Info("topology changed its status", "topology", id, "event", string(ev.kind), "status", string(next.Status))
	}
	return nil
}

func (n *Nimbus) act(ctx context.Context, t *topology, next state, a action) error {
	switch a.kind {
	case actSave:
		return n.save(ctx, t.with(func(t *topology) { t.Status, t.Previous, t.Pending = next.Status, next.Previous, next.Pending }))
	case actArm:
		if a.event == evRemove {
			a.after = max(a.after, lastWord(t))
		}
		n.alarms.arm(t.ID, n.cfg.Now().Add(a.after), a.event)
		return nil
	case actRemove:
		return n.remove(ctx, t)
	case actRebalance:
		return n.rebalance(ctx, t, next)
	}
	return fmt.Errorf("unknown action %q", a.kind)
}

// lastWord is for how long a topology that is killed is there at least. Where there are checkpoints its workers have to hear that it was killed,
// or they would not know that those are not wanted any more.
func lastWord(t *topology) time.Duration {
	if timing, err := compat.TimingOf(t.conf); t.broken == nil && err == nil && timing.Checkpoints() && !timing.Retain {
		return 2 * time.Second
	}
	return 0
}

// save stores an altered topology and tells its nodes. The caller holds change.
func (n *Nimbus) save(ctx context.Context, t *topology) error {
	if err := n.txn(ctx, cluster.PutTopology(t.Topology, cluster.AnyVersion)); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.replaceLocked(t)
	return nil
}

// remove deletes a topology: first its records in one step, then its blobs. A crash in between leaves blobs without
// records, which the next start removes.
func (n *Nimbus) remove(ctx context.Context, t *topology) error {
	ops := cluster.DeleteTopology(t.Topology, cluster.AnyVersion)
	keys := slices.Concat(t.allBlobKeys(), n.ownJars(t))
	for _, key := range keys {
		ops = append(ops, cluster.DeleteBlob(key))
	}
	ops = append(ops, cluster.DeleteErrors(t.ID, n.errors.drop(t.ID))...)
	if err := n.txn(ctx, ops...); err != nil {
		return err
	}
	n.reached("records removed")
	n.alarms.disarm(t.ID)
	n.strike(keys)
	n.mu.Lock()
	n.removeLocked(t)
	n.mu.Unlock()
	n.deleteBlobs(t.ID, keys)
	n.wake() // its slots are free now
	return nil
}

// ownJars are the dependency jars that only t names, in whatever version, and that its owner may delete: a client uploads them for
// one submission. Artifacts are shared and stay, as in Storm.
func (n *Nimbus) ownJars(t *topology) []string {
	if t.code == nil {
		return nil
	}
	named := make(map[string]bool)
	for _, other := range n.all() {
		if other.ID == t.ID {
			continue
		}
		if other.code == nil {
			return nil // it cannot be read now, and may name any of them
		}
		for _, key := range slices.Concat(other.dependencies(), other.jars()) {
			named[key] = true
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, key := range slices.Compact(slices.Sorted(slices.Values(t.jars()))) {
		_, kept := topologyOf(key)
		e, recorded := n.book[key]
		if recorded && !kept && !named[key] && (n.overACL(t.Principal, blobstore.Write) || e.info().ACL.Missing(t.Principal, blobstore.Write) == 0) {
			out = append(out, key)
		}
	}
	return out
}

func (n *Nimbus) deleteBlobs(id string, keys []string) {
	for _, key := range keys {
		if err := n.blobs.Delete(key); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			n.cfg.Log.Warn("blob of a topology stays until the next start", "topology", id, "blob", key, "err", err)
		}
	}
}
