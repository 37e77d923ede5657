package flux

import (
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// builder makes the topology of a definition.
type builder struct {
	*loader
	def     *definition
	fields  map[string][]string // Fields components by id
	outputs map[string]map[string]Stream
	commons map[string]*stormrpc.ComponentCommon
	objects map[string]*stormrpc.ComponentObject
	seen    map[subscription]bool
}

type subscription struct{ from, stream, to string }

func (b *builder) topology() (*stormrpc.StormTopology, error) {
	if err := b.javaOnly(); err != nil {
		return nil, err
	}
	if b.def.name == "" {
		return nil, b.def.at.errorf("the topology has no name")
	}
	if err := b.refs(); err != nil {
		return nil, err
	}
	b.outputs, b.seen = map[string]map[string]Stream{}, map[subscription]bool{}
	b.commons, b.objects = map[string]*stormrpc.ComponentCommon{}, map[string]*stormrpc.ComponentObject{}
	topo := &stormrpc.StormTopology{
		Spouts:      map[string]*stormrpc.SpoutSpec{},
		Bolts:       map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}
	for _, s := range b.def.spouts {
		if err := b.add(s, true); err != nil {
			return nil, err
		}
		topo.Spouts[s.id] = &stormrpc.SpoutSpec{SpoutObject: b.objects[s.id], Common: b.commons[s.id]}
	}
	for _, x := range b.def.bolts {
		if err := b.add(x, false); err != nil {
			return nil, err
		}
	}
	for _, s := range b.def.streams {
		if err := b.subscribe(s, topo); err != nil {
			return nil, err
		}
		topo.Bolts[s.to] = &stormrpc.Bolt{BoltObject: b.objects[s.to], Common: b.commons[s.to]}
	}
	for _, x := range b.def.bolts {
		if topo.Bolts[x.id] == nil {
			b.warn(x.at, "bolt %q is left out, no stream goes to it", x.id)
		}
	}
	if len(topo.Spouts) == 0 {
		return nil, b.def.at.errorf("the topology has no spouts")
	}
	return topo, nil
}

// javaOnly refuses what no class name makes anything of without a JVM.
func (b *builder) javaOnly() error {
	if b.def.source != nil {
		return b.def.source.at.errorf("topologySource is a Java class, which %s", errNeedsJVM)
	}
	if len(b.def.hooks) > 0 {
		return b.def.hooks[0].at.errorf("a worker hook is a Java class, which %s", errNeedsJVM)
	}
	beans := slices.Concat(b.def.components, b.def.spouts, b.def.bolts)
	for _, s := range b.def.streams {
		if s.grouping.custom != nil {
			beans = append(beans, s.grouping.custom)
		}
	}
	for _, x := range beans {
		if x.factory != nil {
			return x.factory.errorf("a %s is Java code, which %s", x.factory.Value, errNeedsJVM)
		}
	}
	return nil
}

// refs reads the components that groupings may refer to.
func (b *builder) refs() error {
	b.fields = map[string][]string{}
	for _, c := range b.def.components {
		if c.className != fieldsClass {
			return c.at.errorf("class %s is not known: a Java class %s", c.className, errNeedsJVM)
		}
		names, err := fieldsOf(c)
		if err != nil {
			return err
		}
		b.fields[c.id] = names
	}
	return nil
}

func (b *builder) add(x *bean, spout bool) error {
	if b.objects[x.id] != nil {
		return x.at.errorf("%q is the id of a spout and of a bolt", x.id)
	}
	c, err := b.component(x, spout)
	if err != nil {
		return err
	}
	if b.objects[x.id], err = c.object(); err != nil {
		return x.at.errorf("%w", err)
	}
	b.outputs[x.id] = c.streams
	b.commons[x.id], err = c.common(x)
	return err
}

// subscribe adds one stream to the inputs of its bolt.
func (b *builder) subscribe(s *streamDef, topo *stormrpc.StormTopology) error {
	outputs, ok := b.outputs[s.from]
	if !ok {
		return s.at.errorf("stream comes from %q, which is no spout or bolt", s.from)
	}
	if _, isSpout := topo.Spouts[s.to]; isSpout || b.objects[s.to] == nil {
		return s.at.errorf("stream goes to %q, which is no bolt", s.to)
	}
	out, ok := outputs[s.grouping.streamID]
	if !ok {
		return s.grouping.at.errorf("%q has no stream %q", s.from, s.grouping.streamID)
	}
	rule, err := b.rule(s.grouping)
	if err != nil {
		return err
	}
	for _, f := range rule.Fields {
		if !slices.Contains(out.Fields, f) {
			return s.grouping.at.errorf("stream %q of %q has no field %q, only %s", s.grouping.streamID, s.from, f, strings.Join(out.Fields, ", "))
		}
	}
	key := subscription{s.from, s.grouping.streamID, s.to}
	if b.seen[key] {
		return s.at.errorf("%q gets stream %q of %q twice", s.to, s.grouping.streamID, s.from)
	}
	b.seen[key] = true
	g, err := compat.Grouping(rule)
	if err != nil {
		return s.grouping.at.errorf("%w", err)
	}
	compat.Subscribe(b.commons[s.to], s.from, s.grouping.streamID, g)
	return nil
}

func (b *builder) rule(g groupingDef) (dag.Grouping, error) {
	kinds := map[string]dag.GroupingKind{"ALL": dag.All, "DIRECT": dag.Direct, "SHUFFLE": dag.Shuffle,
		"LOCAL_OR_SHUFFLE": dag.LocalOrShuffle, "FIELDS": dag.Fields, "GLOBAL": dag.Global, "NONE": dag.None}
	if g.kind != "CUSTOM" {
		return dag.Grouping{Kind: kinds[g.kind], Fields: g.args}, nil
	}
	c := g.custom
	if c.className != partialKeyClass {
		return dag.Grouping{}, c.at.errorf("grouping class %s is not known: a Java class %s", c.className, errNeedsJVM)
	}
	if len(c.properties)+len(c.methods) > 0 || len(c.args) > 1 {
		return dag.Grouping{}, c.at.errorf("%s takes Fields as its only constructor argument, and nothing else", c.className)
	}
	if len(c.args) == 0 {
		return dag.Grouping{Kind: dag.PartialKey}, nil
	}
	fields, err := b.fieldsRef(c.args[0])
	return dag.Grouping{Kind: dag.PartialKey, Fields: fields}, err
}

// fieldsRef follows {ref: id} to a Fields component.
func (b *builder) fieldsRef(n node) ([]string, error) {
	entries, err := n.entries("the argument of PartialKeyGrouping", "ref")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		id, err := e.value.text("ref")
		if err != nil {
			return nil, err
		}
		if fields, ok := b.fields[id]; ok {
			return fields, nil
		}
		return nil, e.value.errorf("there is no component %q", id)
	}
	return nil, n.errorf("the argument of PartialKeyGrouping must be a ref to Fields")
}
