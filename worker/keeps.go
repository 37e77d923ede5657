package worker

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// keeps says what of the batches that come from other workers must stay as it is: for tasks that keep no tuples only
// the texts, since they may be passed on, and for those of them that nobody listens to nothing. Tasks that are not in it keep all.
func keeps(plan *dag.Plan, local []dag.Executor, e *engine.Engine) *map[gearcore.TaskID]transport.Keeps {
	heard := map[string]bool{}
	for _, p := range plan.Graph.Processors {
		for _, in := range p.Inputs {
			heard[in.Source] = true
		}
	}
	byTask := map[gearcore.TaskID]transport.Keeps{}
	for _, x := range local {
		for id := x.First; id <= x.Last; id++ {
			switch {
			case !e.Recycles(id):
			case heard[x.Processor.Name] || x.Processor.Impl.Kind != dag.ImplGo:
				byTask[id] = transport.KeepsTexts
			default:
				byTask[id] = transport.KeepsNothing
			}
		}
	}
	return &byTask
}

// keepFormer has what comes for tasks that go on kept as by the version before, if that kept more: until the next one is in force they pass on to whom
// that has.
func keepFormer(next, before map[gearcore.TaskID]transport.Keeps) {
	for id, k := range next {
		if was, stays := before[id]; stays {
			next[id] = min(k, was)
		}
	}
}
