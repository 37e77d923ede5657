package nimbus

import (
	"context"
	"maps"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// maxCredentialBytes bounds the credentials of a topology: they go to every node and worker with its plan.
const maxCredentialBytes = 256 << 10

// UploadNewCredentials implements stormrpc.Nimbus: new values go over the old ones, and to the workers at once.
func (n *Nimbus) UploadNewCredentials(ctx context.Context, name string, creds *stormrpc.Credentials) error {
	t, err := n.command(ctx, "uploadNewCredentials", name)
	if err != nil {
		return err
	}
	if creds == nil {
		creds = &stormrpc.Credentials{}
	}
	if want, user := creds.GetTopoOwner(), callerOf(ctx); want != "" && want != t.Owner {
		return unauthorized("%s is expected to be owned by %s but is actually owned by %s", t.ID, want, t.Owner)
	} else if want == "" && user != "" && user != t.Owner && user != t.Principal {
		return unauthorized("%s is expected to be owned by %s but is actually owned by %s", t.ID, user, t.Owner)
	}
	return n.order(ctx, t.ID, func(o *orders) (cluster.Op, error) {
		all := make(map[string]string)
		maps.Copy(all, o.credentials)
		maps.Copy(all, creds.Creds)
		o.credentials = all
		return cluster.PutCredentials(t.ID, cluster.Credentials{Values: all}), checkCredentials(all)
	})
}

// checkCredentials refuses what is too much to be told.
func checkCredentials(values map[string]string) error {
	size := 0
	for k, v := range values {
		size += len(k) + len(v)
	}
	if size > maxCredentialBytes {
		return invalid("credentials of %d bytes, allowed are %d", size, maxCredentialBytes)
	}
	return nil
}
