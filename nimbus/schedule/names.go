package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schedulers are what storm.scheduler may name, without the package of Storm's classes, or by the short name.
var schedulers = map[string]Scheduler{
	"DefaultScheduler": Even, "EvenScheduler": Even, "even": Even,
	"ResourceAwareScheduler": Aware, "resource-aware": Aware,
	"IsolationScheduler": Isolated, "isolation": Isolated,
	"MultitenantScheduler": Tenants, "multitenant": Tenants,
}

// strategies are what topology.scheduler.strategy may name, in the same way.
var strategies = map[string]Strategy{
	defaultStrategy: Packed, defaultStrategy + "Old": Packed,
	genericStrategy: PackedGeneric, genericStrategy + "Old": PackedGeneric,
	roundRobinStrategy: RoundRobin,
	solverStrategy:     ConstraintSolver,
}

// shortNames are other names of strategies.
var shortNames = map[string]string{
	"": defaultStrategy, "default": defaultStrategy, "generic": genericStrategy, "round-robin": roundRobinStrategy, "constraint-solver": solverStrategy,
}

const (
	stormPrefix        = "org.apache.storm.scheduler."
	defaultStrategy    = "DefaultResourceAwareStrategy"
	genericStrategy    = "GenericResourceAwareStrategy"
	roundRobinStrategy = "RoundRobinResourceAwareStrategy"
	solverStrategy     = "ConstraintSolverStrategy"
)

// FindScheduler returns the scheduler of a name or of one of Storm's classes; "" is Even.
func FindScheduler(name string) (Scheduler, error) {
	if name == "" {
		return Even, nil
	}
	s, ok := schedulers[simpleName(name)]
	if !ok {
		return nil, fmt.Errorf("scheduler %s is not known here: want %s; schedulers written in Java cannot run", name, known(schedulers))
	}
	return s, nil
}

// FindStrategy returns the strategy of a name or of one of Storm's classes; "" is Packed.
func FindStrategy(name string) (Strategy, error) {
	s, ok := strategies[strategyName(name)]
	if !ok {
		return nil, fmt.Errorf("strategy %s is not known here: want %s; strategies written in Java cannot run", name, known(strategies))
	}
	return s, nil
}

// simpleName leaves the package of one of Storm's own classes out. A class of somebody else keeps it.
func simpleName(name string) string {
	if strings.HasPrefix(name, stormPrefix) {
		return name[strings.LastIndexByte(name, '.')+1:]
	}
	return name
}

// strategyName is the name that a status gives a strategy.
func strategyName(name string) string {
	if long, ok := shortNames[name]; ok {
		return long
	}
	return simpleName(name)
}

func known[F any](all map[string]F) string {
	return strings.Join(slices.Sorted(maps.Keys(all)), ", ")
}
