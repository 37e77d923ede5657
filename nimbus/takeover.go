package nimbus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
)

// takeOver begins a term: it makes itself known, reads all records, puts aside rests of what never was committed, arms the
// timers of topologies that wait for something, and asks for a first round. Being known comes first: it is a write, so what
// is read after it is all that earlier leaders wrote. Nothing here waits for another master: what is missing on this disk
// is fetched later, and a topology that cannot be read is no reason not to lead.
func (n *Nimbus) takeOver(ctx context.Context, t *term) error {
	n.change.Lock()
	defer n.change.Unlock()
	n.mirror.set(nil, false) // what is being fetched for the leader before comes too late
	if err := n.announce(ctx); err != nil {
		return err
	}
	if err := n.loadBlobs(ctx); err != nil {
		return err
	}
	if err := n.loadTopologies(ctx); err != nil {
		return err
	}
	for _, top := range n.all() {
		if err := n.transitionLocked(ctx, top.ID, event{kind: evGainLeadership}); err != nil {
			return fmt.Errorf("arm timers of %s: %w", top.ID, err)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := context.Cause(t.over); err != nil {
		return err
	}
	n.leads = true
	n.settle()
	n.bookChangedLocked()
	n.figures.terms.Add(1)
	n.wake()
	return nil
}

// announce writes the leader's record.
func (n *Nimbus) announce(ctx context.Context) error {
	err := n.txn(ctx, cluster.PutLeader(cluster.Leader{Host: n.cfg.Host, Port: n.Port(), Epoch: n.epoch(), Started: n.started}))
	if err != nil {
		return fmt.Errorf("announce leader: %w", err)
	}
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
		t := n.loadTopology(rec)
		t.assignment = where[rec.ID]
		if t.orders, err = n.readOrders(ctx, rec.ID); err != nil {
			return err
		}
		stored, err := cluster.ListErrors(ctx, n.cfg.Store, rec.ID)
		if err != nil {
			return fmt.Errorf("read errors of %s: %w", rec.ID, err)
		}
		n.errors.load(rec.ID, stored)
		if t.versions, err = cluster.ReadVersions(ctx, n.cfg.Store, rec.ID); err != nil {
			return fmt.Errorf("read versions of %s: %w", rec.ID, err)
		}
		n.mu.Lock()
		n.replaceLocked(t)
		n.mu.Unlock()
	}
	return nil
}

// loadTopology makes the topology of a record. One that cannot be read must not keep the cluster without a master: it is
// broken, and stays where it runs.
func (n *Nimbus) loadTopology(rec cluster.Topology) *topology {
	t, err := n.readTopology(rec)
	if err == nil {
		return t
	}
	n.cfg.Log.Error("topology cannot be read; it stays where it runs", "topology", rec.ID, "err", err)
	t = &topology{Topology: rec, conf: n.cfg.Conf, broken: err, component: make(map[int32]string)}
	for id, name := range numbering(rec.Numbering) {
		t.component[int32(id)] = name
	}
	return t
}

func (n *Nimbus) readTopology(rec cluster.Topology) (*topology, error) {
	for _, key := range []string{client.ConfKey(rec.CodeID()), client.CodeKey(rec.CodeID())} {
		n.mu.Lock()
		e, ok := n.book[key]
		missing := ok && !e.here
		n.mu.Unlock()
		if missing {
			return nil, fmt.Errorf("blob %s is not on this nimbus", key)
		}
	}
	c, code, err := n.readStored(rec.CodeID())
	if err != nil {
		return nil, err
	}
	return newTopology(rec, c, code)
}

// mend reads a broken topology again, after one of its blobs came.
func (n *Nimbus) mend(ctx context.Context, id string) {
	n.change.Lock()
	defer n.change.Unlock()
	n.mu.Lock()
	t, reigning := n.topologies[id], n.term
	n.mu.Unlock()
	if t == nil || t.broken == nil || ctx.Err() != nil {
		return
	}
	whole, err := n.readTopology(t.Topology)
	n.mu.Lock()
	defer n.mu.Unlock()
	if reigning == nil || n.term != reigning || n.topologies[id] == nil {
		return // another term, or gone
	}
	if err != nil {
		n.replaceLocked(t.with(func(t *topology) { t.broken = err }))
		return
	}
	whole.assignment, whole.orders, whole.versions = t.assignment, t.orders, t.versions
	n.replaceLocked(whole)
	n.cfg.Log.Info("topology can be read again", "topology", id)
	n.wake()
}

// loadBlobs fills the book and compares it with this disk. Contents that nobody recorded were never acknowledged: they are
// set aside. Where the two differ the record counts, unless the contents are exactly the update of what is recorded, which
// was finished right before a crash.
func (n *Nimbus) loadBlobs(ctx context.Context) error {
	records, err := cluster.ListBlobs(ctx, n.cfg.Store)
	if err != nil {
		return fmt.Errorf("read blob records: %w", err)
	}
	var updated []string
	known := make(map[string]bool)
	for _, b := range records {
		known[b.Key] = true
		e := &blobEntry{Blob: b}
		n.mu.Lock()
		n.staleLocked(e)
		here, err := n.blobs.Info(b.Key) // with mu: blobs may be found damaged meanwhile, see lostBlob
		e.here = err == nil && here.SHA256 == b.SHA256
		n.book[b.Key] = e
		n.mu.Unlock()
		switch {
		case err == nil && here.SHA256 != b.SHA256 && here.Base != 0 && here.Base == b.Version:
			updated = append(updated, b.Key)
		case err == nil && here.SHA256 == b.SHA256 && len(b.ACL) > 0:
			if acl, _ := json.Marshal(here.ACL); string(acl) != string(b.ACL) || here.Replication != e.info().Replication {
				err := n.blobs.SetMeta(b.Key, e.info().ACL, e.info().Replication)
				if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
					return fmt.Errorf("rights of blob %s: %w", b.Key, err)
				}
			}
		}
	}
	for key := range n.blobs.All() {
		if known[key] {
			continue
		}
		err := n.blobs.SetAside(key, errors.New("the cluster has no record of it"))
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return err
		}
	}
	for _, key := range updated {
		if err := n.recordBlob(ctx, key); err != nil {
			return err
		}
	}
	return nil
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
