package nimbus

import (
	"context"
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// What a follower serves by itself: contents that it holds and whose record in the store names the same hash. Everything
// else is left to the leader (wire.ErrElsewhere).

// readableBlob finds a blob whose contents are on this disk and are the newest.
func (n *Nimbus) readableBlob(ctx context.Context, key string) (blobstore.Info, error) {
	if n.lead() == nil {
		info, err := n.blobInfo(key)
		if err != nil {
			return info, err
		}
		if here, err := n.blobs.Info(key); err != nil || here.SHA256 != info.SHA256 {
			return info, n.notHere(key)
		}
		return info, nil
	}
	here, err := n.blobs.Info(key)
	if err != nil {
		return here, wire.ErrElsewhere
	}
	recorded, err := cluster.ReadBlob(ctx, n.cfg.Store, key)
	if err != nil || recorded.SHA256 != here.SHA256 {
		return here, wire.ErrElsewhere
	}
	return here, nil
}

// heldTopology reads what a follower holds of a live topology.
func (n *Nimbus) heldTopology(ctx context.Context, operation, id string) (conf.Conf, *stormrpc.StormTopology, error) {
	rec, _, err := cluster.ReadTopology(ctx, n.cfg.Store, id)
	if err != nil {
		return nil, nil, wire.ErrElsewhere
	}
	for _, key := range []string{client.ConfKey(rec.CodeID()), client.CodeKey(rec.CodeID())} {
		if _, err := n.readableBlob(ctx, key); err != nil {
			return nil, nil, err
		}
	}
	c, code, err := n.readStored(rec.CodeID())
	if err != nil {
		return nil, nil, wire.ErrElsewhere
	}
	return c, code, n.may(ctx, operation, rec.Name, c)
}

// readStored decodes the configuration and code of a version of a topology from this disk. Blobs that turn out to be damaged are
// set aside.
func (n *Nimbus) readStored(id string) (conf.Conf, *stormrpc.StormTopology, error) {
	rawConf, err := n.readBlob(client.ConfKey(id))
	if err != nil {
		return nil, nil, err
	}
	c, err := client.DecodeConf(rawConf)
	if err != nil {
		return nil, nil, err
	}
	rawCode, err := n.readBlob(client.CodeKey(id))
	if err != nil {
		return nil, nil, err
	}
	code, err := client.DecodeTopology(rawCode)
	return c, code, err
}

func (n *Nimbus) readBlob(key string) ([]byte, error) {
	raw, err := n.blobs.ReadFile(key, client.MaxStoredBytes)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		err = fmt.Errorf("read blob %s: %w", key, err)
		n.lostBlob(key)
	case errors.Is(err, blobstore.ErrDamaged):
		err = errors.Join(err, n.blobs.Verify(key)) // sets it aside
		n.lostBlob(key)
	}
	return raw, err
}

// topologyConf is the configuration that a reader may see, of a live topology.
func (n *Nimbus) topologyConf(ctx context.Context, operation, id string) (conf.Conf, error) {
	if n.lead() != nil {
		c, _, err := n.heldTopology(ctx, operation, id)
		return c, err
	}
	t, err := n.readWhole(ctx, operation, id)
	if err != nil {
		return nil, err
	}
	return t.conf, nil
}

// topologyCode is the code of a live topology, with system components if wanted.
func (n *Nimbus) topologyCode(ctx context.Context, operation, id string, system bool) (*stormrpc.StormTopology, error) {
	if n.lead() != nil {
		c, code, err := n.heldTopology(ctx, operation, id)
		if err != nil || !system {
			return code, err
		}
		return compat.SystemTopology(c, code)
	}
	t, err := n.readWhole(ctx, operation, id)
	switch {
	case err != nil:
		return nil, err
	case system:
		return t.system, nil
	}
	return t.code, nil
}
