package compat

import (
	"fmt"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Describe turns a graph back into a normalized topology: Compile of it, with the graph's Conf, gives the same
// processors. Engine components are left out; [SystemTopology] adds them for those who want to see them.
func Describe(g *dag.Graph) (*stormrpc.StormTopology, error) {
	out := &stormrpc.StormTopology{
		Spouts:      map[string]*stormrpc.SpoutSpec{},
		Bolts:       map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}
	for _, p := range g.Processors {
		if p.Kind != dag.Spout && p.Kind != dag.Bolt {
			continue
		}
		object, err := describeImpl(p)
		if err != nil {
			return nil, err
		}
		common, err := describeCommon(p)
		if err != nil {
			return nil, err
		}
		if p.Kind == dag.Spout {
			out.Spouts[p.Name] = &stormrpc.SpoutSpec{SpoutObject: object, Common: common}
		} else {
			out.Bolts[p.Name] = &stormrpc.Bolt{BoltObject: object, Common: common}
		}
	}
	return out, nil
}

func describeImpl(p *dag.Processor) (*stormrpc.ComponentObject, error) {
	switch p.Impl.Kind {
	case dag.ImplGo:
		return GoComponent(p.Impl.Name), nil
	case dag.ImplShell:
		return ShellComponent(p.Impl.Command, p.Impl.Env, p.Impl.KeepDir)
	case dag.ImplNative:
		return NativeComponent(p.Impl.Name, p.Impl.Args...), nil
	}
	return nil, fmt.Errorf("describe component %s: no object stands for implementation %d", p.Name, p.Impl.Kind)
}

func describeCommon(p *dag.Processor) (*stormrpc.ComponentCommon, error) {
	own := conf.Merge(p.Conf, conf.Conf{"topology.tasks": p.Tasks})
	if p.Kind == dag.Spout {
		delete(own, "topology.tick.tuple.freq.secs") // set for every spout by Compile
	}
	text, err := own.JSON()
	if err != nil {
		return nil, fmt.Errorf("describe component %s: %w", p.Name, err)
	}
	j, hint := string(text), int32(p.Executors)
	c := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}, ParallelismHint: &hint, JSONConf: &j}
	for _, o := range p.Outputs {
		s := stream(o.Fields...)
		s.Direct = o.Direct
		c.Streams[o.Stream] = s
	}
	for _, in := range p.Inputs {
		g, err := Grouping(in.Grouping)
		if err != nil {
			return nil, fmt.Errorf("describe component %s: %w", p.Name, err)
		}
		Subscribe(c, in.Source, in.Stream, g)
	}
	return c, nil
}

// Grouping is the Thrift form of an edge's rule.
func Grouping(g dag.Grouping) (*stormrpc.Grouping, error) {
	null := &stormrpc.NullStruct{}
	switch g.Kind {
	case dag.Fields:
		return fieldsGrouping(g.Fields...), nil
	case dag.Global:
		return fieldsGrouping(), nil
	case dag.Shuffle:
		return &stormrpc.Grouping{Shuffle: null}, nil
	case dag.LocalOrShuffle:
		return &stormrpc.Grouping{LocalOrShuffle: null}, nil
	case dag.All:
		return &stormrpc.Grouping{All: null}, nil
	case dag.None:
		return &stormrpc.Grouping{None: null}, nil
	case dag.Direct:
		return &stormrpc.Grouping{Direct: null}, nil
	case dag.PartialKey:
		return &stormrpc.Grouping{CustomObject: javaClass(partialKeyClass, g.Fields...)}, nil
	case dag.KeyGroups:
		return &stormrpc.Grouping{CustomObject: javaClass(KeyGroupsClass, g.Fields...)}, nil
	case dag.Custom:
		return &stormrpc.Grouping{CustomObject: javaClass(GroupingClass, g.Name)}, nil
	}
	return nil, fmt.Errorf("no grouping of Storm stands for %s", g.Kind)
}
