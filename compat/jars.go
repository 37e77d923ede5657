package compat

import (
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// PlaceShells looks into the jars of a topology (its own first, then its dependencies) whether the ShellBolt and ShellSpout
// subclasses in it change what the stock class does, and returns a topology that says of those that they run in the JVM
// ([ShellInJavaKey]). A topology without any is returned as it is, and one without such subclasses needs no jar. Compile has
// accepted the topology before. Errors are [*InvalidTopology].
func PlaceShells(topo *stormrpc.StormTopology, jars ...*javaser.Jar) (*stormrpc.StormTopology, error) {
	found, err := ShellOverrides(topo, jars...)
	if err != nil || len(found) == 0 {
		return topo, err
	}
	out := copyTopology(topo)
	for id := range found {
		var common *stormrpc.ComponentCommon
		if s := out.Spouts[id]; s != nil {
			common = s.Common
		} else {
			common = out.Bolts[id].Common
		}
		if err := setConf(common, ShellInJavaKey, true); err != nil {
			return nil, fmt.Errorf("place component %s: %w", id, err)
		}
	}
	return out, nil
}

// ShellOverrides finds the shell components of a topology that must not be taken for plain multilang children: those
// whose classes in the jars have methods (prepare, execute, nextTuple, ...) that may change what the stock ShellBolt or
// ShellSpout does. It gives these methods, as "class.method", by component id. jars are searched in their order. Errors
// are [*InvalidTopology]: a class that is in none of the jars or cannot be read, an object that cannot be read.
func ShellOverrides(topo *stormrpc.StormTopology, jars ...*javaser.Jar) (map[string][]string, error) {
	list, err := components(topo)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, c := range list {
		if c.object.SerializedJava == nil {
			continue
		}
		f, err := javaser.Recognize(c.object.SerializedJava)
		if err != nil {
			return nil, invalid("Component: [%s] is serialized Java that cannot be read: %v", c.id, err)
		}
		for _, class := range f.Unchecked {
			methods, err := overrides(class, jars)
			if err != nil {
				return nil, invalid("Component: [%s]: %v", c.id, err)
			}
			if len(methods) > 0 {
				out[c.id] = append(out[c.id], methods...)
			}
		}
	}
	return out, nil
}

func overrides(class string, jars []*javaser.Jar) ([]string, error) {
	for _, j := range jars {
		methods, err := j.Overrides([]string{class})
		if !errors.Is(err, javaser.ErrNoClass) {
			return methods, err
		}
	}
	return nil, fmt.Errorf("class %s is in none of the topology's jars", class)
}
