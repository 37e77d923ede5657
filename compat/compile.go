package compat

import (
	"slices"
	"strings"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// MaxTasks bounds the tasks of a topology.
const MaxTasks = 1 << 20

// Compile turns a topology and its whole conf, as stored or as a client has them (missing keys have Storm's defaults),
// into version 1 of its graph. Beside the user's components it holds __acker, whose tasks are numbered with the others,
// and __system without tasks, in a timed topology (TimingOf) also __clock with one; the streams between tasks and ackers are the engine's and are not in it. Cycles are fine.
// Errors are [*InvalidTopology]. A topology with a component in Java hashes integers as Java does, whatever its conf says,
// since Java routes a part of it.
//
// A component whose json_conf has topology.tasks, as Normalize leaves it, has that many; for others they are counted as
// Normalize would.
//
// A processor's Conf has the keys that survive Storm's merge. A spout's topology.tick.tuple.freq.secs is always the
// message timeout, as in Storm, where that tick drives the timeouts of the spout.
func Compile(topo *stormrpc.StormTopology, c map[string]any) (*dag.Graph, error) {
	total := conf.Merge(conf.Defaults(), c)
	system, err := SystemTopology(total, topo)
	if err != nil {
		return nil, err
	}
	mode, err := hashMode(total)
	if err != nil {
		return nil, err
	}
	if _, err := TuningOf(total); err != nil {
		return nil, err
	}
	if _, err := MetricsOffset(total); err != nil {
		return nil, err
	}
	timing, err := TimingOf(total)
	if err != nil {
		return nil, err
	}
	g := &dag.Graph{Version: 1, Conf: total}
	if mode == "java" {
		g.Hash = gearcore.HashJava
	}
	if g.ID, err = total.StringOr("storm.id", ""); err != nil {
		return nil, invalid("%v", err)
	}
	if g.Name, err = total.StringOr("topology.name", ""); err != nil {
		return nil, invalid("%v", err)
	}
	list, err := components(system)
	if err != nil {
		return nil, err
	}
	if timing.Checkpoints() {
		if err := noStateOfWindows(list); err != nil {
			return nil, err
		}
	}
	b := builder{conf: total}
	for i := range list {
		p, err := b.processor(&list[i])
		if err != nil {
			return nil, err
		}
		if p != nil {
			g.Processors = append(g.Processors, p)
		}
	}
	if err := timed(g, timing); err != nil {
		return nil, err
	}
	return g, b.finish(g)
}

// builder makes processors.
type builder struct {
	conf      conf.Conf
	consumers []*dag.Processor // of metrics
}

func (b *builder) processor(c *component) (*dag.Processor, error) {
	p := &dag.Processor{Name: c.id, Kind: dag.Bolt, Conf: conf.ComponentConf(nil, c.own)}
	var err error
	if p.Tasks, err = c.storedTasks(b.conf); err != nil {
		return nil, err
	}
	if p.Tasks > 0 && c.hint() <= 0 {
		return nil, invalid("Number of executors must be greater than 0 when number of tasks is greater than 0")
	}
	p.Executors = min(c.hint(), p.Tasks)
	switch {
	case c.id == gearcore.AckerComponent:
		p.Kind = dag.Acker
		return p, nil
	case c.id == gearcore.ClockComponent:
		p.Kind = dag.Clock
		return p, nil
	case c.id == gearcore.SystemComponent:
		p.Kind = dag.System
		p.Outputs = []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}
		return p, nil
	case c.id == eventLoggerID:
		return nil, invalid("Event loggers are not supported: set topology.eventlogger.executors to 0")
	case isSystem(c.id):
		p.Impl = dag.Impl{Kind: dag.ImplJava, Name: strings.TrimPrefix(c.id, metricsPrefix)}
		b.consumers = append(b.consumers, p)
		return p, nil
	case c.spout:
		p.Kind = dag.Spout
		if _, err := SpoutWait(conf.ComponentConf(b.conf, p.Conf)); err != nil {
			return nil, err
		}
	}
	if err := fusion(c.id, p.Conf); err != nil {
		return nil, err
	}
	if p.Impl, err = c.impl(); err != nil {
		return nil, err
	}
	for _, name := range c.streams() {
		if s := c.common.Streams[name]; !isSystem(name) {
			p.Outputs = append(p.Outputs, dag.Output{Stream: name, Fields: s.OutputFields, Direct: s.Direct})
		}
	}
	return p, b.inputs(p, c)
}

func (b *builder) inputs(p *dag.Processor, c *component) error {
	for _, in := range c.inputs() {
		if c.spout && in.source == gearcore.AckerComponent {
			continue
		}
		if isSystem(in.source) || isSystem(in.stream) {
			return invalid("Component: [%s] subscribes from stream: [%s] of component [%s], which has no tuples here", c.id, in.stream, in.source)
		}
		rule, err := in.rule(c.id)
		if err != nil {
			return err
		}
		p.Inputs = append(p.Inputs, dag.Input{Source: in.source, Stream: in.stream, Grouping: rule})
	}
	return nil
}

// finish refuses graphs that the plan could not be made of.
func (b *builder) finish(g *dag.Graph) error {
	if err := b.metrics(g); err != nil {
		return err
	}
	tasks := 0
	for _, p := range g.Processors {
		tasks += p.Tasks
		if p.Impl.Kind == dag.ImplJava {
			g.Hash = gearcore.HashJava
		}
	}
	if tasks > MaxTasks {
		return invalid("The topology has %d tasks, more than %d", tasks, MaxTasks)
	}
	for _, p := range g.Processors {
		for _, in := range p.Inputs {
			if err := checkFields(g, p, in); err != nil {
				return err
			}
			if err := checkKeyGroups(g, p, in); err != nil {
				return err
			}
			if err := checkForeign(g, p, in); err != nil {
				return err
			}
		}
	}
	return nil
}

// metrics joins the consumers of metrics to the components that may have some: those in Java.
func (b *builder) metrics(g *dag.Graph) error {
	if len(b.consumers) == 0 {
		return nil
	}
	some := false
	for _, p := range g.Processors {
		if p.Impl.Kind != dag.ImplJava || isSystem(p.Name) {
			continue
		}
		some = true
		p.Outputs = append(p.Outputs, dag.Output{Stream: metricsStream, Fields: []string{"task-info", "data-points"}})
		for _, c := range b.consumers {
			c.Inputs = append(c.Inputs, dag.Input{Source: p.Name, Stream: metricsStream, Grouping: dag.Grouping{Kind: dag.Shuffle}})
		}
	}
	if !some {
		return invalid("Metrics consumers are not supported without a component in Java: %s of topology.metrics.consumer.register", b.consumers[0].Impl.Name)
	}
	return nil
}

// checkFields holds the fields of a custom grouping to the stream, as validateStructure does for fields.
func checkFields(g *dag.Graph, p *dag.Processor, in dag.Input) error {
	if in.Grouping.Kind != dag.PartialKey && in.Grouping.Kind != dag.KeyGroups {
		return nil
	}
	out := g.Processor(in.Source).Output(in.Stream)
	for _, f := range in.Grouping.Fields {
		if !slices.Contains(out.Fields, f) {
			return invalid("Component: [%s] subscribes from stream: [%s] of component [%s] + with non-existent fields: [%s]", p.Name, in.Stream, in.Source, f)
		}
	}
	return nil
}

// checkKeyGroups refuses key groups where they would not mean the same on both sides of an edge: Java knows nothing of them.
func checkKeyGroups(g *dag.Graph, p *dag.Processor, in dag.Input) error {
	if in.Grouping.Kind != dag.KeyGroups {
		return nil
	}
	for _, side := range []*dag.Processor{g.Processor(in.Source), p} {
		if side.Impl.Kind != dag.ImplGo && side.Impl.Kind != dag.ImplShell {
			return invalid("Component: [%s] subscribes from stream: [%s] of component [%s] by key groups, but [%s] is neither in Go nor a program of its own; group by fields",
				p.Name, in.Stream, in.Source, side.Name)
		}
	}
	if len(in.Grouping.Fields) == 0 {
		return invalid("Component: [%s] subscribes from stream: [%s] of component [%s] by key groups of no fields", p.Name, in.Stream, in.Source)
	}
	if p.Tasks > gearcore.KeyGroups {
		return invalid("Component: [%s] has %d tasks, but there are only %d key groups for them", p.Name, p.Tasks, gearcore.KeyGroups)
	}
	return nil
}

// checkForeign refuses a grouping written in Java for what others than Java components emit: its class is not where they are.
func checkForeign(g *dag.Graph, p *dag.Processor, in dag.Input) error {
	source := g.Processor(in.Source)
	if in.Grouping.Kind != dag.Foreign || source.Impl.Kind == dag.ImplJava {
		return nil
	}
	return invalid("Component: [%s] subscribes from stream: [%s] of component [%s] with the grouping %s, which is written in Java; that can only be asked where %s is, too",
		p.Name, in.Stream, in.Source, in.Grouping.Name, in.Source)
}
