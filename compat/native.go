package compat

import (
	"slices"

	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Classes of Storm that every worker has in Go. They are recognised where a Java client serialized one, and may stand in a
// JavaObject, which Storm's own workers understand too.
const (
	// DRPCSpoutClass takes the name of the function.
	DRPCSpoutClass = "org.apache.storm.drpc.DRPCSpout"
	// CheckpointSpoutClass takes nothing. It is that in topologies with checkpoints of the engine's, where it emits nothing.
	CheckpointSpoutClass = "org.apache.storm.spout.CheckpointSpout"
	// ReturnResultsClass takes nothing.
	ReturnResultsClass = "org.apache.storm.drpc.ReturnResults"
)

// DRPCFields are those of the default stream of a DRPC spout.
func DRPCFields() []string { return []string{"args", "return-info"} }

// StatefulBoltClass is what Storm's builder makes of a bolt with a state. It runs in Java.
const StatefulBoltClass = "org.apache.storm.topology.StatefulBoltExecutor"

// NativeComponent is the object of a class of Storm that every worker has in Go.
func NativeComponent(class string, args ...string) *stormrpc.ComponentObject {
	return javaObject(class, args...)
}

// native finds the code of a class that every worker has; false if it is none of these. An error says that it stands in
// the wrong place.
func (c *component) native(class string, args []string) (dag.Impl, bool, error) {
	impl := dag.Impl{Kind: dag.ImplNative, Name: class, Args: args}
	switch class {
	case DRPCSpoutClass:
		if !c.spout {
			return impl, true, invalid("Component: [%s] is a %s where a bolt belongs", c.id, class)
		}
		if len(args) != 1 || args[0] == "" {
			return impl, true, invalid("Component: [%s]: %s takes the name of a function as argument", c.id, class)
		}
		return impl, true, nil
	case ReturnResultsClass:
		if c.spout {
			return impl, true, invalid("Component: [%s] is a %s where a spout belongs", c.id, class)
		}
		if len(args) != 0 {
			return impl, true, invalid("Component: [%s]: %s takes no arguments", c.id, class)
		}
		return impl, true, nil
	}
	return dag.Impl{}, false, nil
}

// nativeOf is native for what was found in serialized Java.
func (c *component) nativeOf(f javaser.Found) (dag.Impl, error) {
	var args []string
	if f.Kind == javaser.DRPCSpout {
		args = []string{f.Function}
	}
	impl, _, err := c.native(f.Class, args)
	return impl, err
}

// DRPCFunctions returns the functions that the DRPC spouts of a topology serve, sorted.
func DRPCFunctions(topo *stormrpc.StormTopology) []string {
	list, err := components(topo)
	if err != nil {
		return nil
	}
	var out []string
	for i := range list {
		if impl, err := list[i].impl(); err == nil && impl.Kind == dag.ImplNative && impl.Name == DRPCSpoutClass {
			out = append(out, impl.Args[0])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
