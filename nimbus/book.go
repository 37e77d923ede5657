package nimbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// The book is what a leader knows of the cluster's blobs: their records, and which of them are on its own disk. Peers are
// told what is in it. Nimbus.mu guards it.

// blobEntry is one blob.
type blobEntry struct {
	cluster.Blob
	here    bool // these contents are on the leader's disk
	offered bool // not recorded yet: peers may copy it already
	stale   bool // who holds it differs from what is recorded
}

// blobOf describes a blob as it is on this disk.
func (n *Nimbus) blobOf(key string) (cluster.Blob, error) {
	info, err := n.blobs.Info(key)
	if err != nil {
		return cluster.Blob{}, err
	}
	acl, err := json.Marshal(info.ACL)
	if err != nil {
		return cluster.Blob{}, fmt.Errorf("rights of blob %s: %w", key, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return cluster.Blob{Key: key, Version: info.Version, Size: info.Size, SHA256: info.SHA256, ACL: acl,
		Replication: info.Replication, Holders: append(n.peersWithLocked(key, info.SHA256), n.self())}, nil
}

// bookVersionOf returns the version of a blob that is on record, 0 if none is. The copy on this disk may be an older one.
func (n *Nimbus) bookVersionOf(key string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, ok := n.book[key]; ok {
		return e.Version
	}
	return 0
}

// recordBlobs writes the records of blobs as they are on this disk, in one step with ops, and enters them.
func (n *Nimbus) recordBlobs(ctx context.Context, keys []string, ops ...cluster.Op) error {
	var blobs []cluster.Blob
	for _, key := range keys {
		b, err := n.blobOf(key)
		if err != nil {
			return err
		}
		slices.Sort(b.Holders)
		blobs = append(blobs, b)
		ops = append(ops, cluster.PutBlob(b))
	}
	if err := n.txn(ctx, ops...); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range blobs {
		info, err := n.blobs.Info(b.Key)
		e := &blobEntry{Blob: b, here: err == nil && info.SHA256 == b.SHA256}
		n.book[b.Key] = e
		n.staleLocked(e) // a peer may have told of its copy during the write
	}
	n.bookChangedLocked()
	return nil
}

// recordBlob writes the record of a blob as it is now.
func (n *Nimbus) recordBlob(ctx context.Context, key string) error {
	if err := n.recordBlobs(ctx, []string{key}); err != nil {
		return fmt.Errorf("record blob %s: %w", key, err)
	}
	return nil
}

// offer lets peers copy blobs that have no record yet.
func (n *Nimbus) offer(keys []string) error {
	for _, key := range keys {
		b, err := n.blobOf(key)
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.book[key] = &blobEntry{Blob: b, here: true, offered: true}
		n.mu.Unlock()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bookChangedLocked()
	return nil
}

// strike takes blobs out of the book.
func (n *Nimbus) strike(keys []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, key := range keys {
		delete(n.book, key)
	}
	n.bookChangedLocked()
}

// bookChangedLocked tells the peers, and sees to what is missing here.
func (n *Nimbus) bookChangedLocked() {
	if n.term == nil {
		return
	}
	n.bookVersion = n.nextVersionLocked()
	n.tellPeersLocked()
	n.wantMissingLocked()
}

// wantMissingLocked lets the mirror fetch what the leader lacks.
func (n *Nimbus) wantMissingLocked() {
	want := make(map[string]wanted)
	for key, e := range n.book {
		if e.here {
			continue
		}
		from := n.peersWithLocked(key, e.SHA256)
		for _, addr := range e.Holders {
			if !slices.Contains(from, addr) {
				from = append(from, addr)
			}
		}
		want[key] = wanted{Info: e.info(), from: from[:min(len(from), maxPeers)]}
	}
	n.mirror.set(want, false)
}

// info is the form of an entry in which the blob store describes blobs.
func (e *blobEntry) info() blobstore.Info {
	info := blobstore.Info{Key: e.Key, Version: e.Version, Size: e.Size, SHA256: e.SHA256, Replication: max(1, e.Replication)}
	_ = json.Unmarshal(e.ACL, &info.ACL) // a record of an older release has none
	return info
}

// noteHere notes that the contents of a blob came to this disk; it returns false when this master does not lead or they are
// not the ones that count.
func (n *Nimbus) noteHere(key string) bool {
	info, err := n.blobs.Info(key)
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.book[key]
	if !ok || err != nil || e.SHA256 != info.SHA256 {
		return false
	}
	e.here = true
	n.staleLocked(e)
	n.bookChangedLocked()
	return true
}

// lostBlob notes that a blob turned out to be damaged and is not on this disk any more. It comes after the blob was set
// aside, and entries are made with mu held from the look at the disk on, so none is missed.
func (n *Nimbus) lostBlob(key string) {
	signal(n.mirror.changed)
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, ok := n.book[key]; ok {
		e.here = false
		n.staleLocked(e)
		n.bookChangedLocked()
	}
}

// staleLocked lets the loop look at who holds a blob.
func (n *Nimbus) staleLocked(e *blobEntry) { e.stale, n.bookStale = true, true }

// holders is how many masters that can be reached hold a blob.
func (n *Nimbus) holders(key string) int32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.holdersLocked(key)
}

func (n *Nimbus) holdersLocked(key string) int32 {
	e, ok := n.book[key]
	if !ok {
		return 0
	}
	count := len(n.peersWithLocked(key, e.SHA256))
	if e.here {
		count++
	}
	return int32(count)
}

// flushHolders writes who holds which blob where that changed. A peer that is away keeps what it was known to hold.
func (n *Nimbus) flushHolders(ctx context.Context) error {
	n.change.Lock()
	defer n.change.Unlock()
	var changed []cluster.Blob
	n.mu.Lock()
	if !n.bookStale {
		n.mu.Unlock()
		return nil
	}
	n.bookStale = false
	for key, e := range n.book {
		if !e.stale || e.offered {
			continue
		}
		e.stale = false
		if now := n.knownHoldersLocked(key, e); !slices.Equal(now, e.Holders) {
			b := e.Blob
			b.Holders = now
			changed = append(changed, b)
		}
	}
	n.mu.Unlock()
	for batch := range slices.Chunk(changed, 100) {
		var ops []cluster.Op
		for _, b := range batch {
			ops = append(ops, cluster.PutBlob(b))
		}
		err := n.txn(ctx, ops...)
		n.mu.Lock()
		for _, b := range batch {
			if e, ok := n.book[b.Key]; ok && err == nil {
				e.Holders = b.Holders
			} else if ok {
				n.staleLocked(e)
			}
		}
		n.mu.Unlock()
		if err != nil {
			return fmt.Errorf("record holders of blobs: %w", err)
		}
	}
	return nil
}

func (n *Nimbus) knownHoldersLocked(key string, e *blobEntry) []string {
	now := n.peersWithLocked(key, e.SHA256)
	if e.here {
		now = append(now, n.self())
	}
	for _, addr := range e.Holders {
		if _, alive := n.peers[addr]; !alive && addr != n.self() && !slices.Contains(now, addr) {
			now = append(now, addr)
		}
	}
	slices.Sort(now)
	return now
}

// keys returns up to most keys of recorded blobs that follow after in order.
func (n *Nimbus) keys(after string, most int) []string {
	n.mu.Lock()
	var keys []string
	for key, e := range n.book {
		if key > after && !e.offered {
			keys = append(keys, key)
		}
	}
	n.mu.Unlock()
	slices.Sort(keys)
	return keys[:min(most, len(keys))]
}

// lacks says which blobs a topology needs and no master that can be reached has; nil when there are none.
func (n *Nimbus) lacks(t *topology) error {
	var errs []error
	for _, key := range append(blobKeys(t.CodeID()), t.dependencies()...) {
		n.mu.Lock()
		e, ok := n.book[key]
		gone := ok && !e.here
		n.mu.Unlock()
		if gone {
			errs = append(errs, fmt.Errorf("blob %s is missing: %w", key, errors.Join(n.mirror.why(key))))
		}
	}
	return errors.Join(errs...)
}

// dependencies are the blobs that users gave a topology: its blob map, and jars and artifacts named in its code.
func (t *topology) dependencies() []string {
	keys := blobMap(t.conf)
	if t.code != nil {
		keys = append(keys, t.code.DependencyJars...)
		keys = append(keys, t.code.DependencyArtifacts...)
	}
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}

// wantedBlobsLocked is the plan of every peer.
func (n *Nimbus) wantedBlobsLocked() []*stormrpc.WantedBlob {
	out := make([]*stormrpc.WantedBlob, 0, len(n.book))
	for _, key := range slices.Sorted(maps.Keys(n.book)) {
		e := n.book[key]
		info := e.info()
		b := &stormrpc.WantedBlob{Key: key, Version: e.Version, Size: e.Size, Sha256: e.SHA256, Replication: info.Replication,
			Acl: thriftACL(info.ACL), Holders: []string{}}
		if !e.here {
			b.Holders = append(n.peersWithLocked(key, e.SHA256), e.Holders...)
		}
		out = append(out, b)
	}
	return out
}

// notHere is the answer to a read of a blob whose contents this master lacks.
func (n *Nimbus) notHere(key string) error {
	text := "its contents are on no nimbus that can be reached"
	if err := n.mirror.why(key); err != nil {
		text = err.Error()
	}
	return &wire.Refusal{Reason: "blob missing", Text: fmt.Sprintf("blob %s cannot be read: %s", key, text)}
}
