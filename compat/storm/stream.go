package storm

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	dsl "github.com/gearstorm/gearstorm/gearcore/stream"
)

// AddStream adds a topology of the typed API: its components, under the names of their first steps, and its configuration,
// which goes over what was set before.
func (b *TopologyBuilder) AddStream(t *dsl.Topology) *TopologyBuilder {
	components, err := t.Components()
	if err != nil {
		b.errs = append(b.errs, err)
		return b
	}
	for k, v := range t.Conf() {
		b.AddConfig(k, v)
	}
	for _, c := range components {
		b.addSteps(c)
	}
	return b
}

func (b *TopologyBuilder) addSteps(c *dsl.Component) {
	var d *Declarer
	if c.Source {
		d = b.SetSpout(c.Name, steps{c}, c.Tasks)
	} else {
		d = b.SetBolt(c.Name, steps{c}, c.Tasks)
	}
	for _, o := range c.Outputs {
		d.Stream(o.Stream, o.Fields...)
	}
	for _, in := range c.Inputs {
		d.Grouping(in.Source, in.Stream, Grouping{g: in.Grouping})
	}
	for k, v := range c.Conf {
		d.AddConfig(k, v)
	}
}

// steps makes the tasks of a component of the typed API.
type steps struct{ c *dsl.Component }

func (s steps) newBolt() (gearcore.Task, error) {
	made, err := s.c.New(dsl.Env{})
	if err != nil {
		return nil, err
	}
	if t, ok := made.(gearcore.Task); ok {
		return t, nil
	}
	return nil, fmt.Errorf("component %s makes a %T, which is no task", s.c.Name, made)
}

func (s steps) newSpout() (gearcore.Source, error) {
	made, err := s.c.New(dsl.Env{})
	if err != nil {
		return nil, err
	}
	if src, ok := made.(gearcore.Source); ok {
		return src, nil
	}
	return nil, fmt.Errorf("component %s makes a %T, which is no source", s.c.Name, made)
}
