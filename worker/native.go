package worker

import (
	"fmt"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/drpc/invocations"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// native makes a task of one of Storm's classes that are written in Go, which every worker has. compat.Compile has checked
// place and arguments.
func native(p *dag.Processor) (any, error) {
	switch p.Impl.Name {
	case compat.DRPCSpoutClass:
		return invocations.NewSpout(p.Impl.Args[0]), nil
	case compat.ReturnResultsClass:
		return invocations.NewResults(), nil
	}
	return nil, fmt.Errorf("component %s: this worker does not know class %s", p.Name, p.Impl.Name)
}
