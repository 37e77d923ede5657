package worker

import (
	"fmt"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/drpc/invocations"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// native makes a task of one of Storm's classes that are written in Go, which every worker has. compat.Compile has checked
// place and arguments.
func native(p *dag.Processor) (any, error) {
	switch p.Impl.Name {
	case compat.DRPCSpoutClass:
		return invocations.NewSpout(p.Impl.Args[0]), nil
	case compat.CheckpointSpoutClass:
		return idleSource{}, nil
	case compat.ReturnResultsClass:
		return invocations.NewResults(), nil
	}
	return nil, fmt.Errorf("component %s: this worker does not know class %s", p.Name, p.Impl.Name)
}

// idleSource stands for Storm's spout of checkpoints where the engine makes them.
type idleSource struct{}

var _ gearcore.Checkpointed = idleSource{}

func (idleSource) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (idleSource) Next(*gearcore.Collector) error                    { return gearcore.ErrIdle }
func (idleSource) Ack(gearcore.Value, *gearcore.Collector)           {}
func (idleSource) Fail(gearcore.Value, *gearcore.Collector)          {}
func (idleSource) Activate(*gearcore.Collector)                      {}
func (idleSource) Deactivate(*gearcore.Collector)                    {}
func (idleSource) Close()                                            {}
func (idleSource) Freeze(uint64) (gearcore.Frozen, error)            { return nil, nil }
func (idleSource) Restore(*gearcore.Recovery) error                  { return nil }
