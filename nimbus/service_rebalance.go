package nimbus

import (
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// notOverridable are keys that a rebalance may not change; they are left out without a word, as in Storm.
var notOverridable = []string{"topology.submitter.principal", "topology.submitter.user", "storm.zookeeper.superACL",
	"storm.zookeeper.topology.auth.scheme", "storm.zookeeper.topology.auth.payload", "storm.local.hostname",
	"topology.classpath.beginning", "storm.id", "topology.name"}

// Rebalance implements stormrpc.Nimbus.
func (n *Nimbus) Rebalance(ctx context.Context, name string, o *stormrpc.RebalanceOptions) error {
	t, err := n.command(ctx, "rebalance", name)
	if err != nil {
		return err
	}
	if o == nil {
		o = &stormrpc.RebalanceOptions{}
	}
	r, err := rebalanceOf(t, o)
	if err != nil {
		return err
	}
	wait := t.messageTimeout()
	if o.WaitSecs != nil {
		if wait, err = waitOf(*o.WaitSecs); err != nil {
			return err
		}
	}
	if err := n.checkRebalance(t, r); err != nil {
		return err
	}
	return n.transition(ctx, t.ID, event{kind: evRebalance, wait: wait, rebalance: &r})
}

// rebalanceOf checks the options of a rebalance.
func rebalanceOf(t *topology, o *stormrpc.RebalanceOptions) (cluster.Rebalance, error) {
	r := cluster.Rebalance{Resources: o.TopologyResourcesOverrides}
	if t.code == nil {
		return r, t.brokenError()
	}
	if o.NumWorkers != nil {
		if *o.NumWorkers <= 0 {
			return r, invalid("Number of workers must be greater than 0")
		}
		r.Workers = int(*o.NumWorkers)
	}
	if len(o.NumExecutors) > 0 {
		r.Executors = make(map[string]int)
	}
	for _, id := range slices.Sorted(maps.Keys(o.NumExecutors)) {
		if _, ok := findComponent(t.code, id); !ok && !isSystem(id) {
			return r, invalid("Invalid component %s for topology %s, valid values are %s", id, t.Name, strings.Join(componentIDs(t.code), ","))
		}
		if o.NumExecutors[id] <= 0 {
			return r, invalid("Number of executors must be greater than 0")
		}
		r.Executors[id] = int(o.NumExecutors[id])
	}
	for id, resources := range o.TopologyResourcesOverrides {
		for res, v := range resources {
			if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return r, invalid("resource %s of component %s is %v, it must be a number from 0 up", res, id, v)
			}
		}
	}
	var err error
	r.Conf, err = overridesOf(o.GetTopologyConfOverrides())
	return r, err
}

// overridesOf checks the configuration of a rebalance and leaves out what may not be changed.
func overridesOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	c, err := parseConf(text)
	if err != nil {
		return "", err
	}
	if c.Has("topology.tasks") {
		return "", invalid("topology.tasks cannot change: a topology keeps the tasks it was submitted with")
	}
	for _, key := range notOverridable {
		delete(c, key)
	}
	if len(c) == 0 {
		return "", nil
	}
	raw, err := c.JSON()
	if err != nil {
		return "", asInvalid(err)
	}
	if len(raw) > cluster.MaxValueBytes/2 {
		return "", invalid("configuration overrides of %d bytes, allowed are %d", len(raw), cluster.MaxValueBytes/2)
	}
	return string(raw), nil
}

func componentIDs(t *stormrpc.StormTopology) []string {
	var out []string
	for _, c := range components(t) {
		out = append(out, c.id)
	}
	return out
}
