package storm

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// GoComponentClass is the class name that stands for a Go component in a StormTopology; its one argument is the name
// under which the submitted program knows the component.
const GoComponentClass = "gearstorm.go.Component"

// GoGroupingClass is the class name that stands for a custom grouping written in Go; its one argument is the name under
// which the submitted program knows it.
const GoGroupingClass = "gearstorm.go.Grouping"

// Topology is what Build makes: the description that travels, and the code that does not.
type Topology struct {
	// Thrift is the topology as any Storm tool can read it.
	Thrift *stormrpc.StormTopology
	// Conf is the topology's own configuration, without any defaults, in the kinds of package conf: what a component
	// sees does not depend on whether it runs here or elsewhere.
	Conf conf.Conf
	// Components makes the Go components.
	Components *Registry
}

// Build checks what was declared and describes it. The errors, all that there are, use the words in which Nimbus would
// refuse the topology. The builder may be changed and built again afterwards.
func (b *TopologyBuilder) Build() (*Topology, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	own, err := encodable(b.conf)
	if err != nil {
		return nil, fmt.Errorf("encode the topology's configuration: %w", err)
	}
	if err := own.ValidateTopology(); err != nil {
		return nil, err
	}
	t := &Topology{
		Thrift: &stormrpc.StormTopology{
			Spouts:      map[string]*stormrpc.SpoutSpec{},
			Bolts:       map[string]*stormrpc.Bolt{},
			StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
		},
		Conf:       own,
		Components: &Registry{bolts: map[string]BoltSpec{}, spouts: map[string]SpoutSpec{}, groupings: map[string]func() CustomGrouping{}},
	}
	components, err := b.stateful(own)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, d := range components {
		common, err1 := d.common()
		object, err2 := t.Components.add(d)
		if err := errors.Join(err1, err2); err != nil {
			errs = append(errs, fmt.Errorf("component %s: %w", d.id, err))
			continue
		}
		if d.spout != nil {
			t.Thrift.Spouts[d.id] = &stormrpc.SpoutSpec{SpoutObject: object, Common: common}
		} else {
			t.Thrift.Bolts[d.id] = &stormrpc.Bolt{BoltObject: object, Common: common}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// common describes everything about d but its code.
func (d *Declarer) common() (*stormrpc.ComponentCommon, error) {
	own, err := encodable(d.conf)
	if err != nil {
		return nil, fmt.Errorf("encode its configuration: %w", err)
	}
	if err := own.CheckOwn(); err != nil {
		return nil, fmt.Errorf("its configuration: %w", err)
	}
	data, err := own.JSON()
	if err != nil {
		return nil, fmt.Errorf("encode its configuration: %w", err)
	}
	hint, text := int32(d.parallelism), string(data)
	c := &stormrpc.ComponentCommon{ParallelismHint: &hint, JSONConf: &text, Streams: map[string]*stormrpc.StreamInfo{}}
	for _, s := range d.streams {
		c.Streams[s.name] = &stormrpc.StreamInfo{OutputFields: s.fields, Direct: s.direct}
	}
	c.Inputs = slices.Grow(c.Inputs, len(d.inputs))[:len(d.inputs)]
	for i, in := range d.inputs {
		c.Inputs[i].Key = &stormrpc.GlobalStreamId{ComponentId: in.component, StreamId: in.stream}
		c.Inputs[i].Value = in.grouping.thrift(d.groupingName(&in))
	}
	return c, nil
}

// encodable brings what Go code put in a configuration to the kinds of package conf.
func encodable(c map[string]any) (conf.Conf, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return conf.ParseJSON(data)
}

// Registry makes the Go components of a topology by name. It is safe for concurrent use if the factories are.
type Registry struct {
	bolts     map[string]BoltSpec
	spouts    map[string]SpoutSpec
	groupings map[string]func() CustomGrouping
}

// add registers d, as far as it is written in Go, and describes its code.
func (r *Registry) add(d *Declarer) (*stormrpc.ComponentObject, error) {
	for i := range d.inputs {
		if in := &d.inputs[i]; in.grouping.make != nil {
			r.groupings[d.groupingName(in)] = in.grouping.make
		}
	}
	if s, ok := d.shell(); ok {
		return s.object()
	}
	if n, ok := d.named(); ok {
		return n.object(), nil
	}
	if d.spout != nil {
		r.spouts[d.id] = d.spout
	} else {
		r.bolts[d.id] = d.bolt
		if w, ok := d.bolt.(*WindowedSpec); ok {
			r.bolts[d.id] = w.listening(d.ownInputs())
		}
		if d.b.hasState() {
			r.bolts[d.id] = d.b.registered(d, r.bolts[d.id])
		}
		if d.noRetain && !d.b.hasState() { // there tuples may be kept for the bolt, until its state is committed
			r.bolts[d.id] = noRetainSpec{d.bolt}
		}
	}
	return javaObject(GoComponentClass, d.id), nil
}

// Grouping makes the custom grouping called name.
func (r *Registry) Grouping(name string) (gearcore.CustomGrouping, error) {
	f, ok := r.groupings[name]
	if !ok {
		return nil, fmt.Errorf("make grouping %s: this program has no grouping of that name", name)
	}
	if g := f(); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("make grouping %s: the factory returned nil", name)
}

// Task makes the code of one task of the bolt called name.
func (r *Registry) Task(name string) (gearcore.Task, error) {
	b, ok := r.bolts[name]
	if !ok {
		return nil, fmt.Errorf("make bolt %s: this program has no bolt of that name", name)
	}
	t, err := b.newBolt()
	if err != nil {
		return nil, fmt.Errorf("make bolt %s: %w", name, err)
	}
	return t, nil
}

// Source makes the code of one task of the spout called name.
func (r *Registry) Source(name string) (gearcore.Source, error) {
	s, ok := r.spouts[name]
	if !ok {
		return nil, fmt.Errorf("make spout %s: this program has no spout of that name", name)
	}
	src, err := s.newSpout()
	if err != nil {
		return nil, fmt.Errorf("make spout %s: %w", name, err)
	}
	return src, nil
}
