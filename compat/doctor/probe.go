package doctor

import (
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore/dag"
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

// answer is what the compiler says to a probe: it refuses it, or takes it and needs a JVM for it or not.
type answer struct {
	err  error
	java bool
}

// asked gives the answer to a submit of the probe, changed in one way.
func asked(change func(*probe)) answer {
	g, err := newProbe().changed(change)
	if err != nil {
		return answer{err: err}
	}
	java, known := javaImpl()
	return answer{java: known && slices.ContainsFunc(g.Processors, func(p *dag.Processor) bool { return p.Impl.Kind == java })}
}

// javaImpl is what the compiler makes of a bolt in Java; false where it refuses it.
var javaImpl = sync.OnceValues(func() (dag.ImplKind, bool) {
	g, err := newProbe().changed(boltOf(probed))
	if err != nil {
		return 0, false
	}
	return g.Processor("bolt").Impl.Kind, true
})

func (p *probe) changed(change func(*probe)) (*dag.Graph, error) {
	change(p)
	return compile("probe", p.topo, p.conf)
}

// compile does with a topology what a submit does.
func compile(name string, t *stormrpc.StormTopology, c conf.Conf) (*dag.Graph, error) {
	t, c, err := compat.Normalize(conf.Defaults(), c, t, compat.Submission{ID: name + "-1-1", Name: name})
	if err != nil {
		return nil, err
	}
	return compat.Compile(t, c)
}

func spoutOf(class string) func(*probe) {
	return objectOf(&stormrpc.ComponentObject{SerializedJava: javaObject(class, "")}, true)
}

// named is a component of Storm by its name, with the arguments of its constructor.
func named(class string, spout bool, args ...string) func(*probe) {
	o := &stormrpc.JavaObject{FullClassName: class}
	for i := range args {
		o.ArgsList = append(o.ArgsList, &stormrpc.JavaObjectArg{StringArg: &args[i]})
	}
	return objectOf(&stormrpc.ComponentObject{JavaObject: o}, spout)
}

// objectOf is a component as it stands in a topology.
func objectOf(o *stormrpc.ComponentObject, spout bool) func(*probe) {
	return func(p *probe) {
		if spout {
			p.topo.Spouts["spout"].SpoutObject = o
		} else {
			p.topo.Bolts["bolt"].BoltObject = o
		}
	}
}

func boltOf(class string) func(*probe) { return wrapped(class, "") }

// wrapped is a bolt in one of Storm's executors.
func wrapped(executor, bolt string) func(*probe) {
	return objectOf(&stormrpc.ComponentObject{SerializedJava: javaObject(executor, bolt)}, false)
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
