package flux

import (
	"math"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// definition is one file, or a file with its includes merged in.
type definition struct {
	at         pos
	name       string
	config     conf.Conf
	components []*bean
	spouts     []*bean
	bolts      []*bean
	streams    []*streamDef
	includes   []includeDef
	source     *bean   // topologySource
	hooks      []*bean // workerHooks
}

// makesTopology is the method of a topologySource that names none.
const makesTopology = "getTopology"

// bean is a component, spout, bolt or customClass.
type bean struct {
	at            pos
	id, className string
	args          []node // constructorArgs
	properties    []property
	methods       []method
	factory       string // static method instead of a constructor
	factoryArgs   []node
	methodName    string // of a topologySource

	parallelism                       int
	tasks, onHeap, offHeap, cpuPoints int // -1 when not given
}

type property struct {
	at    pos
	name  string
	value node
	refs  bool // the value is the id of a component
}

type method struct {
	at   pos
	name string
	args []node
}

type streamDef struct {
	at       pos
	from, to string
	grouping groupingDef
}

type groupingDef struct {
	at       pos
	kind     string
	streamID string
	args     []string
	custom   *bean
}

type includeDef struct {
	at                 pos
	file               string
	resource, override bool
}

func parseDefinition(n node) (*definition, error) {
	d := &definition{at: n.pos(), config: conf.Conf{}}
	entries, err := n.entries("a definition", "name", "config", "components", "spouts", "bolts", "streams", "includes", "topologySource", "workerHooks")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.value.isNull() {
			continue
		}
		if err := d.set(e); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *definition) set(e entry) (err error) {
	switch e.key {
	case "name":
		d.name, err = e.value.text("name")
	case "config":
		d.config, err = conf.NodeConf(e.value.file, e.value.Node)
	case "components":
		d.components, err = parseBeans(e.value, "component", beanKeys)
	case "spouts":
		d.spouts, err = parseBeans(e.value, "spout", vertexKeys)
	case "bolts":
		d.bolts, err = parseBeans(e.value, "bolt", vertexKeys)
	case "streams":
		d.streams, err = parseStreams(e.value)
	case "includes":
		d.includes, err = parseIncludes(e.value)
	case "topologySource":
		if d.source, err = parseBean(e.value, "a topologySource", append([]string{"methodName"}, objectKeys...)); err == nil {
			d.source.at = e.at.pos()
		}
	case "workerHooks":
		d.hooks, err = parseBeans(e.value, "worker hook", beanKeys)
	}
	return err
}

var (
	objectKeys = []string{"className", "constructorArgs", "properties", "configMethods", "factory", "factoryArgs"}
	beanKeys   = append([]string{"id"}, objectKeys...)
	vertexKeys = append([]string{"parallelism", "numTasks", "onHeapMemoryLoad", "offHeapMemoryLoad", "cpuLoad"}, beanKeys...)
)

func parseBeans(n node, what string, keys []string) ([]*bean, error) {
	list, err := n.list("the " + what + "s")
	if err != nil {
		return nil, err
	}
	first := map[string]pos{}
	var out []*bean
	for _, e := range list {
		b, err := parseBean(e, "a "+what, keys)
		if err != nil {
			return nil, err
		}
		if b.id == "" {
			return nil, e.errorf("a %s must have an id", what)
		}
		if at, twice := first[b.id]; twice {
			return nil, e.errorf("%s %q is defined twice, first in line %d", what, b.id, at.line)
		}
		first[b.id] = b.at
		out = append(out, b)
	}
	return out, nil
}

func parseBean(n node, what string, keys []string) (*bean, error) {
	entries, err := n.entries(what, keys...)
	if err != nil {
		return nil, err
	}
	b := &bean{at: n.pos(), methodName: makesTopology, parallelism: 1, tasks: -1, onHeap: -1, offHeap: -1, cpuPoints: -1}
	for _, e := range entries {
		if err := b.set(e); err != nil {
			return nil, err
		}
	}
	if b.className == "" {
		return nil, n.errorf("%s must have a className", what)
	}
	if len(b.factoryArgs) > 0 && b.factory == "" {
		return nil, n.errorf("%s has factoryArgs and no factory", what)
	}
	return b, nil
}

func (b *bean) set(e entry) (err error) {
	const most = math.MaxInt32
	switch e.key {
	case "id":
		b.id, err = e.value.text("id")
	case "className":
		b.className, err = e.value.text("className")
	case "constructorArgs":
		b.args, err = e.value.list("constructorArgs")
	case "properties":
		b.properties, err = parseProperties(e.value)
	case "configMethods":
		b.methods, err = parseMethods(e.value)
	case "factory":
		b.factory, err = e.value.text("factory")
	case "factoryArgs":
		b.factoryArgs, err = e.value.list("factoryArgs")
	case "methodName":
		b.methodName, err = e.value.text("methodName")
	case "parallelism":
		b.parallelism, err = e.value.number(e.key, 1, most)
	case "numTasks":
		b.tasks, err = e.value.number(e.key, -1, most)
	case "onHeapMemoryLoad":
		b.onHeap, err = e.value.number(e.key, -1, most)
	case "offHeapMemoryLoad":
		b.offHeap, err = e.value.number(e.key, -1, most)
	case "cpuLoad":
		b.cpuPoints, err = e.value.number(e.key, -1, most)
	}
	return err
}

func parseProperties(n node) ([]property, error) {
	list, err := n.list("properties")
	if err != nil {
		return nil, err
	}
	var out []property
	for _, p := range list {
		entries, err := p.entries("a property", "name", "value", "ref")
		if err != nil {
			return nil, err
		}
		x := property{at: p.pos()}
		given := 0
		for _, e := range entries {
			switch e.key {
			case "name":
				if x.name, err = e.value.text("name"); err != nil {
					return nil, err
				}
			default:
				x.value, x.refs = e.value, e.key == "ref"
				given++
			}
		}
		if x.name == "" || given != 1 {
			return nil, p.errorf("a property must have a name and either a value or a ref")
		}
		out = append(out, x)
	}
	return out, nil
}

func parseMethods(n node) ([]method, error) {
	list, err := n.list("configMethods")
	if err != nil {
		return nil, err
	}
	var out []method
	for _, m := range list {
		entries, err := m.entries("a config method", "name", "args")
		if err != nil {
			return nil, err
		}
		x := method{at: m.pos()}
		for _, e := range entries {
			if e.key == "name" {
				x.name, err = e.value.text("name")
			} else {
				x.args, err = e.value.list("args")
			}
			if err != nil {
				return nil, err
			}
		}
		if x.name == "" {
			return nil, m.errorf("a config method must have a name")
		}
		out = append(out, x)
	}
	return out, nil
}
