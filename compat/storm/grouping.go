package storm

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// partialKeyClass is Storm's partial key grouping, which Thrift knows only as a custom grouping.
	partialKeyClass = "org.apache.storm.grouping.PartialKeyGrouping"
	// keyGroupsClass is the class name that stands for KeyGroups.
	keyGroupsClass = "gearstorm.go.KeyGroups"
)

// Grouping is the rule by which a stream's tuples are divided among the tasks of a bolt. The zero Grouping is none;
// use the functions below.
type Grouping struct {
	g    dag.Grouping
	make func() CustomGrouping // Custom
}

// Shuffle divides evenly.
func Shuffle() Grouping { return Grouping{g: dag.Grouping{Kind: dag.Shuffle}} }

// LocalOrShuffle is Shuffle over the tasks in the emitter's own worker, if there are any.
func LocalOrShuffle() Grouping { return Grouping{g: dag.Grouping{Kind: dag.LocalOrShuffle}} }

// Fields sends tuples with equal values in the named fields to the same task.
func Fields(names ...string) Grouping {
	return Grouping{g: dag.Grouping{Kind: dag.Fields, Fields: slices.Clone(names)}}
}

// PartialKey is Fields with two possible tasks for each key, of which the less used gets the tuple.
func PartialKey(names ...string) Grouping {
	return Grouping{g: dag.Grouping{Kind: dag.PartialKey, Fields: slices.Clone(names)}}
}

// KeyGroups is Fields by a hash that divides keys into 4,096 groups, of which every task has a range. A change of parallelism
// moves whole groups, and state with them. Both sides have to be written in Go, and the bolt may have 4,096 tasks at most.
func KeyGroups(names ...string) Grouping {
	return Grouping{g: dag.Grouping{Kind: dag.KeyGroups, Fields: slices.Clone(names)}}
}

// All sends every tuple to every task.
func All() Grouping { return Grouping{g: dag.Grouping{Kind: dag.All}} }

// Global sends every tuple to the task with the lowest id.
func Global() Grouping { return Grouping{g: dag.Grouping{Kind: dag.Global}} }

// None leaves the choice to the engine: a random task for each tuple.
func None() Grouping { return Grouping{g: dag.Grouping{Kind: dag.None}} }

// Direct lets the emitter name the task; the stream must be declared with DirectStream.
func Direct() Grouping { return Grouping{g: dag.Grouping{Kind: dag.Direct}} }

// CustomGrouping chooses the tasks that get a tuple, as Storm's CustomStreamGrouping does.
type CustomGrouping = gearcore.CustomGrouping

// Custom leaves the choice to a CustomGrouping of this program: factory makes one for each task that emits, in the process
// that runs that task. It works for whatever the emitting component is written in.
func Custom(factory func() CustomGrouping) Grouping {
	return Grouping{dag.Grouping{Kind: dag.Custom}, factory}
}

// thrift returns the union that says g. name is under what a custom one is registered.
func (g Grouping) thrift(name string) *stormrpc.Grouping {
	null := &stormrpc.NullStruct{}
	switch g.g.Kind {
	case dag.Shuffle:
		return &stormrpc.Grouping{Shuffle: null}
	case dag.LocalOrShuffle:
		return &stormrpc.Grouping{LocalOrShuffle: null}
	case dag.All:
		return &stormrpc.Grouping{All: null}
	case dag.None:
		return &stormrpc.Grouping{None: null}
	case dag.Direct:
		return &stormrpc.Grouping{Direct: null}
	case dag.Global:
		return &stormrpc.Grouping{Fields: []string{}}
	case dag.Custom:
		return &stormrpc.Grouping{CustomObject: &stormrpc.JavaObject{FullClassName: GoGroupingClass, ArgsList: stringArgs([]string{name})}}
	case dag.KeyGroups:
		return &stormrpc.Grouping{CustomObject: &stormrpc.JavaObject{FullClassName: keyGroupsClass, ArgsList: stringArgs(g.g.Fields)}}
	case dag.PartialKey:
		return &stormrpc.Grouping{CustomObject: &stormrpc.JavaObject{FullClassName: partialKeyClass, ArgsList: stringArgs(g.g.Fields)}}
	}
	return &stormrpc.Grouping{Fields: g.g.Fields}
}

// groupingName is what the custom grouping of in is called: there is one for each subscription.
func (d *Declarer) groupingName(in *input) string { return d.id + "/" + in.component + "/" + in.stream }
