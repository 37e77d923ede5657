package nimbus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// SubmitTopology implements stormrpc.Nimbus.
func (n *Nimbus) SubmitTopology(ctx context.Context, name, location, jsonConf string, t *stormrpc.StormTopology) error {
	return n.submit(ctx, submission{name: name, location: location, jsonConf: jsonConf, code: t,
		options: &stormrpc.SubmitOptions{InitialStatus: stormrpc.TopologyInitialStatus_ACTIVE}})
}

// SubmitTopologyWithOpts implements stormrpc.Nimbus.
func (n *Nimbus) SubmitTopologyWithOpts(ctx context.Context, name, location, jsonConf string, t *stormrpc.StormTopology, o *stormrpc.SubmitOptions) error {
	return n.submit(ctx, submission{name: name, location: location, jsonConf: jsonConf, code: t, options: o})
}

// IsTopologyNameAllowed implements stormrpc.Nimbus.
func (n *Nimbus) IsTopologyNameAllowed(ctx context.Context, name string) (bool, error) {
	if err := n.may(ctx, "isTopologyNameAllowed", name, nil); err != nil {
		return false, err
	}
	_, alive := n.named(name)
	return checkName(name) == nil && !alive, nil
}

// command finds the topology of a name for a command of a caller who may give it.
func (n *Nimbus) command(ctx context.Context, operation, name string) (*topology, error) {
	if err := n.lead(); err != nil {
		return nil, err
	}
	t, ok := n.named(name)
	if !ok {
		return nil, notAlive(name)
	}
	return t, n.may(ctx, operation, name, t.conf)
}

// KillTopology implements stormrpc.Nimbus.
func (n *Nimbus) KillTopology(ctx context.Context, name string) error {
	return n.KillTopologyWithOpts(ctx, name, nil)
}

// KillTopologyWithOpts implements stormrpc.Nimbus.
func (n *Nimbus) KillTopologyWithOpts(ctx context.Context, name string, o *stormrpc.KillOptions) error {
	t, err := n.command(ctx, "killTopology", name)
	if err != nil {
		return err
	}
	wait := t.messageTimeout()
	if o != nil && o.WaitSecs != nil {
		if wait, err = waitOf(*o.WaitSecs); err != nil {
			return err
		}
	}
	if err := n.transition(ctx, t.ID, event{kind: evKill, wait: wait}); err != nil {
		return err
	}
	// The topology is being killed, whatever becomes of the history.
	if err := n.remember(ctx, t); err != nil {
		n.cfg.Log.Error("killed topology is missing in the history", "topology", t.ID, "err", err)
	}
	return nil
}

func waitOf(secs int32) (time.Duration, error) {
	if secs < 0 {
		return 0, fmt.Errorf("wait of %d seconds is below 0", secs)
	}
	return time.Duration(secs) * time.Second, nil
}

// Activate implements stormrpc.Nimbus.
func (n *Nimbus) Activate(ctx context.Context, name string) error {
	t, err := n.command(ctx, "activate", name)
	if err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evActivate})
}

// Deactivate implements stormrpc.Nimbus.
func (n *Nimbus) Deactivate(ctx context.Context, name string) error {
	t, err := n.command(ctx, "deactivate", name)
	if err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evDeactivate})
}

// Debug implements stormrpc.Nimbus. An empty component means the whole topology. The percentage is kept when debugging
// is switched off.
func (n *Nimbus) Debug(ctx context.Context, name, component string, enable bool, percent float64) error {
	t, err := n.command(ctx, "debug", name)
	if err != nil {
		return err
	}
	if math.IsNaN(percent) {
		return errors.New("sampling percentage is not a number")
	}
	key := component
	if key == "" {
		key = t.ID
	} else if t.system != nil {
		if _, ok := findComponent(t.system, key); !ok {
			return fmt.Errorf("topology %s has no component %s", name, component)
		}
	}
	n.change.Lock()
	defer n.change.Unlock()
	t, ok := n.byID(t.ID)
	if !ok {
		return notAlive(name)
	}
	d := t.Topology.Debug[key]
	d.Enable = enable
	if enable {
		d.Sampling = max(0, min(100, percent))
	}
	all := maps.Clone(t.Topology.Debug)
	if all == nil {
		all = make(map[string]cluster.Debug)
	}
	all[key] = d
	return n.save(ctx, t.with(func(t *topology) { t.Topology.Debug = all }))
}
