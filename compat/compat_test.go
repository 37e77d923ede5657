package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/google/go-cmp/cmp"
)

func readJSON[T any](t testing.TB, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func readConf(t testing.TB, name string) conf.Conf {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.ParseJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shape is a topology without its objects, in a form that can be compared.
func shape(t testing.TB, topo *stormrpc.StormTopology) map[string]any {
	t.Helper()
	list, err := components(topo)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, c := range list {
		inputs := map[string]any{}
		for _, in := range c.inputs() {
			g := *in.grouping
			g.CustomSerialized = nil
			inputs[in.source+" "+in.stream] = g
		}
		out[c.id] = map[string]any{"spout": c.spout, "inputs": inputs, "streams": c.common.Streams, "hint": c.hint(), "conf": c.own}
	}
	return out
}

// The system topology and the task ids are those that Storm's own code made of the same topology.
func TestGoldensOfStorm(t *testing.T) {
	for _, name := range []string{"system", "capped", "extras"} {
		t.Run(name, func(t *testing.T) {
			user := readJSON[*stormrpc.StormTopology](t, "user.json")
			topo, total, err := Normalize(conf.Defaults(), readConf(t, name+"-conf.json"), user, Submission{ID: "t-1-2", Name: "t"})
			if err != nil {
				t.Fatal(err)
			}
			got, err := SystemTopology(total, topo)
			if err != nil {
				t.Fatal(err)
			}
			want := readJSON[*stormrpc.StormTopology](t, name+".json")
			if diff := cmp.Diff(shape(t, want), shape(t, got)); diff != "" {
				t.Errorf("system topology (-storm +ours):\n%s", diff)
			}
			if diff := cmp.Diff(readJSON[*stormrpc.StormTopology](t, "user.json"), user); diff != "" {
				t.Errorf("the user's topology was changed: %s", diff)
			}

			g, err := Compile(topo, total)
			if name == "extras" {
				if err == nil || !strings.Contains(err.Error(), "Event loggers are not supported") {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			numbering := dag.Number(g)
			tasks := map[string]string{}
			for id, component := range numbering {
				tasks[fmt.Sprint(id)] = component
			}
			if diff := cmp.Diff(readJSON[map[string]string](t, name+"-tasks.json"), tasks); diff != "" {
				t.Errorf("task ids (-storm +ours):\n%s", diff)
			}
			if _, err := dag.Expand(g, nil, nil); err != nil {
				t.Errorf("no plan: %v", err)
			}
		})
	}
}

func TestCompileGraph(t *testing.T) {
	user := readJSON[*stormrpc.StormTopology](t, "user.json")
	g, err := Compile(user, conf.Conf{"storm.id": "t-1-2", "topology.name": "t", "topology.workers": int64(2), "topology.message.timeout.secs": int64(40)})
	if err != nil {
		t.Fatal(err)
	}
	if g.ID != "t-1-2" || g.Name != "t" || g.Version != 1 || g.Hash != gearcore.HashByValue || g.Conf["nimbus.thrift.port"] != int64(6627) {
		t.Errorf("graph is %s %s %d %v", g.ID, g.Name, g.Version, g.Hash)
	}
	python := func(args ...string) dag.Impl {
		return dag.Impl{Kind: dag.ImplShell, Command: append([]string{"python3"}, args...)}
	}
	word := []string{"word"}
	in := func(source, stream string, kind dag.GroupingKind, fields ...string) dag.Input {
		return dag.Input{Source: source, Stream: stream, Grouping: dag.Grouping{Kind: kind, Fields: fields}}
	}
	spoutOut := []dag.Output{{Stream: "default", Fields: []string{"word", "count"}}, {Stream: "picked", Fields: word, Direct: true}}
	boltOut := []dag.Output{{Stream: "default", Fields: word}}
	tick := map[string]any{"topology.tick.tuple.freq.secs": int64(40)}
	want := []*dag.Processor{
		{Name: "Zoo", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: spoutOut, Conf: tick, Impl: python("spout.py")},
		{Name: "__acker", Kind: dag.Acker, Tasks: 2, Executors: 2, Conf: tick},
		{Name: "__system", Kind: dag.System, Outputs: []dag.Output{{Stream: "__tick", Fields: []string{"rate_secs"}}}, Conf: map[string]any{}},
		{Name: "count", Kind: dag.Bolt, Tasks: 6, Executors: 2, Outputs: boltOut, Conf: map[string]any{}, Impl: python("work.py", "--more"),
			Inputs: []dag.Input{in("count", "default", dag.Fields, "word"), in("split", "default", dag.Fields, "word")}},
		{Name: "sink", Kind: dag.Bolt, Tasks: 1, Executors: 1, Outputs: boltOut, Conf: map[string]any{"own.key": []any{int64(1), 2.0, "x"}}, Impl: python("work.py", "--more"),
			Inputs: []dag.Input{in("Zoo", "default", dag.None), {Source: "count", Stream: "default", Grouping: dag.Grouping{Kind: dag.Global, Fields: []string{}}},
				in("split", "default", dag.All), in("words", "default", dag.PartialKey, "word"), in("words", "picked", dag.Direct)}},
		{Name: "split", Kind: dag.Bolt, Tasks: 3, Executors: 3, Outputs: boltOut, Conf: map[string]any{}, Impl: python("work.py", "--more"),
			Inputs: []dag.Input{in("Zoo", "default", dag.LocalOrShuffle), in("words", "default", dag.Shuffle)}},
		{Name: "words", Kind: dag.Spout, Tasks: 2, Executors: 2, Outputs: spoutOut, Conf: tick, Impl: python("spout.py")},
	}
	if diff := cmp.Diff(want, g.Processors); diff != "" {
		t.Error(diff)
	}

	described, err := Describe(g)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Compile(described, g.Conf)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, again); diff != "" {
		t.Errorf("described and compiled again it differs: %s", diff)
	}
}

// build makes a topology of Go components: "spout" with the stream default(a, b), and bolts by edit.
func build(edit func(b *testBuilder)) *stormrpc.StormTopology {
	b := &testBuilder{&stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{}, Bolts: map[string]*stormrpc.Bolt{}}}
	b.Spouts["spout"] = &stormrpc.SpoutSpec{SpoutObject: GoComponent("spout"),
		Common: &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": stream("a", "b")}}}
	if edit != nil {
		edit(b)
	}
	return b.StormTopology
}

type testBuilder struct{ *stormrpc.StormTopology }

func (b *testBuilder) bolt(id string, inputs ...any) *stormrpc.Bolt {
	bolt := &stormrpc.Bolt{BoltObject: GoComponent(id), Common: &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": stream("a")}}}
	for i := 0; i < len(inputs); i += 2 {
		Subscribe(bolt.Common, inputs[i].(string), "default", inputs[i+1].(*stormrpc.Grouping))
	}
	b.Bolts[id] = bolt
	return bolt
}

func ptr[T any](v T) *T { return &v }

func serialized(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("javaser", "testdata", name+".ser"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCompileRefuses(t *testing.T) {
	shuffle := &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}
	for _, tc := range []struct {
		name string
		conf conf.Conf
		topo *stormrpc.StormTopology
		want string
	}{
		{"nothing", nil, nil, "There is no topology"},
		{"no spout", nil, build(func(b *testBuilder) { delete(b.Spouts, "spout"); b.bolt("x") }), "There must be at least one spout"},
		{"system component id", nil, build(func(b *testBuilder) { b.bolt("__x") }), "__x is not a valid component id."},
		{"empty component id", nil, build(func(b *testBuilder) { b.bolt("") }), `"" is not a valid component id.`},
		{"component id that is no text", nil, build(func(b *testBuilder) { b.bolt("\xff") }), `"\xff" is not a valid component id.`},
		{"system stream id", nil, build(func(b *testBuilder) { b.bolt("x").Common.Streams["__s"] = stream("a") }), "__s is not a valid stream id."},
		{"same id twice", nil, build(func(b *testBuilder) { b.bolt("spout") }), "Duplicate component ids: [spout]"},
		{"nil bolt", nil, build(func(b *testBuilder) { b.Bolts["x"] = nil }), "Component: [x] is empty"},
		{"nil common", nil, build(func(b *testBuilder) { b.Bolts["x"] = &stormrpc.Bolt{} }), "Component: [x] is empty"},
		{"state spout", nil, build(func(b *testBuilder) { b.StateSpouts = map[string]*stormrpc.StateSpoutSpec{"s": nil} }), "State spouts are not supported"},
		{"spout with inputs", nil, build(func(b *testBuilder) { Subscribe(b.Spouts["spout"].Common, "spout", "default", shuffle) }), "May not declare inputs for a spout"},
		{"tasks without executors", nil, build(func(b *testBuilder) {
			c := b.bolt("x").Common
			c.ParallelismHint, c.JSONConf = ptr(int32(0)), ptr(`{"topology.tasks": 2}`)
		}), "Number of executors must be greater than 0 when number of tasks is greater than 0"},
		{"tasks of the topology without executors", conf.Conf{"topology.tasks": int64(2)}, build(func(b *testBuilder) { b.bolt("x").Common.ParallelismHint = ptr(int32(0)) }),
			"Number of executors must be greater than 0 when number of tasks is greater than 0"},
		{"negative executors", nil, build(func(b *testBuilder) { b.bolt("x").Common.ParallelismHint = ptr(int32(-1)) }), "Component: [x] has -1 tasks, which is not between 0 and 1048576"},
		{"too many tasks", nil, build(func(b *testBuilder) { b.bolt("x").Common.ParallelismHint = ptr(int32(1 << 30)) }), "Component: [x] has 1073741824 tasks, which is not between 0 and 1048576"},
		{"too many tasks together", nil, build(func(b *testBuilder) {
			b.bolt("x").Common.ParallelismHint = ptr(int32(MaxTasks))
		}), "The topology has 1048578 tasks, more than 1048576"},
		{"conf is no JSON", nil, build(func(b *testBuilder) { b.bolt("x").Common.JSONConf = ptr("{") }), "Component: [x] has a json_conf that cannot be read: parse JSON: unexpected EOF"},
		{"unknown component", nil, build(func(b *testBuilder) { b.bolt("x", "y", shuffle) }), "Component: [x] subscribes from non-existent component [y]"},
		{"unknown stream", nil, build(func(b *testBuilder) { Subscribe(b.bolt("x").Common, "spout", "s", shuffle) }), "Component: [x] subscribes from non-existent stream: [s] of component [spout]"},
		{"unknown fields", nil, build(func(b *testBuilder) { b.bolt("x", "spout", fieldsGrouping("a", "c", "d")) }),
			"Component: [x] subscribes from stream: [default] of component [spout] + with non-existent fields: [c, d]"},
		{"fields of another stream", nil, build(func(b *testBuilder) {
			b.Spouts["spout"].Common.Streams["other"] = stream("c")
			b.bolt("x", "spout", fieldsGrouping("c"))
		}), "Component: [x] subscribes from stream: [default] of component [spout] + with non-existent fields: [c]"},
		{"unknown fields of a partial key", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(partialKeyClass, "c")})
		}), "Component: [x] subscribes from stream: [default] of component [spout] + with non-existent fields: [c]"},
		{"unknown fields of key groups", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(KeyGroupsClass, "c")})
		}), "Component: [x] subscribes from stream: [default] of component [spout] + with non-existent fields: [c]"},
		{"key groups of no fields", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(KeyGroupsClass)})
		}), "Component: [x] subscribes from stream: [default] of component [spout] by key groups of no fields"},
		{"key groups of another language", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(KeyGroupsClass, "a")}).BoltObject =
				&stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{FullClassName: "com.example.Bolt", ArgsList: []*stormrpc.JavaObjectArg{}}}
		}), "Component: [x] subscribes from stream: [default] of component [spout] by key groups, but [x] is neither in Go nor a program of its own; group by fields"},
		{"more tasks than key groups", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(KeyGroupsClass, "a")}).Common.ParallelismHint = ptr(int32(5000))
		}), "Component: [x] has 5000 tasks, but there are only 4096 key groups for them"},
		{"no grouping", nil, build(func(b *testBuilder) { b.bolt("x", "spout", &stormrpc.Grouping{}) }), "Component: [x] subscribes from stream: [default] of component [spout] with 0 groupings instead of one"},
		{"two groupings", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{Fields: []string{"a"}, All: &stormrpc.NullStruct{}})
		}), "Component: [x] subscribes from stream: [default] of component [spout] with 2 groupings instead of one"},
		{"system stream", nil, build(func(b *testBuilder) { Subscribe(b.bolt("x").Common, "__system", "__tick", shuffle) }),
			"Component: [x] subscribes from stream: [__tick] of component [__system], which has no tuples here"},
		{"no object", nil, build(func(b *testBuilder) { b.bolt("x").BoltObject = &stormrpc.ComponentObject{} }), "Component: [x] has no object"},
		{"Go component without name", nil, build(func(b *testBuilder) { b.bolt("x").BoltObject = javaObject(GoClass) }), "Component: [x]: gearstorm.go.Component takes one text as argument"},
		{"shell component without command", nil, build(func(b *testBuilder) { b.bolt("x").BoltObject = javaObject(ShellClass, "{}") }), "Component: [x] is a shell component without a command"},
		{"shell component of nothing", nil, build(func(b *testBuilder) {
			b.bolt("x").BoltObject = &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{Script: "x.py"}}
		}), "Component: [x] is a shell component without a command"},
		{"spout in a bolt's place", nil, build(func(b *testBuilder) {
			b.bolt("x").BoltObject = &stormrpc.ComponentObject{SerializedJava: serialized(t, "shellspout")}
		}), "Component: [x] is a shell spout where a shell bolt belongs"},
		{"serialized nonsense", nil, build(func(b *testBuilder) { b.bolt("x").BoltObject = &stormrpc.ComponentObject{SerializedJava: []byte("x")} }),
			"Component: [x] is serialized Java that cannot be read: java stream broken at byte 0: 2 bytes wanted, 1 left"},
		{"metrics consumer", conf.Conf{"topology.metrics.consumer.register": []any{map[string]any{"class": "com.x.Metrics", "parallelism.hint": int64(1)}}},
			build(nil), "Metrics consumers are not supported without a component in Java: com.x.Metrics of topology.metrics.consumer.register"},
		{"grouping in Java where the source is not", nil, build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomSerialized: serialized(t, "partialkey-own")})
		}),
			"Component: [x] subscribes from stream: [default] of component [spout] with the grouping sample.Samples$OneTask, which is written in Java; that can only be asked where spout is, too"},
		{"negative ackers", conf.Conf{"topology.acker.executors": int64(-1)}, build(nil), "topology.acker.executors is -1, which is not between 0 and 1048576"},
		{"workers that are no number", conf.Conf{"topology.workers": "x"}, build(nil), "topology.workers must be a whole number, not x (text)"},
		{"unknown hash mode", conf.Conf{"gearstorm.hash.mode": "md5"}, build(nil), "gearstorm.hash.mode must be java or value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, err := Compile(tc.topo, tc.conf)
			var it *InvalidTopology
			if !errors.As(err, &it) || it.Message != tc.want {
				t.Errorf("got  %v, %v\nwant %s", g, err, tc.want)
			}
		})
	}
}

func TestCounts(t *testing.T) {
	for _, tc := range []struct {
		name             string
		conf             conf.Conf
		hint             *int32
		own              string
		tasks, executors int
		ackers           int
	}{
		{"defaults", nil, nil, "", 1, 1, 1},
		{"hint", nil, ptr(int32(3)), "", 3, 3, 1},
		{"tasks of the component", nil, ptr(int32(3)), `{"topology.tasks": 5}`, 5, 3, 1},
		{"fewer tasks than executors", nil, ptr(int32(3)), `{"topology.tasks": 2}`, 2, 2, 1},
		{"tasks of the topology", conf.Conf{"topology.tasks": int64(4)}, nil, "", 4, 1, 1},
		{"tasks of both", conf.Conf{"topology.tasks": int64(4)}, nil, `{"topology.tasks": 2.0}`, 2, 1, 1},
		{"capped by the topology", conf.Conf{"topology.max.task.parallelism": int64(2)}, ptr(int32(3)), "", 2, 2, 1},
		{"capped by the component", nil, ptr(int32(3)), `{"topology.max.task.parallelism": 2}`, 2, 2, 1},
		{"no tasks", nil, ptr(int32(0)), "", 0, 0, 1},
		{"ackers follow workers", conf.Conf{"topology.workers": int64(4)}, nil, "", 1, 1, 4},
		{"null ackers", conf.Conf{"topology.workers": int64(4), "topology.acker.executors": nil}, nil, "", 1, 1, 4},
		{"no ackers", conf.Conf{"topology.acker.executors": int64(0)}, nil, "", 1, 1, 0},
		{"ackers are not capped", conf.Conf{"topology.acker.executors": int64(7), "topology.max.task.parallelism": int64(2)}, nil, "", 1, 1, 7},
	} {
		t.Run(tc.name, func(t *testing.T) {
			topo := build(func(b *testBuilder) {
				c := b.bolt("x").Common
				c.ParallelismHint = tc.hint
				if tc.own != "" {
					c.JSONConf = &tc.own
				}
			})
			normalized, total, err := Normalize(conf.Defaults(), tc.conf, topo, Submission{})
			if err != nil {
				t.Fatal(err)
			}
			g, err := Compile(normalized, total)
			if err != nil {
				t.Fatal(err)
			}
			x, acker := g.Processor("x"), g.Processor("__acker")
			if x.Tasks != tc.tasks || x.Executors != tc.executors {
				t.Errorf("%d tasks and %d executors, want %d and %d", x.Tasks, x.Executors, tc.tasks, tc.executors)
			}
			if acker.Tasks != tc.ackers || acker.Executors != tc.ackers {
				t.Errorf("%d acker tasks and %d executors, want %d", acker.Tasks, acker.Executors, tc.ackers)
			}
			// A later change of the conf moves no tasks.
			total["topology.max.task.parallelism"], total["topology.tasks"] = int64(1), int64(9)
			if again, err := Compile(normalized, total); err != nil || again.Processor("x").Tasks != tc.tasks {
				t.Errorf("a change of the conf moved the tasks (%v)", err)
			}
		})
	}
}

func TestObjects(t *testing.T) {
	for _, tc := range []struct {
		name   string
		object *stormrpc.ComponentObject
		want   dag.Impl
	}{
		{"go", GoComponent("count"), dag.Impl{Kind: dag.ImplGo, Name: "count"}},
		{"shell is never split", &stormrpc.ComponentObject{Shell: &stormrpc.ShellComponent{ExecutionCommand: "streamparse_run", Script: "-s json bolts.X"}},
			dag.Impl{Kind: dag.ImplShell, Command: []string{"streamparse_run", "-s json bolts.X"}}},
		{"shell subclass", &stormrpc.ComponentObject{SerializedJava: serialized(t, "shellbolt-nocwd")},
			dag.Impl{Kind: dag.ImplShell, Command: []string{"python3", "splitsentence.py"}, KeepDir: true}},
		{"forwarder", &stormrpc.ComponentObject{SerializedJava: serialized(t, "forwarder")},
			dag.Impl{Kind: dag.ImplShell, Command: []string{"python3", "splitsentence.py"}}},
		{"flux bolt", &stormrpc.ComponentObject{SerializedJava: serialized(t, "fluxbolt")},
			dag.Impl{Kind: dag.ImplShell, Command: []string{"python3", "b.py"}, Env: map[string]string{"PATH": "/opt/bin", "MODE": "fast"}}},
		{"serialized", &stormrpc.ComponentObject{SerializedJava: serialized(t, "plain")}, dag.Impl{Kind: dag.ImplJava, Name: "sample.Samples$Plain"}},
		{"basic bolt", &stormrpc.ComponentObject{SerializedJava: serialized(t, "basic")}, dag.Impl{Kind: dag.ImplJava, Name: "sample.Samples$Basic"}},
		{"lambda", &stormrpc.ComponentObject{SerializedJava: serialized(t, "lambda")}, dag.Impl{Kind: dag.ImplJava, Name: "sample.Samples"}},
		{"class by name", javaObject("com.x.Bolt", "arg"), dag.Impl{Kind: dag.ImplJava, Name: "com.x.Bolt"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			topo := build(func(b *testBuilder) { b.bolt("x").BoltObject = tc.object })
			g, err := Compile(topo, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, g.Processor("x").Impl); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, impl := range []dag.Impl{
		{Kind: dag.ImplShell, Command: []string{"a", "b"}},
		{Kind: dag.ImplShell, Command: []string{"a"}},
		{Kind: dag.ImplShell, Command: []string{"a", "b"}, Env: map[string]string{"X": "1"}, KeepDir: true},
	} {
		object, err := ShellComponent(impl.Command, impl.Env, impl.KeepDir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := (&component{id: "x", object: object}).impl()
		if err != nil || !cmp.Equal(got, impl) {
			t.Errorf("%v came back as %v, %v", impl, got, err)
		}
	}
}

func TestSubscribedTwice(t *testing.T) {
	topo := build(func(b *testBuilder) {
		b.bolt("x", "spout", &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}, "spout", fieldsGrouping("a"))
	})
	g, err := Compile(topo, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []dag.Input{{Source: "spout", Stream: "default", Grouping: dag.Grouping{Kind: dag.Fields, Fields: []string{"a"}}}}
	if diff := cmp.Diff(want, g.Processor("x").Inputs); diff != "" {
		t.Error(diff)
	}
}

// What the Go SDK builds compiles: both sides agree on the reserved classes.
func TestSDKTopology(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("lines", storm.ShellSpout("node", "lines.js", "--fast").Env("MODE", "x"), 1).Fields("line")
	b.SetBolt("split", storm.ShellBolt("python3", "split.py"), 1).Fields("word").ShuffleGrouping("lines")
	b.SetBolt("count", storm.ShellBolt("python3", "count.py"), 1).PartialKeyGrouping("split", "word")
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Compile(built.Thrift, built.Conf)
	if err != nil {
		t.Fatal(err)
	}
	want := dag.Impl{Kind: dag.ImplShell, Command: []string{"node", "lines.js", "--fast"}, Env: map[string]string{"MODE": "x"}}
	if diff := cmp.Diff(want, g.Processor("lines").Impl); diff != "" {
		t.Error(diff)
	}
	edge := []dag.Input{{Source: "split", Stream: "default", Grouping: dag.Grouping{Kind: dag.PartialKey, Fields: []string{"word"}}}}
	if diff := cmp.Diff(edge, g.Processor("count").Inputs); diff != "" {
		t.Error(diff)
	}
	if storm.GoComponentClass != GoClass || storm.GoGroupingClass != GroupingClass {
		t.Errorf("the SDK calls its components %s and its groupings %s", storm.GoComponentClass, storm.GoGroupingClass)
	}
}

type noGrouping struct{}

func (noGrouping) Prepare(*storm.Context, []storm.TaskID) error                  { return nil }
func (noGrouping) Choose(task storm.TaskID, values []storm.Value) []storm.TaskID { return nil }

// A custom grouping of a Go program travels by a name that says which subscription it belongs to.
func TestCustomGroupingTravels(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("words", storm.ShellSpout("python3", "words.py"), 1).Fields("word")
	b.SetBolt("count", storm.ShellBolt("python3", "count.py"), 2).CustomGrouping("words", func() storm.CustomGrouping { return noGrouping{} })
	b.SetBolt("lost", storm.ShellBolt("python3", "count.py"), 2).CustomGrouping("words", func() storm.CustomGrouping { return nil })
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Compile(built.Thrift, built.Conf)
	if err != nil {
		t.Fatal(err)
	}
	edge := []dag.Input{{Source: "words", Stream: "default", Grouping: dag.Grouping{Kind: dag.Custom, Name: "count/words/default"}}}
	if diff := cmp.Diff(edge, g.Processor("count").Inputs); diff != "" {
		t.Error(diff)
	}
	again, err := Describe(g)
	if err != nil {
		t.Fatal(err)
	}
	if g2, err := Compile(again, g.Conf); err != nil || !cmp.Equal(g, g2) {
		t.Errorf("described and compiled again: %v, %s", err, cmp.Diff(g, g2))
	}
	if made, err := built.Components.Grouping("count/words/default"); err != nil || made != (noGrouping{}) {
		t.Errorf("made %v, %v", made, err)
	}
	for name, want := range map[string]string{"lost/words/default": "the factory returned nil", "count/other/default": "no grouping of that name"} {
		if _, err := built.Components.Grouping(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for _, args := range [][]string{nil, {""}, {"a", "b"}} {
		topo := build(func(b *testBuilder) {
			b.bolt("x", "spout", &stormrpc.Grouping{CustomObject: javaClass(GroupingClass, args...)})
		})
		_, err := Compile(topo, nil)
		checkInvalid(t, fmt.Sprint(args), err, "takes one text as argument")
	}
	if _, err := Grouping(dag.Grouping{Kind: dag.Foreign, Name: "a.Class"}); err == nil {
		t.Error("a grouping that only its emitter knows has a Thrift form")
	}
}

// Whatever Thrift can carry compiles to a graph that has a plan and a description, or is refused as invalid.
func FuzzCompile(f *testing.F) {
	for _, name := range []string{"user.json", "system.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte(`{"topology.acker.executors":2,"topology.max.task.parallelism":3}`))
	}
	f.Add([]byte(`{"spouts":{"s":{"spout_object":{"shell":{"execution_command":"a","script":"b"}},"common":{"inputs":[],"streams":{}}}},`+
		`"bolts":{"b":{"bolt_object":{"java_object":{"full_class_name":"gearstorm.go.Component","args_list":[{"string_arg":"x"}]}},"common":{}}}}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, topo, settings []byte) {
		var parsed *stormrpc.StormTopology
		if json.Unmarshal(topo, &parsed) != nil {
			return
		}
		c, err := conf.ParseJSON(settings)
		if err != nil {
			return
		}
		normalized, total, err := Normalize(conf.Defaults(), c, parsed, Submission{ID: "t-1-2", Name: "t"})
		if err == nil {
			var g *dag.Graph
			if g, err = Compile(normalized, total); err == nil {
				checkGraph(t, g)
			}
		}
		var it *InvalidTopology
		if err != nil && !errors.As(err, &it) {
			t.Fatalf("refused with %T: %v", err, err)
		}
	})
}

func checkGraph(t *testing.T, g *dag.Graph) {
	tasks := 0
	for _, p := range g.Processors {
		tasks += p.Tasks
	}
	if tasks > 10000 {
		return // a plan of that size is too slow for a fuzz test
	}
	if _, err := dag.Expand(g, nil, nil); err != nil {
		t.Fatalf("no plan: %v", err)
	}
	described, err := Describe(g)
	if err != nil {
		t.Fatalf("no description: %v", err)
	}
	if _, err := Compile(described, g.Conf); err != nil {
		t.Fatalf("the description does not compile: %v", err)
	}
}
