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
	native  map[string]*component // spouts and bolts that need no Java
	java    map[string]bool       // those that do
	fields  map[string][]string   // Fields components by id
	commons map[string]*stormrpc.ComponentCommon
	objects map[string]*stormrpc.ComponentObject
}

type subscription struct{ from, stream, to string }

func (b *builder) topology() (*stormrpc.StormTopology, error) {
	if b.def.name == "" {
		return nil, b.def.at.errorf("the topology has no name")
	}
	if b.def.source != nil {
		return b.external()
	}
	if len(b.def.spouts) == 0 {
		return nil, b.def.at.errorf("the topology has no spouts")
	}
	if err := b.vertices(); err != nil {
		return nil, err
	}
	if err := b.ends(); err != nil {
		return nil, err
	}
	for _, s := range b.def.streams {
		if from := b.native[s.from]; from != nil {
			if err := s.check(from.streams); err != nil {
				return nil, err
			}
		}
	}
	if b.needsJava() {
		return b.withJava()
	}
	return b.plain()
}

// vertices makes the spouts and bolts that need no Java.
func (b *builder) vertices() error {
	b.native, b.java = map[string]*component{}, map[string]bool{}
	for i, x := range slices.Concat(b.def.spouts, b.def.bolts) {
		if b.native[x.id] != nil || b.java[x.id] {
			return x.at.errorf("%q is the id of a spout and of a bolt", x.id)
		}
		c, err := b.component(x, i < len(b.def.spouts))
		if err != nil {
			return err
		}
		if c == nil {
			b.java[x.id] = true
		} else {
			b.native[x.id] = c
		}
	}
	return nil
}

// needsJava tells whether anything of the definition is an object that only Java can make.
func (b *builder) needsJava() bool {
	plain := map[string]bool{} // Fields, which others may refer to
	for _, c := range b.def.components {
		if c.className != fieldsClass || c.made() {
			return true
		}
		plain[c.id] = true
	}
	custom := func(s *streamDef) bool {
		g := s.grouping.custom
		if g == nil {
			return false
		}
		return !stockGrouping(g) || b.java[s.from]
	}
	return len(b.java) > 0 || len(b.def.hooks) > 0 || slices.ContainsFunc(b.def.streams, custom)
}

// ends checks where streams come from and go to.
func (b *builder) ends() error {
	spouts := map[string]bool{}
	for _, s := range b.def.spouts {
		spouts[s.id] = true
	}
	known := func(id string) bool { return b.native[id] != nil || b.java[id] }
	seen := map[subscription]bool{}
	for _, s := range b.def.streams {
		if !known(s.from) {
			return s.at.errorf("stream comes from %q, which is no spout or bolt", s.from)
		}
		if spouts[s.to] || !known(s.to) {
			return s.at.errorf("stream goes to %q, which is no bolt", s.to)
		}
		key := subscription{s.from, s.grouping.streamID, s.to}
		if seen[key] {
			return s.at.errorf("%q gets stream %q of %q twice", s.to, s.grouping.streamID, s.from)
		}
		seen[key] = true
	}
	return nil
}

// check checks a stream against those that its source has.
func (s *streamDef) check(outputs map[string]Stream) error {
	out, ok := outputs[s.grouping.streamID]
	if !ok {
		return s.grouping.at.errorf("%q has no stream %q", s.from, s.grouping.streamID)
	}
	return s.checkFields(s.grouping.args, out)
}

func (s *streamDef) checkFields(fields []string, out Stream) error {
	for _, f := range fields {
		if !slices.Contains(out.Fields, f) {
			return s.grouping.at.errorf("stream %q of %q has no field %q, only %s", s.grouping.streamID, s.from, f, strings.Join(out.Fields, ", "))
		}
	}
	return nil
}

// plain makes the topology of a definition without Java.
func (b *builder) plain() (*stormrpc.StormTopology, error) {
	if err := b.refs(); err != nil {
		return nil, err
	}
	b.commons, b.objects = map[string]*stormrpc.ComponentCommon{}, map[string]*stormrpc.ComponentObject{}
	for _, x := range slices.Concat(b.def.spouts, b.def.bolts) {
		c := b.native[x.id]
		var err error
		if b.objects[x.id], err = c.object(); err != nil {
			return nil, x.at.errorf("%w", err)
		}
		if b.commons[x.id], err = c.common(x); err != nil {
			return nil, err
		}
	}
	topo := &stormrpc.StormTopology{
		Spouts:      map[string]*stormrpc.SpoutSpec{},
		Bolts:       map[string]*stormrpc.Bolt{},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}
	for _, s := range b.def.spouts {
		topo.Spouts[s.id] = &stormrpc.SpoutSpec{SpoutObject: b.objects[s.id], Common: b.commons[s.id]}
	}
	for _, s := range b.def.streams {
		if err := b.subscribe(s); err != nil {
			return nil, err
		}
		topo.Bolts[s.to] = &stormrpc.Bolt{BoltObject: b.objects[s.to], Common: b.commons[s.to]}
	}
	b.leftOut(topo)
	return topo, nil
}

// leftOut warns of bolts that are not in the topology.
func (b *builder) leftOut(topo *stormrpc.StormTopology) {
	for _, x := range b.def.bolts {
		if topo.Bolts[x.id] == nil {
			b.warn(x.at, "bolt %q is left out, no stream goes to it", x.id)
		}
	}
}

// refs reads the components that groupings may refer to.
func (b *builder) refs() error {
	b.fields = map[string][]string{}
	for _, c := range b.def.components {
		names, err := fieldsOf(c)
		if err != nil {
			return err
		}
		b.fields[c.id] = names
	}
	return nil
}

// subscribe adds one stream to the inputs of its bolt.
func (b *builder) subscribe(s *streamDef) error {
	rule, err := b.rule(s.grouping)
	if err != nil {
		return err
	}
	if err := s.checkFields(rule.Fields, b.native[s.from].streams[s.grouping.streamID]); err != nil {
		return err
	}
	g, err := compat.Grouping(rule)
	if err != nil {
		return s.grouping.at.errorf("%w", err)
	}
	compat.Subscribe(b.commons[s.to], s.from, s.grouping.streamID, g)
	return nil
}

func (b *builder) rule(g groupingDef) (dag.Grouping, error) {
	kinds := map[string]dag.GroupingKind{"ALL": dag.All, "DIRECT": dag.Direct, "SHUFFLE": dag.Shuffle,
		"LOCAL_OR_SHUFFLE": dag.LocalOrShuffle, "FIELDS": dag.Fields, "GLOBAL": dag.Global, "NONE": dag.None,
		"KEY_GROUPS": dag.KeyGroups}
	if g.kind != "CUSTOM" {
		return dag.Grouping{Kind: kinds[g.kind], Fields: g.args}, nil
	}
	c := g.custom // one of stockGroupings: others need Java
	kind := stockGroupings[c.className]
	if len(c.properties)+len(c.methods) > 0 || len(c.args) > 1 {
		return dag.Grouping{}, c.at.errorf("%s takes Fields as its only constructor argument, and nothing else", c.className)
	}
	if len(c.args) == 0 {
		return dag.Grouping{Kind: kind}, nil
	}
	fields, err := b.fieldsRef(c.args[0])
	return dag.Grouping{Kind: kind, Fields: fields}, err
}

// stockGroupings are the custom groupings that need no Java, with what they are.
var stockGroupings = map[string]dag.GroupingKind{partialKeyClass: dag.PartialKey, compat.KeyGroupsClass: dag.KeyGroups}

// stockGrouping tells whether a bean is one of them, so that no Java is needed for its fields.
func stockGrouping(b *bean) bool {
	return stockGroupings[b.className] != 0 && b.factory == ""
}

// fieldsRef follows {ref: id} to a Fields component.
func (b *builder) fieldsRef(n node) ([]string, error) {
	ids, key, err := n.refs()
	if err != nil {
		return nil, err
	}
	if key != "ref" {
		return nil, n.errorf("the argument of a grouping by keys must be a ref to Fields")
	}
	if fields, ok := b.fields[ids[0]]; ok {
		return fields, nil
	}
	return nil, n.errorf("there is no component %q", ids[0])
}
