package nimbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Nodes refuse plans of an epoch below the largest they have seen. A store that was wiped begins with epoch 1 again, and
// its leader would be refused for ever. So a leader that hears of a larger epoch goes on under one above it.
//
// Two others could claim a larger epoch. A leader that was replaced hears of the new one from nodes: it must not put itself
// above it, and cannot, since raising is a write fenced by its own epoch; it learns that it is over instead. And somebody who
// may report as a node can claim any number: what is believed is bounded, by a step from the present epoch and in all, so
// that the numbers do not run out (a plan's version has 31 bits for the epoch). With that he can only make the leader
// count up; nothing that runs is touched by it.
const (
	// maxEpochStep is how far above its own epoch a leader believes a node.
	maxEpochStep = 1 << 20
	// maxEpoch is the largest epoch that a node is believed. Campaigns may go on from there.
	maxEpoch = 1 << 30
)

// outrun makes this leader's epoch the larger one when a node has seen one that is not below it.
func (n *Nimbus) outrun(ctx context.Context, report *stormrpc.NodeReport) error {
	epoch := n.epoch()
	seen := cluster.Epoch(report.Epoch)
	if seen <= epoch {
		return nil
	}
	refused := fmt.Errorf("this nimbus leads epoch %d, the node has seen epoch %d", epoch, seen)
	raiser, ok := n.cfg.Store.(cluster.Raiser)
	if !ok {
		return fmt.Errorf("%w, and the store cannot raise an epoch", refused)
	}
	if seen-epoch > maxEpochStep || seen >= maxEpoch {
		return fmt.Errorf("%w, which is more than a cluster can have had", refused)
	}
	n.change.Lock()
	defer n.change.Unlock()
	n.mu.Lock()
	t, epoch := n.term, n.epochLocked()
	n.mu.Unlock()
	if t == nil || t.over.Err() != nil {
		return n.lead()
	}
	if epoch > seen {
		return nil // another node's report was faster
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	defer context.AfterFunc(t.over, cancel)()
	if err := raiser.RaiseEpoch(ctx, epoch, seen+1); err != nil {
		if errors.Is(err, cluster.ErrFenced) {
			n.figures.fenced.Add(1)
		}
		t.end(fmt.Errorf("raise epoch %d to %d: %w", epoch, seen+1, err))
		n.stepDown()
		return n.lead()
	}
	n.cfg.Log.Warn("nodes have seen a larger epoch: the cluster's state was wiped; this nimbus goes on above it",
		"supervisor", report.NodeID, "seen", int64(seen), "epoch", int64(seen+1), "was", int64(epoch))
	n.figures.raised.Add(1)
	n.mu.Lock()
	t.Epoch = seen + 1
	for _, top := range n.topologies {
		n.replaceLocked(top.with(func(*topology) {})) // every plan carries the epoch
	}
	for id := range n.nodes {
		n.tellLocked(map[string]bool{id: true})
	}
	n.bookChangedLocked()
	n.mu.Unlock()
	return n.announce(ctx)
}
