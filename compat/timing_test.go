package compat

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestTiming(t *testing.T) {
	usual := Timing{Timeout: 2 * time.Minute, AlignLimit: 30 * time.Second, Keep: 3}
	with := func(f func(*Timing)) Timing { u := usual; f(&u); return u }
	for _, c := range []struct {
		name string
		conf conf.Conf
		want Timing
		err  string // part of it
	}{
		{"nothing said", conf.Conf{}, usual, ""},
		{"event time", conf.Conf{EventTimeKey: true}, with(func(u *Timing) { u.Timed = true }), ""},
		{"no checkpoints", conf.Conf{CheckpointIntervalKey: int64(0)}, usual, ""},
		{"checkpoints", conf.Conf{CheckpointIntervalKey: int64(200)}, with(func(u *Timing) { u.Timed, u.Interval = true, 200*time.Millisecond }), ""},
		{"too often", conf.Conf{CheckpointIntervalKey: int64(99)}, usual, "gearstorm.checkpoint.interval.ms is 99, want 0 (no checkpoints) or 100 to"},
		{"backwards", conf.Conf{CheckpointIntervalKey: int64(-5)}, usual, "gearstorm.checkpoint.interval.ms is -5"},
		{"words", conf.Conf{CheckpointIntervalKey: "often"}, usual, "gearstorm.checkpoint.interval.ms"},
		{"perhaps", conf.Conf{EventTimeKey: "perhaps"}, usual, "gearstorm.event.time"},
		{"all of it", conf.Conf{CheckpointIntervalKey: int64(1000), CheckpointStoreKey: "s3://bucket/path", checkpointTimeoutKey: int64(5000),
			checkpointAlignKey: int64(100), checkpointKeepKey: int64(7), CheckpointFromKey: "before"},
			Timing{Timed: true, Interval: time.Second, Store: "s3://bucket/path", Timeout: 5 * time.Second, AlignLimit: 100 * time.Millisecond, Keep: 7, From: "before"}, ""},
		{"no time", conf.Conf{checkpointTimeoutKey: int64(1)}, usual, "gearstorm.checkpoint.timeout.ms is 1, want 100 to"},
		{"no alignment", conf.Conf{checkpointAlignKey: int64(0)}, usual, "gearstorm.checkpoint.align.limit.ms is 0"},
		{"none kept", conf.Conf{checkpointKeepKey: int64(0)}, usual, "gearstorm.checkpoint.keep is 0, want 1 to 1000"},
		{"a store without a scheme", conf.Conf{CheckpointStoreKey: "/var/checkpoints"}, usual, "want one as file:///path"},
		{"a store that is no text", conf.Conf{CheckpointStoreKey: int64(1)}, usual, "gearstorm.checkpoint.store"},
		{"a store of another kind", conf.Conf{CheckpointStoreKey: "ftp://host/x"}, usual, "begins with ftp://, which is no store"},
		{"a file of another host", conf.Conf{CheckpointStoreKey: "file://relative/x"}, usual, "is no whole URL; want one as file:///path"},
		{"a bucket without a name", conf.Conf{CheckpointStoreKey: "s3:///x"}, usual, "is no whole URL"},
		{"a password", conf.Conf{CheckpointStoreKey: "webhdfs://me:secret@h:1/x"}, usual, "secrets of the store are credentials"},
		{"a name node", conf.Conf{CheckpointStoreKey: "swebhdfs://me@h:1/x"}, with(func(u *Timing) { u.Store = "swebhdfs://me@h:1/x" }), ""},
		{"a long store", conf.Conf{CheckpointStoreKey: "file:///" + strings.Repeat("x", 2000)}, usual, "want one as"},
		{"from what has no such name", conf.Conf{CheckpointIntervalKey: int64(1000), CheckpointFromKey: "words-1/last"}, usual, `gearstorm.checkpoint.from: start from "words-1/last": want the name`},
		{"from, without checkpoints", conf.Conf{CheckpointFromKey: "before"}, usual, "set gearstorm.checkpoint.interval.ms"},
	} {
		got, err := TimingOf(conf.Merge(conf.Defaults(), c.conf))
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
		checkInvalid(t, c.name, err, c.err)
	}
}

// goTopology is a spout and a bolt in Go, each with two executors of three tasks.
func goTopology() *stormrpc.StormTopology {
	own, hint := `{"topology.tasks": 3}`, int32(2)
	common := func() *stormrpc.ComponentCommon {
		return &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": stream("word")}, ParallelismHint: &hint, JSONConf: &own}
	}
	bolt := common()
	Subscribe(bolt, "$words", "default", fieldsGrouping("word"))
	return &stormrpc.StormTopology{
		Spouts: map[string]*stormrpc.SpoutSpec{"$words": {SpoutObject: GoComponent("words"), Common: common()}},
		Bolts:  map[string]*stormrpc.Bolt{"count": {BoltObject: GoComponent("count"), Common: bolt}},
	}
}

// TestTimedTopologyHasAClock compares the tasks of a topology with and without time.
func TestTimedTopologyHasAClock(t *testing.T) {
	of := func(c conf.Conf) (*dag.Graph, *dag.Plan) {
		g, err := Compile(goTopology(), c)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := dag.Expand(g, nil, map[string]int{"count": 1})
		if err != nil {
			t.Fatal(err)
		}
		return g, plan
	}
	g, plan := of(conf.Conf{"topology.workers": int64(1)})
	if g.Timed || g.Processor(gearcore.ClockComponent) != nil || len(plan.Executors) != 2+1+1 || plan.Numbering[4] != "__acker" || plan.Numbering[5] != "count" {
		t.Errorf("without time: %v, executors %v", plan.Numbering, plan.Executors)
	}
	g, plan = of(conf.Conf{"topology.workers": int64(1), EventTimeKey: true})
	clock := g.Processor(gearcore.ClockComponent)
	if !g.Timed || clock == nil || clock.Kind != dag.Clock || clock.Tasks != 1 || len(plan.Executors) != 8 || plan.Numbering[5] != "__clock" || plan.Numbering[6] != "count" {
		t.Errorf("with event time: %v, executors %v", plan.Numbering, plan.Executors)
	}
	for _, p := range g.Processors {
		if p.Executors != p.Tasks {
			t.Errorf("component %s has %d executors for %d tasks", p.Name, p.Executors, p.Tasks)
		}
	}
	again, err := Describe(g)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Bolts) != 1 || len(again.Spouts) != 1 {
		t.Errorf("described with its clock: %v", again.Bolts)
	}
}

func TestSpoutsWithoutAPosition(t *testing.T) {
	for name, c := range map[string]struct {
		object *stormrpc.ComponentObject
		want   string
	}{
		"multilang": {must(ShellComponent([]string{"python3", "words.py"}, nil, false)), "is a spout in another process (python3 words.py)"},
		"java":      {javaObject("com.example.Words"), "is a spout in Java (com.example.Words)"},
		"drpc":      {NativeComponent(DRPCSpoutClass, "f"), "is a spout of class " + DRPCSpoutClass},
	} {
		topo := goTopology()
		topo.Spouts["$words"].SpoutObject = c.object
		_, err := Compile(topo, conf.Conf{CheckpointIntervalKey: int64(1000)})
		checkInvalid(t, name, err, c.want)
		if _, err := Compile(topo, conf.Conf{EventTimeKey: true}); err != nil {
			t.Errorf("%s: event time alone asks for no position, and is refused: %v", name, err)
		}
	}
}

// TestCheckpointsOfStorm: stateful bolts in Java come with a spout that the client adds. It keeps its place, and has nothing to do where
// the engine makes the checkpoints.
func TestCheckpointsOfStorm(t *testing.T) {
	topo := goTopology()
	topo.Spouts["$checkpointspout"] = &stormrpc.SpoutSpec{SpoutObject: javaObject(CheckpointSpoutClass), Common: topo.Spouts["$words"].Common}
	spout := func(c conf.Conf) dag.Impl {
		t.Helper()
		g, err := Compile(topo, c)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(g.Processors, func(p *dag.Processor) bool { return p.Name == "$checkpointspout" && p.Tasks > 0 })
		if i < 0 {
			t.Fatal("the spout of checkpoints is gone")
		}
		return g.Processors[i].Impl
	}
	if i := spout(conf.Conf{}); i.Kind != dag.ImplJava {
		t.Errorf("without checkpoints of the engine's it is %v", i)
	}
	if i := spout(conf.Conf{CheckpointIntervalKey: int64(1000)}); i.Kind != dag.ImplNative || i.Name != CheckpointSpoutClass {
		t.Errorf("with them it is %v", i)
	}
	_, err := Compile(topo, conf.Conf{CheckpointIntervalKey: int64(1000), "topology.state.provider": "org.apache.storm.redis.state.RedisKeyValueStateProvider"})
	checkInvalid(t, "a state elsewhere", err, "topology.state.provider is org.apache.storm.redis")
}

// TestWindowsWithStateOfStorm are known by the class in what Java has serialized.
func TestWindowsWithStateOfStorm(t *testing.T) {
	for _, class := range windowsWithState {
		topo := goTopology()
		for _, b := range topo.Bolts {
			b.BoltObject = &stormrpc.ComponentObject{SerializedJava: []byte("\xac\xed\x00\x05sr" + class)}
			break
		}
		_, err := Compile(topo, conf.Conf{CheckpointIntervalKey: int64(1000)})
		checkInvalid(t, class, err, "is a windowed bolt with a state of Storm's ("+class+")")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
