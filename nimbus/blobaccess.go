package nimbus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

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
