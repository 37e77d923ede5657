package nimbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// BeginFileUpload implements stormrpc.Nimbus. The location is a token; it is no path.
func (n *Nimbus) BeginFileUpload(ctx context.Context) (string, error) {
	if err := n.lead(); err != nil {
		return "", err
	}
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return "", err
	}
	return n.blobs.BeginUpload()
}

// UploadChunk implements stormrpc.Nimbus.
func (n *Nimbus) UploadChunk(ctx context.Context, location string, chunk []byte) error {
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return err
	}
	if err := n.blobs.WriteUpload(location, chunk); err != nil {
		return sessionError(fmt.Errorf("upload to %q: %w", location, err))
	}
	return nil
}

// FinishFileUpload implements stormrpc.Nimbus.
func (n *Nimbus) FinishFileUpload(ctx context.Context, location string) error {
	if err := n.may(ctx, "fileUpload", "", nil); err != nil {
		return err
	}
	if err := n.blobs.FinishUpload(location); err != nil {
		return sessionError(fmt.Errorf("finish upload to %q: %w", location, err))
	}
	return nil
}

// sessionError makes the answer to a use of a session that is not there one whose reason callers see.
func sessionError(err error) error {
	if !errors.Is(err, blobstore.ErrNoSession) {
		return err
	}
	return errors.Join(&wire.Refusal{Reason: client.ReasonSession,
		Text: "this upload or listing is not known: it was idle for too long, or began with a nimbus that leads no longer; begin it again"}, err)
}

// mayBlob returns nil when the caller has all of these rights on a blob.
func (n *Nimbus) mayBlob(ctx context.Context, info blobstore.Info, want blobstore.Access) error {
	user := callerOf(ctx)
	missing := info.ACL.Missing(user, want)
	if missing == 0 || n.overACL(user, want) {
		return nil
	}
	return unauthorized("[%s] does not have %s access to %s", user, missing, info.Key)
}

// mayAny returns nil when the caller has at least one of these rights on a blob.
func (n *Nimbus) mayAny(ctx context.Context, info blobstore.Info, of blobstore.Access) error {
	user := callerOf(ctx)
	if info.ACL.Any(user, of) || n.overACL(user, of) {
		return nil
	}
	return unauthorized("[%s] does not have access to %s", user, info.Key)
}

// overACL tells whether a user needs no entry in an access list: lists are not enforced, or the user is an admin, or a
// supervisor that reads.
func (n *Nimbus) overACL(user string, want blobstore.Access) bool {
	if !n.set.aclEnforced {
		return true
	}
	supervisors, _ := n.cfg.Conf.StringList("nimbus.supervisor.users")
	return user != "" && (n.isAdmin(user) || (want == blobstore.Read && slices.Contains(supervisors, user)))
}

func (n *Nimbus) isAdmin(user string) bool {
	admins, _ := n.cfg.Conf.StringList("nimbus.admins")
	return user != "" && slices.Contains(admins, user)
}

// blobInfo finds a blob of the cluster, whose contents need not be on this disk.
func (n *Nimbus) blobInfo(key string) (blobstore.Info, error) {
	if err := blobstore.CheckKey(key); err != nil {
		return blobstore.Info{}, err
	}
	n.mu.Lock()
	e, ok := n.book[key]
	n.mu.Unlock()
	if !ok || e.offered {
		return blobstore.Info{}, keyNotFound(key)
	}
	if info, err := n.blobs.Info(key); err == nil && info.SHA256 == e.SHA256 {
		return info, nil
	}
	return e.info(), nil
}

func aclFrom(meta *stormrpc.SettableBlobMeta) (blobstore.ACL, error) {
	var acl blobstore.ACL
	for _, e := range meta.GetAcl() {
		if e == nil || e.Access < 0 || e.Access > int32(blobstore.All) {
			return nil, errors.New("access list has an entry without valid rights")
		}
		switch e.Type {
		case stormrpc.AccessControlType_OTHER:
			acl = append(acl, blobstore.Entry{Other: true, Access: blobstore.Access(e.Access)})
		case stormrpc.AccessControlType_USER:
			acl = append(acl, blobstore.Entry{User: e.GetName(), Access: blobstore.Access(e.Access)})
		default:
			return nil, fmt.Errorf("access list has an entry of type %d", e.Type)
		}
	}
	return acl, nil
}

func thriftACL(acl blobstore.ACL) []*stormrpc.AccessControl {
	out := make([]*stormrpc.AccessControl, 0, len(acl))
	for _, e := range acl {
		a := &stormrpc.AccessControl{Type: stormrpc.AccessControlType_USER, Access: int32(e.Access)}
		if e.Other {
			a.Type = stormrpc.AccessControlType_OTHER
		} else {
			a.Name = &e.User
		}
		out = append(out, a)
	}
	return out
}

// BeginCreateBlob implements stormrpc.Nimbus.
func (n *Nimbus) BeginCreateBlob(ctx context.Context, key string, meta *stormrpc.SettableBlobMeta) (string, error) {
	if err := n.lead(); err != nil {
		return "", err
	}
	acl, err := aclFrom(meta)
	if err != nil {
		return "", err
	}
	if _, ok := topologyOf(key); ok {
		return "", fmt.Errorf("blob key %s is kept for topologies", key)
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

// keysPerPage is how many keys one listBlobs call returns.
const keysPerPage = 100

// ListBlobs implements stormrpc.Nimbus. An empty session begins a listing; no keys are its end.
func (n *Nimbus) ListBlobs(_ context.Context, session string) (*stormrpc.ListBlobsResult_, error) {
	after, session, err := n.lists.take(session, n.cfg.Now())
	if err != nil {
		return nil, sessionError(err)
	}
	keys := n.keys(after, keysPerPage)
	if len(keys) > 0 {
		n.lists.put(session, keys[len(keys)-1], n.cfg.Now())
	}
	return &stormrpc.ListBlobsResult_{Keys: keys, Session: session}, nil
}

// listings are the sessions of listBlobs: where each of them goes on.
type listings struct {
	mu    *sync.Mutex
	next  int64
	after map[string]listing
}

type listing struct {
	key  string
	used time.Time
}

// maxListings bounds listings that are going on; the oldest is dropped for a new one.
const maxListings = 1024

func newListings() listings { return listings{mu: new(sync.Mutex), after: make(map[string]listing)} }

// take returns where a session goes on, and forgets it until put. An empty session is a new one.
func (l *listings) take(session string, now time.Time) (after, id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session == "" {
		l.next++
		return "", fmt.Sprintf("list-%d-%d", now.UnixNano(), l.next), nil
	}
	at, ok := l.after[session]
	if !ok {
		return "", "", fmt.Errorf("no listing %q: %w", session, blobstore.ErrNoSession)
	}
	delete(l.after, session)
	return at.key, session, nil
}

func (l *listings) put(session, after string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.after) >= maxListings {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(l.after)), func(a, b string) int {
			return l.after[a].used.Compare(l.after[b].used)
		})
		delete(l.after, oldest)
	}
	l.after[session] = listing{after, now}
}

func (l *listings) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.after)
}

func (l *listings) expire(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.after, func(_ string, at listing) bool { return at.used.Before(before) })
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
