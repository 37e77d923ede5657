package nimbus

import (
	"context"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// PlanChange implements stormrpc.Gearstorm.
func (n *Nimbus) PlanChange(ctx context.Context, name, jsonConf string, t *stormrpc.StormTopology, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	base, err := n.command(ctx, "planChange", name)
	if err != nil {
		return nil, err
	}
	p, err := n.propose(ctx, base, submission{name: name, jsonConf: jsonConf, code: t}, options(o))
	if err != nil {
		return nil, err
	}
	return p.answer(), nil
}

func options(o *stormrpc.ChangeOptions) *stormrpc.ChangeOptions {
	if o == nil {
		return &stormrpc.ChangeOptions{}
	}
	return o
}

// ApplyChange implements stormrpc.Gearstorm.
func (n *Nimbus) ApplyChange(context.Context, string, string, string, *stormrpc.StormTopology, *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	return nil, wire.ErrNotImplemented
}

// GetTopologyVersions implements stormrpc.Gearstorm.
func (n *Nimbus) GetTopologyVersions(context.Context, string) ([]*stormrpc.TopologyVersion, error) {
	return nil, wire.ErrNotImplemented
}

// RollbackTopology implements stormrpc.Gearstorm.
func (n *Nimbus) RollbackTopology(context.Context, string, int64, *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	return nil, wire.ErrNotImplemented
}
