package compat

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// CheckJars looks into the jars of a topology (its own first, then its dependencies) whether the ShellBolt and ShellSpout
// subclasses in it change what the stock class does. Such a topology is refused, and the error, an [*InvalidTopology],
// lists them all. A topology without such subclasses needs no jar. Compile has accepted the topology before.
func CheckJars(topo *stormrpc.StormTopology, jars ...*javaser.Jar) error {
	list, err := components(topo)
	if err != nil {
		return err
	}
	var bad []string
	for _, c := range list {
		if c.object.SerializedJava == nil {
			continue
		}
		f, err := javaser.Recognize(c.object.SerializedJava)
		if err != nil {
			return invalid("Component: [%s] is serialized Java that cannot be read: %v", c.id, err)
		}
		for _, class := range f.Unchecked {
			methods, err := overrides(class, jars)
			if err != nil {
				return invalid("Component: [%s]: %v", c.id, err)
			}
			if len(methods) > 0 {
				bad = append(bad, fmt.Sprintf("%s (%s)", c.id, strings.Join(methods, ", ")))
			}
		}
	}
	if len(bad) > 0 {
		return invalid("Subclasses of ShellBolt or ShellSpout with methods of their own are not supported: %s", strings.Join(bad, ", "))
	}
	return nil
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
