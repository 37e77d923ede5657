package nimbus

import (
	"context"
	"fmt"
	"maps"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// checkRebalance refuses a rebalance that cannot be done.
func (n *Nimbus) checkRebalance(t *topology, r cluster.Rebalance) error {
	next, err := rebalanced(t, r)
	if err != nil {
		return asInvalid(err)
	}
	if err := n.policy.check(next); err != nil {
		return err
	}
	if r.Conf != "" || len(r.Resources) > 0 {
		if err := checkHeap(n.cfg.Conf, next.conf, next.code); err != nil {
			return err
		}
	}
	if r.Workers == 0 && len(r.Executors) == 0 {
		return nil
	}
	executors := int64(0)
	for id, count := range next.Executors {
		if !isSystem(id) {
			executors += int64(count)
		}
	}
	return checkCounts(n.cfg.Conf, int64(next.Workers), executors)
}

// rebalance applies what was asked for and moves what has to move for it; with nothing asked for, what makes the nodes more
// alike. The status is written last: after a crash or an
// error in between the topology is still REBALANCING, and all of it is done again.
func (n *Nimbus) rebalance(ctx context.Context, t *topology, next state) error {
	changed, err := rebalanced(t, *t.Pending.Rebalance)
	if err != nil {
		// It was checked when it was asked for; the topology must not stay REBALANCING for ever over it.
		n.cfg.Log.Error("rebalance cannot be applied; the topology goes on as it was", "topology", t.ID, "err", err)
		changed = t
	} else if err := n.rewriteBlobs(ctx, t, changed); err != nil {
		return err
	}
	if r := t.Pending.Rebalance; err == nil && (r.Conf != "" || len(r.Resources) > 0) {
		changed = changed.with(func(t *topology) { t.CodeVersion++ })
	}
	n.reached("blobs rewritten")
	if err := n.save(ctx, changed); err != nil {
		return err
	}
	if err := n.placeLocked(ctx, placing{rebalance: t.ID}); err != nil {
		return err
	}
	placed, _ := n.byID(t.ID)
	return n.save(ctx, placed.with(func(t *topology) { t.Status, t.Previous, t.Pending = next.Status, next.Previous, next.Pending }))
}

// rewriteBlobs stores a new version of those blobs in which next differs from old.
func (n *Nimbus) rewriteBlobs(ctx context.Context, old, next *topology) error {
	blobs := make(map[string][]byte)
	if len(old.Pending.Rebalance.Resources) > 0 {
		raw, err := client.EncodeTopology(next.code)
		if err != nil {
			return err
		}
		blobs[client.CodeKey(old.CodeID())] = raw
	}
	if old.Pending.Rebalance.Conf != "" {
		raw, err := client.EncodeConf(next.conf)
		if err != nil {
			return err
		}
		blobs[client.ConfKey(old.CodeID())] = raw
	}
	for key, data := range blobs {
		if _, err := n.blobs.Update(key, data); err != nil {
			return err
		}
		if err := n.recordBlob(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// rebalanced returns t as it is after a rebalance. The tasks of a topology never change by one: a change that would is
// an error.
func rebalanced(t *topology, r cluster.Rebalance) (*topology, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	if err := checkTimed(t, r); err != nil {
		return nil, err
	}
	rec := t.Topology
	rec.Executors = maps.Clone(rec.Executors)
	maps.Copy(rec.Executors, r.Executors)
	if r.Workers > 0 {
		rec.Workers = r.Workers
	}
	over := conf.Conf{}
	if r.Conf != "" {
		var err error
		if over, err = conf.ParseJSON([]byte(r.Conf)); err != nil {
			return nil, err
		}
	}
	whole := conf.Merge(t.conf, over)
	if !whole.Has("topology.acker.executors") {
		// Unset means one acker for each worker wanted at submit. A rebalance changes workers, not tasks.
		whole["topology.acker.executors"] = int64(countTasks(t, ackerComponent))
	}
	code, err := withResources(t.code, r.Resources)
	if err != nil {
		return nil, err
	}
	out, err := newTopology(rec, whole, code)
	if err != nil {
		return nil, err
	}
	out.assignment, out.orders, out.versions = t.assignment, t.orders, t.versions
	if len(over) == 0 {
		out.conf = t.conf // the number pinned above is not the user's
	}
	return out, nil
}

func countTasks(t *topology, component string) int {
	count := 0
	for _, c := range t.component {
		if c == component {
			count++
		}
	}
	return count
}

// checkTimed refuses what a topology with a clock cannot have: executors of several tasks. Nor can one get a clock or checkpoints, or lose them.
func checkTimed(t *topology, r cluster.Rebalance) error {
	before, err := compat.TimingOf(t.conf)
	if err != nil {
		return err
	}
	if before.Timed {
		for id, count := range r.Executors {
			if tasks := countTasks(t, id); int(count) != tasks {
				return fmt.Errorf("component %s has %d tasks, and in a topology with event time or checkpoints each of them has an executor of its own", id, tasks)
			}
		}
	}
	if r.Conf == "" {
		return nil
	}
	over, err := conf.ParseJSON([]byte(r.Conf))
	if err != nil {
		return err
	}
	after, err := compat.TimingOf(conf.Merge(t.conf, over))
	switch {
	case err != nil:
		return err
	case before.Timed != after.Timed || before.Checkpoints() != after.Checkpoints():
		return fmt.Errorf("%s and %s cannot be turned on or off while a topology lives: submit it anew", compat.EventTimeKey, compat.CheckpointIntervalKey)
	case before.Checkpoints() && before.Store != after.Store:
		return fmt.Errorf("%s cannot change while a topology lives, as it would not find its checkpoints: submit it anew", compat.CheckpointStoreKey)
	}
	return nil
}
