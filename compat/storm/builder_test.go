package storm_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func idle(*storm.Collector) error { return storm.ErrIdle }

func ack(storm.Tuple, storm.Emitter) error { return nil }

func TestBuildDescribesEverything(t *testing.T) {
	b := storm.NewTopologyBuilder().Workers(3).Ackers(2).MaxSpoutPending(100).MessageTimeout(5 * time.Second)
	b.SetSpout("in", storm.SpoutFunc(idle), 2).NumTasks(4).Fields("line").DirectStream("to", "x")
	b.SetSpout("outside", storm.ShellSpout("node", "--no-warnings", "spout.js").Env("A", "1").Env("B", "2"), 1).Stream("side", "a", "b")
	b.SetBolt("split", storm.ShellBolt("python3", "split.py"), 2).ShuffleGrouping("in").Fields("word")
	b.SetBolt("count", storm.BoltFunc(ack), 3).
		FieldsGrouping("split", "word").Grouping("outside", "side", storm.PartialKey("a", "b")).
		Grouping("in", "to", storm.Direct()).
		TickEvery(2*time.Second).MemoryLoad(256, 16).CPULoad(50).MaxSpoutPending(7).AddConfig("my.key", []string{"v"})
	b.SetBolt("rest", storm.BoltFunc(ack), 1).
		GlobalGrouping("in").AllGrouping("split").Grouping("outside", "side", storm.None())
	b.SetBolt("near", storm.BoltFunc(ack), 1).LocalOrShuffleGrouping("in").NoneGrouping("split")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}

	want := conf.Conf{"topology.workers": int64(3), "topology.acker.executors": int64(2), "topology.max.spout.pending": int64(100), "topology.message.timeout.secs": int64(5)}
	if d := cmp.Diff(want, top.Conf); d != "" {
		t.Errorf("conf: %s", d)
	}
	if o := top.Thrift.Spouts["in"].SpoutObject.JavaObject; o.FullClassName != storm.GoComponentClass || *o.ArgsList[0].StringArg != "in" {
		t.Errorf("Go spout: %v", o)
	}
	if o := top.Thrift.Bolts["split"].BoltObject.Shell; o.ExecutionCommand != "python3" || o.Script != "split.py" {
		t.Errorf("shell bolt: %v", o)
	}
	if o := top.Thrift.Spouts["outside"].SpoutObject.JavaObject; o.FullClassName != "gearstorm.shell.Component" || len(o.ArgsList) != 1 ||
		*o.ArgsList[0].StringArg != `{"command":["node","--no-warnings","spout.js"],"env":{"A":"1","B":"2"}}` {
		t.Errorf("shell spout of three words and an environment: %v", o)
	}
	if s := top.Thrift.Spouts["in"].Common.Streams; !s["to"].Direct || s["default"].Direct || s["default"].OutputFields[0] != "line" {
		t.Errorf("streams: %v", s)
	}

	got, err := conf.ParseJSON([]byte(*top.Thrift.Bolts["count"].Common.JSONConf))
	if err != nil {
		t.Fatal(err)
	}
	want = conf.Conf{
		"topology.tick.tuple.freq.secs": int64(2), "topology.max.spout.pending": int64(7), "my.key": []any{"v"},
		"topology.component.resources.onheap.memory.mb": int64(256), "topology.component.resources.offheap.memory.mb": int64(16),
		"topology.component.cpu.pcore.percent": int64(50),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("count's conf: %s", d)
	}
	checkGroupings(t, top)
}

func checkGroupings(t *testing.T, top *storm.Topology) {
	t.Helper()
	got := map[string]string{}
	for id, bolt := range top.Thrift.Bolts {
		for _, in := range bolt.Common.Inputs {
			got[id+" < "+in.Key.ComponentId+"/"+in.Key.StreamId] = describe(in.Value)
		}
	}
	want := map[string]string{
		"split < in/default": "shuffle", "count < split/default": "fields [word]",
		"count < outside/side": "org.apache.storm.grouping.PartialKeyGrouping a b", "count < in/to": "direct",
		"rest < in/default": "fields []", "rest < split/default": "all", "rest < outside/side": "none",
		"near < in/default": "local", "near < split/default": "none",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("groupings: %s", d)
	}
}

func describe(g *stormrpc.Grouping) string {
	switch {
	case g.Fields != nil:
		return "fields [" + strings.Join(g.Fields, " ") + "]"
	case g.Shuffle != nil:
		return "shuffle"
	case g.All != nil:
		return "all"
	case g.None != nil:
		return "none"
	case g.Direct != nil:
		return "direct"
	case g.LocalOrShuffle != nil:
		return "local"
	case g.CustomObject != nil:
		s := g.CustomObject.FullClassName
		for _, a := range g.CustomObject.ArgsList {
			s += " " + *a.StringArg
		}
		return s
	}
	return "unset"
}

func TestBuildRefuses(t *testing.T) {
	type builder = *storm.TopologyBuilder
	spout := func(b builder) *storm.Declarer { return b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("f") }
	bolt := func(b builder) *storm.Declarer { return b.SetBolt("out", storm.BoltFunc(ack), 1) }
	for _, c := range []struct {
		name, want string
		declare    func(b builder)
	}{
		{"nothing", "at least one spout", func(b builder) {}},
		{"no spout", "at least one spout", func(b builder) { bolt(b) }},
		{"id taken", "Duplicate component ids: [in]", func(b builder) { spout(b); spout(b); spout(b) }},
		{"reserved id", "__x is not a valid component id.", func(b builder) { b.SetSpout("__x", storm.SpoutFunc(idle), 1) }},
		{"empty id", "not a valid component id", func(b builder) { b.SetSpout("", storm.SpoutFunc(idle), 1) }},
		{"reserved stream", "__s is not a valid stream id.", func(b builder) { spout(b).Stream("__s", "f") }},
		{"stream twice", "declares stream default twice", func(b builder) { spout(b).Fields("g") }},
		{"field twice", "duplicate field a", func(b builder) { spout(b).Stream("s", "a", "b", "a") }},
		{"input of a spout", "May not declare inputs for a spout", func(b builder) { spout(b).ShuffleGrouping("in") }},
		{"no executors", "Number of executors must be greater than 0", func(b builder) { b.SetSpout("in", storm.SpoutFunc(idle), 0) }},
		{"tasks below none", "number of tasks is -1", func(b builder) { spout(b).NumTasks(-1) }},
		{"no component", "bolt out: no component", func(b builder) { spout(b); b.SetBolt("out", nil, 1) }},
		{"no command", "its program has no command", func(b builder) { spout(b); b.SetBolt("out", storm.ShellBolt(), 1) }},
		{"from nowhere", "Component: [out] subscribes from non-existent component [gone]", func(b builder) { spout(b); bolt(b).ShuffleGrouping("gone") }},
		{"from no stream", "non-existent stream: [s] of component [in]", func(b builder) { spout(b); bolt(b).Grouping("in", "s", storm.All()) }},
		{"by no such field", "with non-existent fields: [g]", func(b builder) { spout(b); bolt(b).FieldsGrouping("in", "f", "g") }},
		{"by no field", "by no fields", func(b builder) { spout(b); bolt(b).FieldsGrouping("in") }},
		{"zero grouping", "without a grouping", func(b builder) { spout(b); bolt(b).Grouping("in", "default", storm.Grouping{}) }},
		{"custom without a factory", "custom grouping without a factory", func(b builder) { spout(b); bolt(b).CustomGrouping("in", nil) }},
		{"direct to plain", "not declared direct", func(b builder) { spout(b); bolt(b).DirectGrouping("in") }},
		{"twice from one stream", "subscribes to stream default of in twice", func(b builder) { spout(b); bolt(b).AllGrouping("in").ShuffleGrouping("in") }},
		{"tick too fast", "tick interval of out 1.5s", func(b builder) { spout(b); bolt(b).ShuffleGrouping("in").TickEvery(1500 * time.Millisecond) }},
		{"timeout zero", "message timeout 0s", func(b builder) { spout(b); b.MessageTimeout(0) }},
		{"conf not JSON", "unsupported value: NaN", func(b builder) { spout(b).AddConfig("k", math.NaN()) }},
		{"topology conf of the wrong kind", "TOPOLOGY_MESSAGE_TIMEOUT_SECS", func(b builder) { spout(b); b.AddConfig("topology.message.timeout.secs", "soon") }},
		{"unknown key of ours", "component in: its configuration: unknown key gearstorm.fusoin: did you mean gearstorm.fusion?", func(b builder) { spout(b).AddConfig("gearstorm.fusoin", false) }},
		{"topology conf not JSON", "encode the topology's configuration", func(b builder) { spout(b); b.AddConfig("k", idle) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := storm.NewTopologyBuilder()
			c.declare(b)
			top, err := b.Build()
			if err == nil || top != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Build() = %v, %v, want an error with %q", top, err, c.want)
			}
		})
	}
}

func TestBuildReportsAllMistakesAtOnce(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("__a", storm.SpoutFunc(idle), 1)
	b.SetBolt("b", storm.BoltFunc(ack), 1).ShuffleGrouping("c")
	_, err := b.Build()
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two mistakes, Build says: %v", err)
	}
}
