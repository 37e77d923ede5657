package compat

import (
	"slices"
	"unicode/utf8"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// component is one entry of a topology's three maps.
type component struct {
	id     string
	spout  bool
	object *stormrpc.ComponentObject
	common *stormrpc.ComponentCommon
	own    conf.Conf // its json_conf
}

// hint is the parallelism hint; one when there is none.
func (c *component) hint() int {
	if c.common.ParallelismHint == nil {
		return 1
	}
	return int(*c.common.ParallelismHint)
}

// components lists a topology in the order of task ids. It refuses what Thrift cannot rule out and later code relies
// on: missing parts, names that are no text, an id in two maps.
func components(t *stormrpc.StormTopology) ([]component, error) {
	if t == nil {
		return nil, invalid("There is no topology")
	}
	if len(t.StateSpouts) > 0 {
		return nil, invalid("State spouts are not supported")
	}
	var out []component
	for id, s := range t.Spouts {
		if s == nil {
			return nil, invalid("Component: [%s] is empty", id)
		}
		out = append(out, component{id: id, spout: true, object: s.SpoutObject, common: s.Common})
	}
	for id, b := range t.Bolts {
		if b == nil {
			return nil, invalid("Component: [%s] is empty", id)
		}
		out = append(out, component{id: id, object: b.BoltObject, common: b.Common})
	}
	slices.SortFunc(out, func(a, b component) int { return dag.Compare(a.id, b.id) })
	for i := range out {
		if err := out[i].check(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *component) check() error {
	if c.id == "" || !utf8.ValidString(c.id) {
		return invalid("%q is not a valid component id.", c.id)
	}
	if c.object == nil || c.common == nil {
		return invalid("Component: [%s] is empty", c.id)
	}
	for stream, info := range c.common.Streams {
		if info == nil || !utf8.ValidString(stream) {
			return invalid("%q of component [%s] is not a valid stream id.", stream, c.id)
		}
	}
	for _, in := range c.common.Inputs {
		if in.Key == nil || in.Value == nil {
			return invalid("Component: [%s] has an empty subscription", c.id)
		}
	}
	c.own = conf.Conf{}
	if j := c.common.JSONConf; j != nil {
		var err error
		if c.own, err = conf.ParseJSON([]byte(*j)); err != nil {
			return invalid("Component: [%s] has a json_conf that cannot be read: %v", c.id, err)
		}
	}
	return nil
}

// inputs gives the subscriptions in order of source and stream. Of a stream that stands there twice the last counts, as
// in the map that Java reads.
func (c *component) inputs() []input {
	byStream := map[stormrpc.GlobalStreamId]int{}
	var out []input
	for _, in := range c.common.Inputs {
		key := stormrpc.GlobalStreamId{ComponentId: in.Key.ComponentId, StreamId: in.Key.StreamId}
		if i, twice := byStream[key]; twice {
			out[i].grouping = in.Value
			continue
		}
		byStream[key] = len(out)
		out = append(out, input{key.ComponentId, key.StreamId, in.Value})
	}
	slices.SortFunc(out, func(a, b input) int {
		if d := dag.Compare(a.source, b.source); d != 0 {
			return d
		}
		return dag.Compare(a.stream, b.stream)
	})
	return out
}

type input struct {
	source, stream string
	grouping       *stormrpc.Grouping
}

// streams gives the names of the declared streams in order.
func (c *component) streams() []string {
	out := make([]string, 0, len(c.common.Streams))
	for name := range c.common.Streams {
		out = append(out, name)
	}
	slices.SortFunc(out, dag.Compare)
	return out
}

// tasks gives the number of tasks under the topology's conf (ServerUtils.getComponentParallelism).
func (c *component) tasks(topology conf.Conf) (int, error) {
	merged := conf.Merge(topology, c.own)
	n, err := merged.IntOr("topology.tasks", int64(c.hint()))
	if err == nil {
		var most int64
		most, err = merged.IntOr("topology.max.task.parallelism", n)
		n = min(n, most)
	}
	return c.bounded(n, err)
}

// storedTasks gives the tasks of a normalized component, which no later change of the topology's conf moves.
func (c *component) storedTasks(topology conf.Conf) (int, error) {
	if !c.own.Has("topology.tasks") {
		return c.tasks(topology)
	}
	return c.bounded(c.own.Int("topology.tasks"))
}

func (c *component) bounded(n int64, err error) (int, error) {
	if err != nil {
		return 0, invalid("Component: [%s]: %v", c.id, err)
	}
	if n < 0 || n > MaxTasks {
		return 0, invalid("Component: [%s] has %d tasks, which is not between 0 and %d", c.id, n, MaxTasks)
	}
	return int(n), nil
}
