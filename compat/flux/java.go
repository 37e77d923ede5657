package flux

import (
	"errors"
	"slices"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// Made is what a JVM made of a definition: a StormTopology in Thrift's form.
type Made struct {
	Topology []byte
	Warnings []string // with file and line
}

// Mistake is an error of the definition that Java found. It begins with file and line.
type Mistake string

func (m Mistake) Error() string { return string(m) }

// withJava has Java make the whole topology, with stand-ins for the components that need no Java, and puts those into it. So
// it is Storm's own builder that knows what state, windows and hooks take.
func (b *builder) withJava() (*stormrpc.StormTopology, error) {
	for _, s := range b.def.streams {
		if g := s.grouping.custom; g != nil && g.className == compat.KeyGroupsClass {
			return nil, g.at.errorf("grouping class %s is none of Java's: it cannot stand in a definition of which Java makes anything; group by FIELDS", g.className)
		}
		if g := s.grouping.custom; g != nil && b.native[s.from] != nil && !stockGrouping(g) {
			return nil, g.at.errorf("grouping class %s is written in Java; it can only be asked where %q is, which is not", g.className, s.from)
		}
	}
	topo, err := b.ask()
	if err != nil {
		return nil, err
	}
	for id, c := range b.native {
		object, err := c.object()
		if err != nil {
			return nil, b.def.at.errorf("%w", err)
		}
		if s := topo.Spouts[id]; s != nil {
			s.SpoutObject = object
		} else if x := topo.Bolts[id]; x != nil {
			x.BoltObject = object
		}
	}
	b.leftOut(topo)
	for _, s := range b.def.streams {
		if outputs := outputsOf(topo, s.from); outputs != nil {
			if err := s.check(outputs); err != nil {
				return nil, err
			}
		}
	}
	return topo, nil
}

// external has a class of Java make the topology.
func (b *builder) external() (*stormrpc.StormTopology, error) {
	if len(b.def.spouts)+len(b.def.bolts)+len(b.def.streams) > 0 {
		return nil, b.def.source.at.errorf("the class of topologySource makes spouts, bolts and streams, so the definition cannot have its own")
	}
	return b.ask()
}

// outputsOf returns the streams of a component of a topology, nil if it is not in it.
func outputsOf(topo *stormrpc.StormTopology, id string) map[string]Stream {
	var common *stormrpc.ComponentCommon
	if s := topo.Spouts[id]; s != nil {
		common = s.Common
	} else if x := topo.Bolts[id]; x != nil {
		common = x.Common
	}
	if common == nil {
		return nil
	}
	out := map[string]Stream{}
	for name, s := range common.Streams {
		out[name] = Stream{s.OutputFields, s.Direct}
	}
	return out
}

// ask sends the definition to Java and reads the answer.
func (b *builder) ask() (*stormrpc.StormTopology, error) {
	definition, err := b.encode()
	if err != nil {
		return nil, err
	}
	if b.options.Java == nil {
		return nil, b.withoutJVM(errors.New("nobody can make its objects"))
	}
	made, err := b.options.Java(definition)
	if _, wrong := errors.AsType[Mistake](err); wrong {
		return nil, err
	}
	if missing := (*jvmhost.MissingError)(nil); errors.As(err, &missing) {
		return nil, b.withoutJVM(err)
	}
	if err != nil {
		return nil, b.def.at.errorf("make the objects of Java classes: %w", err)
	}
	b.warnings = append(b.warnings, made.Warnings...)
	topo := stormrpc.NewStormTopology()
	if err := wire.Unmarshal(made.Topology, topo); err != nil {
		return nil, b.def.at.errorf("read what Java made of it: %w", err)
	}
	return topo, nil
}

// withoutJVM is the error about the first class that needs Java, where there is none.
func (b *builder) withoutJVM(err error) error {
	all := slices.Concat(b.def.components, b.def.spouts, b.def.bolts)
	for _, s := range b.def.streams {
		if s.grouping.custom != nil {
			all = append(all, s.grouping.custom)
		}
	}
	if all = append(all, b.def.hooks...); b.def.source != nil {
		all = append(all, b.def.source)
	}
	for _, x := range all {
		if x.className != fieldsClass && !stockGrouping(x) && b.native[x.id] == nil || x.made() {
			return x.at.errorf("class %s is not known without Java: %w", x.className, err)
		}
	}
	return b.def.at.errorf("Java is needed: %w", err)
}
