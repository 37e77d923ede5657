package dynamic

import (
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/exact"
)

// Topology is what the workers are told of the topology beside its definition.
type Topology struct {
	// Exact says what sources emit and where the files are; numbers of counters do not count.
	Exact exact.Topology `json:"exact"`
	// PadBytes is what counters keep for each key beside its count.
	PadBytes int `json:"pad"`
}

// mark is the first of a worker's program arguments that say that its topology is ours.
const mark = "gearstorm-dynamic"

// config is the topology's configuration with the description for the workers.
func (t Topology) config(own map[string]any) (map[string]any, error) {
	c := conf.Conf{"topology.acker.executors": 0}
	if err := c.Describe(mark, t); err != nil {
		return nil, err
	}
	for k, v := range own {
		c[k] = v
	}
	return c, nil
}

// Registry makes the components in Go.
type Registry struct {
	t     Topology
	exact *exact.Registry
}

// RegistryOf is for a worker of a topology with that conf; nil if the topology is not one of ours.
func RegistryOf(c conf.Conf) (*Registry, error) {
	r := &Registry{}
	ours, err := c.Described(mark, &r.t)
	if !ours || err != nil {
		return nil, err
	}
	r.exact, err = r.t.Exact.Registry()
	return r, err
}

// Task makes a bolt.
func (r *Registry) Task(name string) (gearcore.Task, error) {
	p := probe{dir: r.t.Exact.Dir}
	switch name {
	case roleForward, keyName:
		return &forward{probe: p}, nil
	case roleTap:
		return &tap{probe: p}, nil
	case countName:
		return &counter{probe: p, pad: r.t.PadBytes}, nil
	}
	inner, err := r.exact.Task(name)
	if err != nil {
		return nil, err
	}
	return newSink(p, inner)
}

// Source makes a spout.
func (r *Registry) Source(name string) (gearcore.Source, error) {
	inner, err := r.exact.Source(name)
	if err != nil {
		return nil, err
	}
	return newSource(probe{dir: r.t.Exact.Dir}, inner)
}

// Grouping makes none.
func (r *Registry) Grouping(name string) (gearcore.CustomGrouping, error) {
	return r.exact.Grouping(name)
}
