package flux

import (
	"errors"
	"slices"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	shellSpoutClass = "org.apache.storm.flux.wrappers.spouts.FluxShellSpout"
	shellBoltClass  = "org.apache.storm.flux.wrappers.bolts.FluxShellBolt"
	partialKeyClass = "org.apache.storm.grouping.PartialKeyGrouping"
	fieldsClass     = "org.apache.storm.tuple.Fields"
)

// component is a spout or bolt in the making.
type component struct {
	shell   bool
	command []string
	env     map[string]string
	keepDir bool
	goName  string
	native  []string // class of Storm and its arguments
	streams map[string]Stream
	conf    conf.Conf
}

// component makes a spout or bolt that needs no Java; it is nil if the class is one of Java.
func (l *loader) component(b *bean, spout bool) (*component, error) {
	c := &component{streams: map[string]Stream{}, conf: conf.Conf{}}
	shellClass := shellBoltClass
	if spout {
		shellClass = shellSpoutClass
	}
	var err error
	switch {
	case b.className == compat.GoClass:
		if b.factory != "" {
			return nil, b.at.errorf("a Go component has no factory")
		}
		err = c.construct(b, func(n node) (err error) { c.goName, err = n.text("the name of the Go component"); return err })
	case b.made():
		return nil, nil
	case b.className == shellClass:
		c.shell = true
		err = c.construct(b, func(n node) (err error) { c.command, err = n.texts("the command line"); return err })
		if err == nil && len(c.command) == 0 {
			err = b.at.errorf("the first constructor argument of %s is the command line, which is empty", b.className)
		}
	case b.className == compat.DRPCSpoutClass, b.className == compat.ReturnResultsClass:
		return c, c.constructNative(b, spout)
	default:
		return l.resolve(c, b, spout)
	}
	if err != nil {
		return nil, err
	}
	return c, c.configure(b)
}

// made tells whether it takes Java to make the object, whatever its class: by a factory, or out of other objects.
func (b *bean) made() bool {
	return b.factory != "" || len(b.refs()) > 0
}

// construct reads the arguments of the shell classes and of Go components: the code, and the fields of the default
// stream if they are given here.
func (c *component) construct(b *bean, code func(node) error) error {
	if n := len(b.args); n != 1 && n != 2 {
		return b.at.errorf("%s takes 1 or 2 constructor arguments, not %d", b.className, n)
	}
	if err := code(b.args[0]); err != nil || len(b.args) == 1 {
		return err
	}
	return c.stream("default", b.args[1])
}

// configure applies configMethods, and properties as the setters that Flux looks for.
func (c *component) configure(b *bean) error {
	for _, p := range b.properties {
		m := method{p.at, "set" + upperFirst(p.name), []node{p.value}}
		if err := c.call(b, m); err != nil {
			return err
		}
	}
	for _, m := range b.methods {
		if err := c.call(b, m); err != nil {
			return err
		}
	}
	return nil
}

func upperFirst(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// configMethods are the methods that can be called, with the number of their arguments.
var configMethods = map[string]int{"setDefaultStream": 1, "setNamedStream": 2, "addComponentConfig": 2, "setEnv": 1, "changeChildCWD": 1}

func (c *component) call(b *bean, m method) error {
	n, ok := configMethods[m.name]
	if !ok || !c.shell && (m.name == "setEnv" || m.name == "changeChildCWD") {
		return m.at.errorf("%s has no config method %s", b.className, m.name)
	}
	if len(m.args) != n {
		return m.at.errorf("%s takes %d arguments, not %d", m.name, n, len(m.args))
	}
	var err error
	switch m.name {
	case "setDefaultStream":
		err = c.stream("default", m.args[0])
	case "setNamedStream":
		var name string
		if name, err = m.args[0].text("the name of the stream"); err == nil {
			err = c.stream(name, m.args[1])
		}
	case "addComponentConfig":
		var key string
		if key, err = m.args[0].text("the key"); err == nil {
			c.conf[key], err = m.args[1].value()
		}
	case "setEnv":
		c.env, err = environment(m.args[0])
	case "changeChildCWD":
		var change bool
		change, err = m.args[0].boolean("the argument of changeChildCWD")
		c.keepDir = !change
	}
	return err
}

func (c *component) stream(name string, fields node) error {
	list, err := fields.texts("the fields of stream " + name)
	if err == nil && len(list) > maxFields {
		err = fields.errorf("stream %s has %d fields, more than %d", name, len(list), maxFields)
	}
	c.streams[name] = Stream{Fields: list}
	return err
}

// maxFields bounds the fields of a stream.
const maxFields = 1024

func environment(n node) (map[string]string, error) {
	entries, err := n.anyEntries("the environment")
	if err != nil {
		return nil, err
	}
	env := make(map[string]string, len(entries))
	for _, e := range entries {
		if env[e.key], err = e.value.text("the value of " + e.key); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// resolve asks the caller's registry for the class; nil is one that it does not know.
func (l *loader) resolve(c *component, b *bean, spout bool) (*component, error) {
	if l.options.Classes == nil {
		return nil, nil
	}
	class := Class{Name: b.className, Spout: spout, Properties: map[string]any{}}
	for _, a := range b.args {
		v, err := a.value()
		if err != nil {
			return nil, err
		}
		class.Args = append(class.Args, v)
	}
	for _, p := range b.properties {
		v, err := p.value.value()
		if err != nil {
			return nil, err
		}
		class.Properties[p.name] = v
	}
	found, err := l.options.Classes(class)
	if errors.Is(err, ErrUnknownClass) {
		return nil, nil
	}
	if err != nil {
		return nil, b.at.errorf("class %s: %w", b.className, err)
	}
	c.goName = found.Name
	for name, s := range found.Streams {
		c.streams[name] = s
	}
	for k, v := range found.Conf {
		c.conf[k] = v
	}
	return c, c.configure(&bean{className: b.className, methods: b.methods})
}

func (c *component) object() (*stormrpc.ComponentObject, error) {
	if c.shell {
		return compat.ShellComponent(c.command, c.env, c.keepDir)
	}
	if c.native != nil {
		return compat.NativeComponent(c.native[0], c.native[1:]...), nil
	}
	return compat.GoComponent(c.goName), nil
}

// common makes the Thrift part that spouts and bolts share.
func (c *component) common(b *bean) (*stormrpc.ComponentCommon, error) {
	if b.tasks > -1 {
		c.conf["topology.tasks"] = int64(b.tasks)
	}
	if b.onHeap > -1 {
		c.conf["topology.component.resources.onheap.memory.mb"] = float64(b.onHeap)
		if b.offHeap > -1 { // Flux sets it only together with the other
			c.conf["topology.component.resources.offheap.memory.mb"] = float64(b.offHeap)
		}
	}
	if b.cpuPoints > -1 {
		c.conf["topology.component.cpu.pcore.percent"] = float64(b.cpuPoints)
	}
	hint := int32(b.parallelism)
	out := &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{}, ParallelismHint: &hint}
	for name, s := range c.streams {
		out.Streams[name] = &stormrpc.StreamInfo{OutputFields: append([]string{}, s.Fields...), Direct: s.Direct}
	}
	if len(c.conf) == 0 {
		return out, nil
	}
	text, err := c.conf.JSON()
	if err != nil {
		return nil, b.at.errorf("%w", err)
	}
	j := string(text)
	out.JSONConf = &j
	return out, nil
}

// fieldsOf reads a Fields component: its names are the elements of its one argument, or its arguments.
func fieldsOf(b *bean) ([]string, error) {
	if len(b.properties)+len(b.methods) > 0 {
		return nil, b.at.errorf("%s has no properties or config methods", fieldsClass)
	}
	args := b.args
	if len(args) == 1 {
		if list, err := args[0].list(""); err == nil {
			args = list
		}
	}
	if len(args) > maxFields {
		return nil, b.at.errorf("%d fields, more than %d", len(args), maxFields)
	}
	var out []string
	for _, a := range args {
		s, err := a.text("a field")
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, s) {
			return nil, a.errorf("field %q stands there twice", s)
		}
		out = append(out, s)
	}
	return out, nil
}
