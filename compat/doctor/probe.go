package doctor

import (
	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// probe is a topology of a multilang spout and bolt, in which one thing is exchanged before the compiler is asked.
type probe struct {
	topo *stormrpc.StormTopology
	conf conf.Conf
}

func newProbe() *probe {
	shell := func() *stormrpc.ComponentObject {
		return &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: "probe", Script: "probe"}}
	}
	common := func() *stormrpc.ComponentCommon {
		return &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"x"}}}}
	}
	p := &probe{topo: &stormrpc.StormTopology{
		Spouts:      map[string]*stormrpc.SpoutSpec{"spout": {SpoutObject: shell(), Common: common()}},
		Bolts:       map[string]*stormrpc.Bolt{"bolt": {BoltObject: shell(), Common: common()}},
		StateSpouts: map[string]*stormrpc.StateSpoutSpec{},
	}, conf: conf.Conf{"transactional.zookeeper.servers": []any{"probe"}}}
	p.subscribe(&stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}})
	return p
}

// subscribe gives the bolt its only input.
func (p *probe) subscribe(g *stormrpc.Grouping) {
	bolt := p.topo.Bolts["bolt"].Common
	bolt.Inputs = nil
	compat.Subscribe(bolt, "spout", "default", g)
}

// asked gives the answer to a submit of the probe, changed in one way.
func asked(change func(*probe)) error {
	p := newProbe()
	change(p)
	return compiles("probe", p.topo, p.conf)
}

// compiles does with a topology what a submit does.
func compiles(name string, t *stormrpc.StormTopology, c conf.Conf) error {
	t, c, err := compat.Normalize(conf.Defaults(), c, t, compat.Submission{ID: name + "-1-1", Name: name})
	if err == nil {
		_, err = compat.Compile(t, c)
	}
	return err
}

func spoutOf(class string) func(*probe) {
	return func(p *probe) {
		p.topo.Spouts["spout"].SpoutObject = &stormrpc.ComponentObject{SerializedJava: javaObject(class, "")}
	}
}

func boltOf(class string) func(*probe) { return wrapped(class, "") }

// wrapped is a bolt in one of Storm's executors.
func wrapped(executor, bolt string) func(*probe) {
	return func(p *probe) {
		p.topo.Bolts["bolt"].BoltObject = &stormrpc.ComponentObject{SerializedJava: javaObject(executor, bolt)}
	}
}

// groupingOf is a custom grouping between two Java components: an edge on which a native one sends is another matter.
func groupingOf(class string) func(*probe) {
	return func(p *probe) {
		spoutOf(probed)(p)
		boltOf(probed)(p)
		p.subscribe(&stormrpc.Grouping{CustomSerialized: javaObject(class, "")})
	}
}

// javaObject is what Java serialization makes of an object of a class without fields, or with the one field bolt, which
// holds an object of that class.
func javaObject(class, bolt string) []byte {
	text := func(s string) string { return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s }
	described := func(class, fields string) string {
		return "sr" + text(class) + "\x00\x00\x00\x00\x00\x00\x00\x01\x02" + fields + "xp"
	}
	const header, none = "\xac\xed\x00\x05", "\x00\x00"
	if bolt == "" {
		return []byte(header + described(class, none))
	}
	field := "\x00\x01L" + text("bolt") + "t" + text("Ljava/lang/Object;")
	return []byte(header + described(class, field) + described(bolt, none))
}
