package nimbus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// BeginCreateBlob implements stormrpc.Nimbus.
func (n *Nimbus) BeginCreateBlob(ctx context.Context, key string, meta *stormrpc.SettableBlobMeta) (string, error) {
	if err := n.lead(); err != nil {
		return "", err
	}
	acl, err := aclFrom(meta)
	if err != nil {
		return "", err
	}
	acl = blobstore.NormalizeACL(acl, callerOf(ctx), blobstore.All)
	if err := blobstore.CheckACL(key, acl); err != nil {
		return "", unauthorized("%s", err)
	}
	n.mu.Lock()
	_, exists := n.book[key]
	n.mu.Unlock()
	if exists {
		return "", &stormrpc.KeyAlreadyExistsException{Msg: key}
	}
	if _, ok := topologyOf(key); ok {
		return "", fmt.Errorf("blob key %s is kept for topologies", key)
	}
	session, err := n.blobs.BeginCreate(key, acl, max(1, meta.GetReplicationFactor()))
	if errors.Is(err, blobstore.ErrExists) {
		return "", &stormrpc.KeyAlreadyExistsException{Msg: key}
	}
	return session, err
}

// BeginUpdateBlob implements stormrpc.Nimbus.
func (n *Nimbus) BeginUpdateBlob(ctx context.Context, key string) (string, error) {
	if err := n.lead(); err != nil {
		return "", err
	}
	info, err := n.blobInfo(key)
	if err != nil {
		return "", err
	}
	if err := n.mayBlob(ctx, info, blobstore.Write); err != nil {
		return "", err
	}
	session, err := n.blobs.BeginUpdate(key)
	if errors.Is(err, blobstore.ErrNotFound) {
		return "", n.notHere(key)
	}
	return session, err
}

// UploadBlobChunk implements stormrpc.Nimbus.
func (n *Nimbus) UploadBlobChunk(_ context.Context, session string, chunk []byte) error {
	return sessionError(n.blobs.WriteSession(session, chunk))
}

// FinishBlobUpload implements stormrpc.Nimbus. It answers when another master holds the blob too, if there is one.
func (n *Nimbus) FinishBlobUpload(ctx context.Context, session string) error {
	key, err := n.finishBlob(ctx, session)
	if err != nil {
		return err
	}
	if err := n.waitForCopies(ctx, n.spare(), key); errors.Is(err, errDeposed) {
		return &wire.Refusal{Reason: client.ReasonInDoubt,
			Text: fmt.Sprintf("leadership was lost while blob %s was copied; look whether it is there before you try again", key)}
	} else if err != nil {
		return err
	}
	return nil
}

func (n *Nimbus) finishBlob(ctx context.Context, session string) (key string, err error) {
	n.change.Lock()
	defer n.change.Unlock()
	n.reached("before blob")
	known, _ := n.blobs.SessionKey(session)
	info, err := n.blobs.FinishSession(session, n.bookVersionOf(known))
	if err != nil {
		return "", sessionError(err)
	}
	n.reached("blob stored")
	return info.Key, n.recordBlob(ctx, info.Key)
}

// CancelBlobUpload implements stormrpc.Nimbus.
func (n *Nimbus) CancelBlobUpload(_ context.Context, session string) error {
	return sessionError(n.blobs.CancelSession(session))
}

// GetBlobMeta implements stormrpc.Nimbus.
func (n *Nimbus) GetBlobMeta(ctx context.Context, key string) (*stormrpc.ReadableBlobMeta, error) {
	info, err := n.blobInfo(key)
	if err != nil {
		return nil, err
	}
	if err := n.mayAny(ctx, info, blobstore.All); err != nil {
		return nil, err
	}
	return &stormrpc.ReadableBlobMeta{Version: info.Version,
		Settable: &stormrpc.SettableBlobMeta{Acl: thriftACL(info.ACL), ReplicationFactor: &info.Replication}}, nil
}

// SetBlobMeta implements stormrpc.Nimbus.
func (n *Nimbus) SetBlobMeta(ctx context.Context, key string, meta *stormrpc.SettableBlobMeta) error {
	if err := n.lead(); err != nil {
		return err
	}
	info, err := n.blobInfo(key)
	if err != nil {
		return err
	}
	if err := n.mayBlob(ctx, info, blobstore.Admin); err != nil {
		return err
	}
	acl, err := aclFrom(meta)
	if err != nil {
		return err
	}
	acl = blobstore.NormalizeACL(acl, callerOf(ctx), blobstore.Admin)
	if err := blobstore.CheckACL(key, acl); err != nil {
		return unauthorized("%s", err)
	}
	replication := info.Replication
	if meta.IsSetReplicationFactor() && meta.GetReplicationFactor() > 0 {
		replication = meta.GetReplicationFactor()
	}
	n.change.Lock()
	defer n.change.Unlock()
	// What is recorded next are the contents on this disk: older ones must not take the place of those that count.
	if info, err = n.blobInfo(key); err != nil {
		return err
	}
	if here, err := n.blobs.Info(key); err != nil || here.SHA256 != info.SHA256 {
		return n.notHere(key)
	}
	if err := n.blobs.SetMeta(key, acl, replication); errors.Is(err, blobstore.ErrNotFound) {
		return n.notHere(key)
	} else if err != nil {
		return err
	}
	return n.recordBlob(ctx, key)
}

// BeginBlobDownload implements stormrpc.Nimbus. A follower serves what it holds in its newest version.
func (n *Nimbus) BeginBlobDownload(ctx context.Context, key string) (*stormrpc.BeginDownloadResult_, error) {
	info, err := n.readableBlob(ctx, key)
	if err != nil {
		return nil, err
	}
	if err := n.mayBlob(ctx, info, blobstore.Read); err != nil {
		return nil, err
	}
	session, info, err := n.blobs.BeginDownload(key)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, n.notHere(key)
	}
	if err != nil {
		return nil, err
	}
	return &stormrpc.BeginDownloadResult_{Version: info.Version, Session: session, DataSize: &info.Size}, nil
}

// DownloadBlobChunk implements stormrpc.Nimbus. An empty chunk is the end.
func (n *Nimbus) DownloadBlobChunk(_ context.Context, session string) ([]byte, error) {
	chunk, err := n.blobs.ReadSession(session, int(n.set.downloadBytes))
	switch {
	case errors.Is(err, blobstore.ErrNoSession) && n.lead() != nil:
		return nil, wire.ErrElsewhere // it may be one of the leader's
	case err != nil:
		return nil, sessionError(err)
	case chunk == nil:
		chunk = []byte{}
	}
	return chunk, nil
}

// DeleteBlob implements stormrpc.Nimbus. What a live topology needs stays.
func (n *Nimbus) DeleteBlob(ctx context.Context, key string) error {
	if err := n.lead(); err != nil {
		return err
	}
	info, err := n.blobInfo(key)
	if err != nil {
		return err
	}
	if id, ok := topologyOf(key); ok {
		if t, alive := n.byID(id); alive {
			return &stormrpc.IllegalStateException{Msg: fmt.Sprintf("Attempting to delete blob %s from under active topology %s", key, t.ID)}
		}
	}
	for _, t := range n.all() {
		if slices.Contains(blobMap(t.conf), key) {
			return &stormrpc.IllegalStateException{Msg: fmt.Sprintf("Attempting to delete active blob %s used by topology %s", key, t.ID)}
		}
	}
	if err := n.mayBlob(ctx, info, blobstore.Write); err != nil {
		return err
	}
	n.change.Lock()
	defer n.change.Unlock()
	if err := n.txn(ctx, cluster.DeleteBlob(key)); err != nil {
		return err
	}
	n.strike([]string{key})
	if err := n.blobs.Delete(key); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		n.cfg.Log.Warn("deleted blob stays on this disk until the next start", "blob", key, "err", err)
	}
	return nil
}

// GetBlobReplication implements stormrpc.Nimbus: how many masters hold a blob.
func (n *Nimbus) GetBlobReplication(ctx context.Context, key string) (int32, error) {
	info, err := n.blobInfo(key)
	if err != nil {
		return 0, err
	}
	if err := n.mayAny(ctx, info, blobstore.All); err != nil {
		return 0, err
	}
	return n.holders(key), nil
}

// UpdateBlobReplication implements stormrpc.Nimbus. As with Storm's local store it cannot be set.
func (n *Nimbus) UpdateBlobReplication(context.Context, string, int32) (int32, error) {
	return 0, errors.New("the replication of blobs cannot be set")
}

// CreateStateInZookeeper implements stormrpc.Nimbus: clients call it after an upload, so that the cluster learns who
// holds a blob. It was recorded when the upload was finished, and peers that copy it tell by themselves.
func (n *Nimbus) CreateStateInZookeeper(_ context.Context, key string) error {
	if _, err := n.blobInfo(key); err != nil {
		return fmt.Errorf("no blob %q is recorded: %w", key, err)
	}
	return nil
}

// IsRemoteBlobExists implements stormrpc.Nimbus.
func (n *Nimbus) IsRemoteBlobExists(ctx context.Context, key string) (bool, error) {
	info, err := n.blobInfo(key)
	if err != nil {
		return false, nil
	}
	return true, n.mayAny(ctx, info, blobstore.All)
}
