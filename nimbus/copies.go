package nimbus

import (
	"context"
	"time"
)

// copyPatience is how long an answer waits for a second master to hold what it acknowledges, where nobody said how many
// copies there have to be.
const copyPatience = 5 * time.Second

// peersDue is how long after the start of a term masters that run have reported.
const peersDue = 10 * time.Second

// copies is how many masters have to hold blobs before they are acknowledged, and for how long to wait for that: below 0 for
// ever. Afterwards they are acknowledged as they are, as in Storm.
type copies struct {
	least    int64
	patience time.Duration
}

// copiesOf are the copies of a new topology: topology.min.replication.count within topology.max.replication.wait.time.sec. Where
// that asks for one only, and not the topology itself does, what other masters there are bounds them: see [Nimbus.spare].
func (n *Nimbus) copiesOf(t *topology, s submission) (copies, error) {
	least, err := t.conf.IntOr("topology.min.replication.count", 1)
	if err != nil {
		return copies{}, asInvalid(err)
	}
	secs, err := t.conf.IntOr("topology.max.replication.wait.time.sec", 60)
	if err != nil {
		return copies{}, asInvalid(err)
	}
	if _, own := s.conf["topology.min.replication.count"]; own || least > 1 {
		return copies{least, time.Duration(min(max(secs, -1), 1<<31)) * time.Second}, nil
	}
	return n.spare(), nil
}

// spare are the copies of what nobody gave a number for: one more where there is another master, so that what was acknowledged
// outlives this one.
func (n *Nimbus) spare() copies {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.peers) > 0 || n.peersAwaitedLocked() {
		return copies{2, copyPatience}
	}
	return copies{1, 0}
}

// peersAwaitedLocked tells whether other masters, of which nimbus.seeds says that there are some, may still have to report in
// this term.
func (n *Nimbus) peersAwaitedLocked() bool {
	seeds, err := n.cfg.Conf.StringList("nimbus.seeds")
	return err == nil && len(seeds) > 1 && n.term != nil && n.cfg.Now().Sub(n.term.began) <= peersDue
}

// waitForCopies waits until enough masters hold these blobs, or for as long as that is worth. It fails when leadership is lost.
func (n *Nimbus) waitForCopies(ctx context.Context, want copies, keys ...string) error {
	if want.least <= 1 {
		return nil
	}
	n.mu.Lock()
	reigning := n.term
	n.mu.Unlock()
	if reigning == nil {
		return n.lead()
	}
	var late <-chan time.Time
	if want.patience >= 0 {
		timer := time.NewTimer(want.patience)
		defer timer.Stop()
		late = timer.C
	}
	for {
		n.mu.Lock()
		fewest, copied := int32(maxPeers+1), n.copied
		for _, key := range keys {
			fewest = min(fewest, n.holdersLocked(key))
		}
		n.mu.Unlock()
		if int64(fewest) >= want.least {
			return nil
		}
		select {
		case <-copied:
		case <-late:
			n.cfg.Log.Warn("fewer nimbus hold a blob than wanted", "blob", keys[0], "copies", fewest, "wanted", want.least)
			return nil
		case <-reigning.over.Done():
			return errDeposed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
