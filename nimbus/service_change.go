package nimbus

import (
	"cmp"
	"context"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
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

// askedBy is who is said to have made a version: the caller, or where callers have no names the user of Nimbus, as for a submission.
func (n *Nimbus) askedBy(ctx context.Context) string { return cmp.Or(callerOf(ctx), n.cfg.User) }

// ApplyChange implements stormrpc.Gearstorm. A change that would change nothing makes no version.
func (n *Nimbus) ApplyChange(ctx context.Context, name, location, jsonConf string, t *stormrpc.StormTopology, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	base, err := n.command(ctx, "applyChange", name)
	if err != nil {
		return nil, err
	}
	if location == "" {
		return nil, invalid("topology jar %q is not a finished upload of this nimbus", location)
	}
	base, done, err := n.begin(base.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := n.awaitTaken(ctx, base); err != nil {
		return nil, err
	}
	p, err := n.propose(ctx, base, submission{name: name, location: location, jsonConf: jsonConf, code: t}, options(o))
	if err != nil {
		return nil, err
	}
	if len(p.refused) > 0 || len(p.rows) == 0 {
		return p.answer(), nil
	}
	return p.refusable(n.apply(ctx, p, location, n.askedBy(ctx)))
}

// RollbackTopology implements stormrpc.Gearstorm.
func (n *Nimbus) RollbackTopology(ctx context.Context, name string, version int64, o *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	base, err := n.command(ctx, "rollbackTopology", name)
	if err != nil {
		return nil, err
	}
	base, done, err := n.begin(base.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := n.awaitTaken(ctx, base); err != nil {
		return nil, err
	}
	p, err := n.goBack(ctx, base, version, n.askedBy(ctx), "", options(o))
	if p == nil {
		return nil, err
	}
	return p.refusable(err)
}

// GetTopologyVersions implements stormrpc.Gearstorm.
func (n *Nimbus) GetTopologyVersions(ctx context.Context, name string) ([]*stormrpc.TopologyVersion, error) {
	t, err := n.command(ctx, "getTopologyVersions", name)
	if err != nil {
		return nil, err
	}
	out := []*stormrpc.TopologyVersion{}
	for _, v := range t.history() {
		out = append(out, thriftVersion(v))
	}
	starting, onTrial := n.starting(t), t.Trial != nil
	out[len(out)-1].Starting, out[len(out)-1].OnTrial = &starting, &onTrial
	return out, nil
}
