package nimbus

import (
	"context"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// GetLeader implements stormrpc.Nimbus: a follower names the leader while that one answers it.
func (n *Nimbus) GetLeader(ctx context.Context) (*stormrpc.NimbusSummary, error) {
	if err := n.may(ctx, "getLeader", "", nil); err != nil {
		return nil, err
	}
	if n.lead() == nil {
		return n.nimbusSummary(), nil
	}
	n.mu.Lock()
	l := n.link
	n.mu.Unlock()
	if l == nil {
		return nil, wire.ErrUnknownResult
	}
	return &stormrpc.NimbusSummary{Host: l.leader.Host, Port: int32(l.leader.Port), IsLeader: true, Version: n.cfg.Version,
		UptimeSecs: secondsBetween(l.leader.Started, n.cfg.Now()), TlsPort: ref(int32(0))}, nil
}

// GetNimbusConf implements stormrpc.Nimbus. Passwords are masked.
func (n *Nimbus) GetNimbusConf(ctx context.Context) (string, error) {
	if err := n.may(ctx, "getNimbusConf", "", nil); err != nil {
		return "", err
	}
	return confText(masked(n.cfg.Conf))
}

// GetClusterInfo implements stormrpc.Nimbus.
func (n *Nimbus) GetClusterInfo(ctx context.Context) (*stormrpc.ClusterSummary, error) {
	if err := n.may(ctx, "getClusterInfo", "", nil); err != nil {
		return nil, err
	}
	return n.clusterSummary(), nil
}

// GetTopologySummaries implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologySummaries(ctx context.Context) ([]*stormrpc.TopologySummary, error) {
	if err := n.may(ctx, "getTopologySummaries", "", nil); err != nil {
		return nil, err
	}
	return n.topologySummaries(), nil
}

// GetTopologySummaryByName implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologySummaryByName(ctx context.Context, name string) (*stormrpc.TopologySummary, error) {
	t, ok := n.named(name)
	if !ok {
		return nil, notAlive(name)
	}
	if err := n.may(ctx, "getTopologySummaryByName", name, t.conf); err != nil {
		return nil, err
	}
	return n.topologySummary(t), nil
}

// GetTopologySummary implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologySummary(ctx context.Context, id string) (*stormrpc.TopologySummary, error) {
	t, ok := n.byID(id)
	if !ok {
		return nil, notAlive(id)
	}
	if err := n.may(ctx, "getTopologySummary", t.Name, t.conf); err != nil {
		return nil, err
	}
	return n.topologySummary(t), nil
}

// GetTopologyInfo implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyInfo(ctx context.Context, id string) (*stormrpc.TopologyInfo, error) {
	return n.GetTopologyInfoWithOpts(ctx, id, nil)
}

// GetTopologyInfoByName implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyInfoByName(ctx context.Context, name string) (*stormrpc.TopologyInfo, error) {
	return n.GetTopologyInfoByNameWithOpts(ctx, name, nil)
}

// GetTopologyInfoByNameWithOpts implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyInfoByNameWithOpts(ctx context.Context, name string, o *stormrpc.GetInfoOptions) (*stormrpc.TopologyInfo, error) {
	t, ok := n.named(name)
	if !ok {
		return nil, notAlive(name)
	}
	return n.GetTopologyInfoWithOpts(ctx, t.ID, o)
}

// GetTopologyInfoWithOpts implements stormrpc.Nimbus. Without a choice all errors are told.
func (n *Nimbus) GetTopologyInfoWithOpts(ctx context.Context, id string, o *stormrpc.GetInfoOptions) (*stormrpc.TopologyInfo, error) {
	t, err := n.read(ctx, "getTopologyInfo", id)
	if err != nil {
		return nil, err
	}
	choice := stormrpc.NumErrorsChoice_ALL
	if o != nil && o.NumErrChoice != nil {
		choice = *o.NumErrChoice
	}
	return n.topologyInfo(ctx, t, choice), nil
}

// GetTopologyPageInfo implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyPageInfo(ctx context.Context, id, window string, system bool) (*stormrpc.TopologyPageInfo, error) {
	t, err := n.readWhole(ctx, "getTopologyPageInfo", id)
	if err != nil {
		return nil, err
	}
	return n.topologyPage(ctx, t, window, system)
}

// GetSupervisorPageInfo implements stormrpc.Nimbus. The id goes before the host.
func (n *Nimbus) GetSupervisorPageInfo(ctx context.Context, id, host string, system bool) (*stormrpc.SupervisorPageInfo, error) {
	if err := n.may(ctx, "getSupervisorPageInfo", "", nil); err != nil {
		return nil, err
	}
	return n.supervisorPage(ctx, id, host, system), nil
}

// GetComponentPageInfo implements stormrpc.Nimbus.
func (n *Nimbus) GetComponentPageInfo(ctx context.Context, id, component, window string, system bool) (*stormrpc.ComponentPageInfo, error) {
	t, err := n.readWhole(ctx, "getComponentPageInfo", id)
	if err != nil {
		return nil, err
	}
	return n.componentPage(t, component, window, system)
}

// GetTopologyHistory implements stormrpc.Nimbus.
func (n *Nimbus) GetTopologyHistory(ctx context.Context, user string) (*stormrpc.TopologyHistoryInfo, error) {
	ids, err := n.history(ctx, user)
	if err != nil {
		return nil, err
	}
	return &stormrpc.TopologyHistoryInfo{TopoIds: ids}, nil
}

// GetOwnerResourceSummaries implements stormrpc.Nimbus.
func (n *Nimbus) GetOwnerResourceSummaries(ctx context.Context, owner string) ([]*stormrpc.OwnerResourceSummary, error) {
	if err := n.may(ctx, "getOwnerResourceSummaries", "", nil); err != nil {
		return nil, err
	}
	return n.ownerSummaries(owner), nil
}
