package compat

import (
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// validateBasic is StormCommon.validateBasic, and that there is a spout, which Storm leaves to its Java client.
func validateBasic(t *stormrpc.StormTopology) error {
	list, err := components(t)
	if err != nil {
		return err
	}
	var twice []string
	spouts := 0
	for i, c := range list {
		if i > 0 && list[i-1].id == c.id {
			twice = append(twice, c.id)
		}
		if err := c.validateIDs(); err != nil {
			return err
		}
		if c.spout {
			spouts++
		}
	}
	if len(twice) > 0 {
		return invalid("Duplicate component ids: [%s]", strings.Join(twice, ", "))
	}
	if spouts == 0 {
		return invalid("There must be at least one spout")
	}
	for _, c := range list {
		if c.spout && len(c.common.Inputs) > 0 {
			return invalid("May not declare inputs for a spout")
		}
	}
	for _, c := range list {
		tasks, err := c.own.IntOr("topology.tasks", 0)
		if err != nil {
			return invalid("Component: [%s]: %v", c.id, err)
		}
		if tasks > 0 && c.hint() <= 0 {
			return invalid("Number of executors must be greater than 0 when number of tasks is greater than 0")
		}
	}
	return nil
}

func (c *component) validateIDs() error {
	if isSystem(c.id) {
		return invalid("%s is not a valid component id.", c.id)
	}
	for _, s := range c.streams() {
		if isSystem(s) {
			return invalid("%s is not a valid stream id.", s)
		}
	}
	return nil
}

func isSystem(id string) bool { return strings.HasPrefix(id, "__") }

// validateStructure is StormCommon.validateStructure on a system topology: every subscription names a component, a
// stream and fields that exist. Storm looks for the fields in all streams of the source and lets a worker fail when the
// stream itself lacks them; here they must be in the stream.
func validateStructure(system *stormrpc.StormTopology) error {
	list, err := components(system)
	if err != nil {
		return err
	}
	byID := make(map[string]*component, len(list))
	for i := range list {
		byID[list[i].id] = &list[i]
	}
	for _, c := range list {
		for _, in := range c.inputs() {
			if err := in.validate(c.id, byID[in.source]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (in *input) validate(subscriber string, source *component) error {
	if source == nil {
		return invalid("Component: [%s] subscribes from non-existent component [%s]", subscriber, in.source)
	}
	stream, ok := source.common.Streams[in.stream]
	if !ok {
		return invalid("Component: [%s] subscribes from non-existent stream: [%s] of component [%s]", subscriber, in.stream, in.source)
	}
	var missing []string
	for _, f := range in.grouping.Fields {
		if !slices.Contains(stream.OutputFields, f) {
			missing = append(missing, f)
		}
	}
	if len(missing) > 0 {
		return invalid("Component: [%s] subscribes from stream: [%s] of component [%s] + with non-existent fields: [%s]",
			subscriber, in.stream, in.source, strings.Join(missing, ", "))
	}
	return nil
}
