package nimbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// takeOver begins a term: it makes itself known, reads all records, removes rests of submissions that never were
// committed, arms the timers of topologies that wait for something, and asks for a first round.
func (n *Nimbus) takeOver(ctx context.Context, term cluster.Term) error {
	n.mu.Lock()
	n.term, n.heard = term, time.Time{}
	n.sequence, n.placements = 0, 0
	n.mu.Unlock()
	err := n.txn(ctx, cluster.PutLeader(cluster.Leader{Host: n.cfg.Host, Port: n.Port(), Epoch: term.Epoch, Started: n.started}))
	if err != nil {
		return fmt.Errorf("announce leader: %w", err)
	}
	if err := n.loadTopologies(ctx); err != nil {
		return err
	}
	if err := n.sweepBlobs(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	n.leads = true
	n.mu.Unlock()
	for _, t := range n.all() {
		if err := n.transition(ctx, t.ID, event{kind: evGainLeadership}); err != nil {
			return fmt.Errorf("arm timers of %s: %w", t.ID, err)
		}
	}
	n.wake()
	return nil
}

func (n *Nimbus) loadTopologies(ctx context.Context) error {
	records, err := cluster.ListTopologies(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read topologies: %w", err)
	}
	assignments, err := cluster.ListAssignments(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read assignments: %w", err)
	}
	where := make(map[string]cluster.Assignment)
	for _, a := range assignments {
		where[a.Topology] = a
	}
	for _, rec := range records {
		t, err := n.loadTopology(rec)
		if err != nil {
			// One topology that cannot be read must not keep the cluster without a master.
			n.cfg.Log.Error("topology cannot be read; it stays where it runs", "topology", rec.ID, "err", err)
			t = &topology{Topology: rec, conf: n.cfg.Conf, broken: err}
			t.component = make(map[int32]string)
			for id, name := range numbering(rec.Numbering) {
				t.component[int32(id)] = name
			}
		}
		t.assignment = where[rec.ID]
		stored, err := cluster.ListErrors(ctx, n.cfg.Store, rec.ID)
		if err != nil {
			return fmt.Errorf("read errors of %s: %w", rec.ID, err)
		}
		n.errors.load(rec.ID, stored)
		n.mu.Lock()
		n.replaceLocked(t)
		n.mu.Unlock()
	}
	return nil
}

func (n *Nimbus) loadTopology(rec cluster.Topology) (*topology, error) {
	rawConf, err := n.blobs.ReadFile(client.ConfKey(rec.ID), client.MaxStoredBytes)
	if err != nil {
		return nil, err
	}
	c, err := client.DecodeConf(rawConf)
	if err != nil {
		return nil, err
	}
	rawCode, err := n.blobs.ReadFile(client.CodeKey(rec.ID), client.MaxStoredBytes)
	if err != nil {
		return nil, err
	}
	code, err := client.DecodeTopology(rawCode)
	if err != nil {
		return nil, err
	}
	return newTopology(rec, c, code)
}

// sweepBlobs compares blobs with their records. The three blobs of a topology get their records with the topology's, so
// such a blob without a record is the rest of a submission or of a removal that was cut off. Any other blob without a
// record was finished right before a crash and gets it now.
func (n *Nimbus) sweepBlobs(ctx context.Context) error {
	records, err := cluster.ListBlobs(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read blob records: %w", err)
	}
	known := make(map[string]bool)
	for _, b := range records {
		known[b.Key] = true
		if _, err := n.blobs.Info(b.Key); err != nil {
			n.cfg.Log.Error("blob has a record but no contents", "blob", b.Key, "err", err)
		}
	}
	for after := ""; ; {
		keys := n.blobs.Keys(after, 100)
		if len(keys) == 0 {
			return nil
		}
		after = keys[len(keys)-1]
		for _, key := range keys {
			if known[key] {
				continue
			}
			if err := n.adoptOrDelete(ctx, key); err != nil {
				return err
			}
		}
	}
}

func (n *Nimbus) adoptOrDelete(ctx context.Context, key string) error {
	if id, ok := topologyOf(key); ok {
		n.cfg.Log.Info("removing a rest of a submission", "topology", id, "blob", key)
		if err := n.blobs.Delete(key); err != nil {
			return fmt.Errorf("remove rest of a submission: %w", err)
		}
		return nil
	}
	return n.recordBlob(ctx, key)
}

// topologyOf returns the id in the key of a topology's own blob.
func topologyOf(key string) (id string, ok bool) {
	for _, name := range []func(string) string{client.JarKey, client.CodeKey, client.ConfKey} {
		if id, ok := strings.CutSuffix(key, name("")); ok && id != "" {
			return id, true
		}
	}
	return "", false
}

// recordBlob writes the record of a blob as it is now.
func (n *Nimbus) recordBlob(ctx context.Context, key string) error {
	op, err := n.blobOp(key)
	if err != nil {
		return err
	}
	if err := n.txn(ctx, op); err != nil {
		return fmt.Errorf("record blob %s: %w", key, err)
	}
	return nil
}

func (n *Nimbus) blobOp(key string) (cluster.Op, error) {
	info, err := n.blobs.Info(key)
	if err != nil {
		return cluster.Op{}, err
	}
	return cluster.PutBlob(cluster.Blob{Key: key, Version: info.Version, Size: info.Size, SHA256: info.SHA256,
		Holders: []string{n.cfg.Host}}), nil
}

func sortTopologies(all []*topology) {
	slices.SortFunc(all, func(a, b *topology) int { return cmp.Compare(a.ID, b.ID) })
}

// flushErrors stores the errors that came since the last time.
func (n *Nimbus) flushErrors(ctx context.Context) error {
	var errs []error
	for _, c := range n.errors.takeDirty(100) {
		if _, ok := n.byID(c.topology); !ok {
			continue
		}
		err := n.txn(ctx, cluster.PutErrors(c.topology, cluster.Errors{Component: c.component, Errors: c.errors}))
		if err != nil {
			n.errors.again(c.errorKey)
			errs = append(errs, fmt.Errorf("store errors of %s: %w", c.topology, err))
		}
	}
	return errors.Join(errs...)
}
