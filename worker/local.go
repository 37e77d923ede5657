package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/stores"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// LocalConfig is a topology to run in this process. Name and Topology are required.
type LocalConfig struct {
	Name     string
	Topology *stormrpc.StormTopology // as a client would submit it; not changed
	Conf     conf.Conf               // the topology's own; Storm's defaults lie under it
	// Registry makes its Go components; nil if it has none.
	Registry Registry
	// CodeDir is where its resources are: multilang children run in CodeDir/resources if there is one, else in CodeDir.
	CodeDir string
	// PidDir is where multilang children leave their pid files; "" means nowhere.
	PidDir string
	Log    *slog.Logger // gets the errors of components; default: none
	Loops  int          // default GOMAXPROCS
	// ID is the topology's id; default Name-1-<seconds>.
	ID string
}

// Local is a whole topology in one process: the same engine as in a cluster, without links, supervisor or Nimbus.
type Local struct {
	host  *host
	timed *timed // nil where the topology has no clock
}

// NewLocal compiles the topology and makes its tasks. Nothing runs before Run.
func NewLocal(cfg LocalConfig) (*Local, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.ID == "" {
		cfg.ID = fmt.Sprintf("%s-1-%d", cfg.Name, time.Now().Unix())
	}
	topo, c, err := compat.Normalize(conf.Defaults(), cfg.Conf, cfg.Topology, compat.Submission{ID: cfg.ID, Name: cfg.Name})
	if err != nil {
		return nil, err
	}
	plan, err := expand(topo, c)
	if err != nil {
		return nil, err
	}
	l := &Local{}
	log := cfg.Log.With(slog.String("topology", cfg.ID))
	if l.timed, err = l.newTimed(plan, cfg.ID, log); err != nil {
		return nil, err
	}
	l.host, err = newHost(taskMaker{
		plan: plan, topologyID: cfg.ID, codeDir: cfg.CodeDir, pidDir: cfg.PidDir, registry: cfg.Registry, log: log, timed: l.timed,
	}, plan.Executors, nil, cfg.Loops)
	if err != nil {
		return nil, err
	}
	l.timed.place(1, []string{localSlot}, localSlot)
	return l, nil
}

// localSlot is where the one worker of a Local is.
const localSlot = "local"

// newTimed makes what a topology with a clock needs. Checkpoints without a store are in memory: good for a task that fails, gone with
// the process.
func (l *Local) newTimed(plan *dag.Plan, id string, log *slog.Logger) (*timed, error) {
	set, err := compat.TimingOf(plan.Graph.Conf)
	if err != nil || !set.Timed {
		return nil, err
	}
	cfg := timedConfig{plan: plan, topology: id, slot: localSlot, timing: set, log: log, where: set.Store,
		send:    func(slot string, _ byte, _ []byte) error { return fmt.Errorf("there is no worker in slot %s", slot) },
		trouble: func(err error) { hooks{l.host.table}.Errored(gearcore.SystemTask, err) },
	}
	switch {
	case !set.Checkpoints():
	case set.Store == "":
		cfg.store, cfg.where = memory{&checkpoint.Memory{}}, "memory"
	default:
		if cfg.store, err = stores.Open(context.Background(), set.Store); err != nil {
			return nil, fmt.Errorf("%s: %w", compat.CheckpointStoreKey, err)
		}
	}
	return newTimed(cfg), nil
}

// memory is a store of this process.
type memory struct{ *checkpoint.Memory }

// Close implements stores.Store.
func (memory) Close() error { return nil }

// Run activates the topology and runs it until ctx ends (nil), or until a component cannot be opened.
func (l *Local) Run(ctx context.Context) error {
	timing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { l.timed.run(timing) })
	l.host.engine.Activate()
	return l.host.engine.Run(ctx)
}

// Activate and Deactivate start and stop the spouts; what is in flight goes on. Run activates.
func (l *Local) Activate() { l.host.engine.Activate() }

// Deactivate is the other half of Activate.
func (l *Local) Deactivate() { l.host.engine.Deactivate() }

// Timing says how far a topology with event time or checkpoints is, nil of another one, and before Run and after it.
func (l *Local) Timing() *stormrpc.TopologyTiming { return l.timed.view() }

// Plan is the topology's plan; not to be changed.
func (l *Local) Plan() *dag.Plan { return l.host.plan() }

// Stats returns one line per component with tasks, in the order of their names.
func (l *Local) Stats() []ComponentStats { return l.host.stats(time.Now()) }

// Errors returns the errors of components since the last call, oldest first, throttled as in a cluster.
func (l *Local) Errors() []*stormrpc.WorkerError {
	errs, upTo := l.host.table.Errors()
	l.host.table.DropErrors(upTo)
	return errs
}
