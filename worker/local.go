package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
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
	host *host
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
	plan, err := expand(topo, c, nil)
	if err != nil {
		return nil, err
	}
	h, err := newHost(taskMaker{
		plan: plan, topologyID: cfg.ID, codeDir: cfg.CodeDir, pidDir: cfg.PidDir, registry: cfg.Registry,
		log: cfg.Log.With(slog.String("topology", cfg.ID)),
	}, plan.Executors, nil, cfg.Loops)
	if err != nil {
		return nil, err
	}
	return &Local{h}, nil
}

// Run activates the topology and runs it until ctx ends (nil), or until a component cannot be opened.
func (l *Local) Run(ctx context.Context) error {
	l.host.engine.Activate()
	return l.host.engine.Run(ctx)
}

// Activate and Deactivate start and stop the spouts; what is in flight goes on. Run activates.
func (l *Local) Activate() { l.host.engine.Activate() }

// Deactivate is the other half of Activate.
func (l *Local) Deactivate() { l.host.engine.Deactivate() }

// Plan is the topology's plan; not to be changed.
func (l *Local) Plan() *dag.Plan { return l.host.plan }

// Stats returns one line per component with tasks, in the order of their names.
func (l *Local) Stats() []ComponentStats { return l.host.stats(time.Now()) }

// Errors returns the errors of components since the last call, oldest first, throttled as in a cluster.
func (l *Local) Errors() []*stormrpc.WorkerError {
	errs, upTo := l.host.table.Errors()
	l.host.table.DropErrors(upTo)
	return errs
}
