package nimbus

import (
	"context"
	"fmt"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// read finds the topology of an id for a reader who may do an operation on it.
func (n *Nimbus) read(ctx context.Context, operation, id string) (*topology, error) {
	t, ok := n.byID(id)
	if !ok {
		return nil, notAliveID(id)
	}
	if err := n.may(ctx, operation, t.Name, t.conf); err != nil {
		return nil, err
	}
	return t, nil
}

// readWhole is read for what needs the topology's code.
func (n *Nimbus) readWhole(ctx context.Context, operation, id string) (*topology, error) {
	t, err := n.read(ctx, operation, id)
	if err == nil && t.broken != nil {
		err = t.brokenError()
	}
	return t, err
}

// GetTopologyConf implements stormrpc.Nimbus. Storm's upload-credentials looks for Nimbus where this configuration says, so the port
// in it is the one that is served, also where that was chosen freely.
func (n *Nimbus) GetTopologyConf(ctx context.Context, id string) (string, error) {
	c, err := n.topologyConf(ctx, "getTopologyConf", id)
	if err != nil {
		return "", err
	}
	if port, err := c.IntOr("nimbus.thrift.port", 0); err != nil || port != int64(n.Port()) {
		c = conf.Merge(c, conf.Conf{"nimbus.thrift.port": int64(n.Port())})
	}
	return confText(c)
}

func confText(c conf.Conf) (string, error) {
	raw, err := c.JSON()
	if err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return string(raw), nil
}

// GetTopology implements stormrpc.Nimbus: the topology with system components.
func (n *Nimbus) GetTopology(ctx context.Context, id string) (*stormrpc.StormTopology, error) {
	return n.topologyCode(ctx, "getTopology", id, true)
}

// GetUserTopology implements stormrpc.Nimbus: the topology as submitted, normalized.
func (n *Nimbus) GetUserTopology(ctx context.Context, id string) (*stormrpc.StormTopology, error) {
	return n.topologyCode(ctx, "getUserTopology", id, false)
}
