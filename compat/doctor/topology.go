package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/javaser"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Topology says what of a topology runs, as a client would submit it or as Nimbus has stored it. Of c missing keys have
// Storm's defaults. Neither argument is changed.
func Topology(name string, t *stormrpc.StormTopology, c conf.Conf) *Report {
	r := &Report{Of: name, What: "topology"}
	for id, s := range t.Spouts {
		if s != nil {
			r.object(id, s.SpoutObject, true)
		}
	}
	for id, b := range t.Bolts {
		if b == nil || b.Common == nil { // the compiler says so below
			continue
		}
		r.object(id, b.BoltObject, false)
		for _, in := range b.Common.Inputs {
			if in.Key != nil && in.Value != nil {
				r.grouping(fmt.Sprintf("%s to %s.%s", id, in.Key.ComponentId, in.Key.StreamId), in.Value)
			}
		}
	}
	for i, data := range t.WorkerHooks {
		f, _ := javaser.Recognize(data) // one that cannot be read has no class
		r.Components = append(r.Components, row(fmt.Sprintf("worker hook %d", i+1), f.Class, WorkerHook))
	}
	r.configured(c)
	r.finish()
	if _, err := compile(name, t, c); err != nil && r.Runs {
		r.find(true, err.Error())
	}
	return r.finish()
}

// object reports the code of a component.
func (r *Report) object(id string, o *stormrpc.ComponentObject, spout bool) {
	plain, shell := Bolt, ShellBolt
	if spout {
		plain, shell = Spout, ShellSpout
	}
	var c Component
	switch {
	case o == nil:
		c = Component{Name: id, Kind: plain}
		c.refuse("it has no object")
	case o.Shell != nil:
		c = row(id, "", shell)
		c.Why = command(o.Shell.ExecutionCommand, o.Shell.Script)
	case o.JavaObject != nil && o.JavaObject.FullClassName == compat.GoClass:
		c = Component{Name: id, Kind: plain, Runs: Native, Why: strings.TrimSpace("Go component " + firstText(o.JavaObject))}
	case o.JavaObject != nil && o.JavaObject.FullClassName == compat.ShellClass:
		var arg struct{ Command []string } // what is wrong with it, the compiler says
		_ = json.Unmarshal([]byte(firstText(o.JavaObject)), &arg)
		c = row(id, "", shell)
		c.Why = command(arg.Command...)
	case o.JavaObject != nil:
		kind := plain
		if k, ok := stockKind(o.JavaObject.FullClassName); ok && exact[k] == plain {
			kind = k
		}
		c = row(id, o.JavaObject.FullClassName, kind)
		c.placed(o, spout)
	case o.SerializedJava != nil:
		c = serialized(id, o.SerializedJava, spout)
	default:
		c = Component{Name: id, Kind: plain}
		c.refuse("it has no object")
	}
	r.Components = append(r.Components, c)
}

// wrappers are the kinds of bolts that Storm's executors stand for.
var wrappers = map[string]Kind{
	"topology.BasicBoltExecutor":              BasicBolt,
	"topology.StatefulBoltExecutor":           StatefulBolt,
	"topology.WindowedBoltExecutor":           WindowedBolt,
	"topology.StatefulWindowedBoltExecutor":   StatefulWindowed,
	"topology.PersistentWindowedBoltExecutor": StatefulWindowed,
	"coordination.CoordinatedBolt":            BatchBolt,
	"coordination.BatchBoltExecutor":          BatchBolt,
	"streams.ProcessorBolt":                   Streams,
	"streams.StatefulProcessorBolt":           Streams,
	"streams.WindowedProcessorBolt":           Streams,
	"lambda.LambdaBiConsumerBolt":             Lambdas,
	"lambda.LambdaConsumerBolt":               Lambdas,
	"lambda.LambdaSpout":                      Lambdas,
	"drpc.DRPCSpout":                          DRPCSpout,
	"drpc.ReturnResults":                      DRPCResults,
	"trident.topology.TridentBoltExecutor":    TridentOperation,
	"trident.topology.MasterBatchCoordinator": TridentSpout,
	"trident.spout.TridentSpoutCoordinator":   TridentSpout,
}

// serialized reports a component out of its Java serialization.
func serialized(id string, data []byte, spout bool) Component {
	plain := Bolt
	if spout {
		plain = Spout
	}
	f, err := javaser.Recognize(data)
	if err != nil {
		c := Component{Name: id, Kind: plain}
		c.refuse("its serialized Java cannot be read: " + err.Error())
		return c
	}
	kind := plain
	for _, class := range []string{f.Class, f.Wrapper} {
		if name, ours := strings.CutPrefix(class, stormPackage); ours && wrappers[name] != "" {
			kind = wrappers[name]
		}
	}
	switch f.Kind {
	case javaser.ShellBolt:
		kind = ShellBolt
	case javaser.ShellSpout:
		kind = ShellSpout
	}
	c := row(id, f.Class, kind)
	if f.Kind == javaser.ShellBolt || f.Kind == javaser.ShellSpout {
		c.Why = command(f.Command...) // that its class changes nothing was seen at the submit, in the jar
		return c
	}
	c.placed(&stormrpc.ComponentObject{SerializedJava: data}, spout)
	return c
}

// placed puts what the compiler makes of this very object over what the table says of its kind.
func (c *Component) placed(o *stormrpc.ComponentObject, spout bool) {
	c.Runs, c.Why = asked(objectOf(o, spout)).verdict(c.Class)
	for _, id := range []string{"spout", "bolt"} { // those of the probe
		c.Why = strings.ReplaceAll(c.Why, "Component: ["+id+"]", "Component: ["+c.Name+"]")
	}
}

// grouping reports an edge with a rule of the user's own.
func (r *Report) grouping(name string, g *stormrpc.Grouping) {
	var c Component
	switch {
	case g.CustomObject != nil && g.CustomObject.FullClassName == compat.GroupingClass:
		c = Component{Name: name, Kind: Grouping, Runs: Native, Why: strings.TrimSpace("Go grouping " + firstText(g.CustomObject))}
	case g.CustomObject != nil:
		c = custom(name, g.CustomObject.FullClassName)
	case g.CustomSerialized != nil:
		f, err := javaser.Recognize(g.CustomSerialized)
		if err != nil {
			c = Component{Name: name, Kind: Grouping}
			c.refuse("its serialized Java cannot be read: " + err.Error())
		} else if f.Kind == javaser.PartialKey {
			c = row(name, "", PartialKey)
		} else {
			c = row(name, f.Class, Grouping)
		}
	default:
		return
	}
	r.Components = append(r.Components, c)
}

// custom is a custom grouping by the name of its class.
func custom(name, class string) Component {
	if k, ok := stockKind(class); ok && k == PartialKey {
		return row(name, "", PartialKey)
	}
	return row(name, class, Grouping)
}

// configured reports what a topology's configuration makes part of it.
func (r *Report) configured(c conf.Conf) {
	add := func(name, class string, k Kind) { r.Components = append(r.Components, row(name, class, k)) }
	for key, kind := range map[string]Kind{"topology.metrics.consumer.register": MetricsConsumer, "topology.metrics.reporters": MetricsReporter} {
		list, _ := c[key].([]any)
		for _, e := range list {
			if m, ok := e.(map[string]any); ok {
				class, _ := m["class"].(string)
				add(cmp.Or(class, key), class, kind)
			}
		}
	}
	if hooks, err := c.StringList("topology.auto.task.hooks"); err == nil {
		for _, class := range hooks {
			add(class, class, TaskHook)
		}
	}
	if n, err := c.IntOr("topology.eventlogger.executors", 0); err == nil && n > 0 {
		add("topology.eventlogger.executors", "", EventLogger)
	}
	if class, err := c.StringOr("topology.multilang.serializer", ""); err == nil && !knownSerializer(class) {
		add("topology.multilang.serializer", class, MultilangSerializer)
	}
}

// knownSerializer tells whether multilang children speak what a serializer of that class writes.
func knownSerializer(class string) bool {
	lower := strings.ToLower(class)
	return class == "" || class == stormPackage+"multilang.JsonSerializer" || strings.Contains(lower, "msgpack") || strings.Contains(lower, "messagepack")
}

func firstText(o *stormrpc.JavaObject) string {
	if len(o.ArgsList) == 0 || o.ArgsList[0] == nil || o.ArgsList[0].StringArg == nil {
		return ""
	}
	return *o.ArgsList[0].StringArg
}

// maxCommand bounds a command line in a report.
const maxCommand = 120

func command(words ...string) string {
	text := []rune(strings.Join(words, " "))
	if len(text) > maxCommand {
		return string(text[:maxCommand]) + "..."
	}
	return string(text)
}
