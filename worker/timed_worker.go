package worker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// newTimed makes what a worker of a topology with a clock has beside others; nil for others.
func (w *worker) newTimed(plan *dag.Plan, node conf.Conf) (*timed, error) {
	set, err := compat.TimingOf(plan.Graph.Conf)
	if err != nil || !set.Timed {
		return nil, err
	}
	cfg := timedConfig{plan: plan, topology: w.spec.Topology, slot: w.self.String(), timing: set, log: w.log,
		send:    func(slot string, kind byte, note []byte) error { return w.links.Post(slot, kind, note) },
		trouble: func(err error) { hooks{w.host.table}.Errored(gearcore.SystemTask, err) },
	}
	if set.Checkpoints() {
		if cfg.where = set.Store; cfg.where == "" {
			cfg.where = w.ownStore(node)
		}
		ctx, cancel := context.WithTimeoutCause(context.Background(), storePatience, fmt.Errorf("no answer within %v", storePatience))
		defer cancel()
		if cfg.store, err = openStore(ctx, cfg.where, func() stores.Secrets { return stores.SecretsOf(w.credentials.Values()) }); err != nil {
			return nil, err
		}
	}
	return newTimed(cfg), nil
}

// storePatience is how long a worker that starts waits for an answer of its store, well below what its supervisor waits for the worker.
const storePatience = 30 * time.Second

// openStore opens the store of checkpoints. What is wrong ends the worker, so it is what `info` and `checkpoints` show of the topology.
func openStore(ctx context.Context, where string, secrets func() stores.Secrets) (stores.Store, error) {
	s, err := stores.OpenWith(ctx, where, secrets)
	if err == nil {
		return s, nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return nil, fmt.Errorf("checkpoints cannot be kept in %s: %w; mend that (the worker starts again until it works), or submit the topology with another %s",
		where, err, compat.CheckpointStoreKey)
}

// ownStore is where checkpoints are kept of a topology that does not say so: on this node.
func (w *worker) ownStore(node conf.Conf) string {
	dir, err := node.StringOr("storm.local.dir", "")
	if err != nil || !filepath.IsAbs(dir) {
		dir = filepath.Dir(filepath.Dir(filepath.Dir(w.spec.CodeDir))) // <storm.local.dir>/supervisor/stormdist/<id>
	}
	return "file://" + filepath.Join(dir, "checkpoints")
}

// placeClock tells of a plan who has the clock, and whom it hears.
func (w *worker) placeClock(plan *stormrpc.TopologyPlan, p placement) {
	if w.timed == nil {
		return
	}
	slots, hosts := map[string]bool{}, map[string]bool{}
	clock := ""
	for x, at := range p.spans {
		slots[at.String()], hosts[p.hosts[at.node]] = true, true
		if plan.TaskComponents[int32(x.first)] == gearcore.ClockComponent {
			clock = at.String()
		}
	}
	all := slices.Sorted(maps.Keys(slots))
	switch {
	case clock == "":
		w.log.Warn("the clock of the topology is not placed")
		w.links.SetNotePeers(nil)
	case clock == w.self.String():
		w.links.SetNotePeers(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == clock }))
		if w.timed.store != nil && w.timed.timing.Store == "" && len(hosts) > 1 {
			w.warnOwnStore(len(hosts))
		}
	default:
		w.links.SetNotePeers([]string{clock})
	}
	w.timed.place(version(plan), all, clock)
}

// warnOwnStore says once that checkpoints on several nodes cannot be read together.
func (w *worker) warnOwnStore(hosts int) {
	if w.ownStoreTold {
		return
	}
	w.ownStoreTold = true
	err := fmt.Errorf("checkpoints are kept in %s of each node, but the topology has workers on %d: a worker cannot read what another node has. "+
		"Set %s to a place that all nodes reach", w.timed.where, hosts, compat.CheckpointStoreKey)
	w.log.Warn("checkpoints are of no use", slog.Any("err", err))
	w.timed.trouble(err)
}
