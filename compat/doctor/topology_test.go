package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func serializedAs(t *testing.T, name string) *stormrpc.ComponentObject {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "javaser", "testdata", name+".ser"))
	if err != nil {
		t.Fatal(err)
	}
	return &stormrpc.ComponentObject{SerializedJava: data}
}

// topology has a spout and bolts that subscribe to it.
func topology(spout *stormrpc.ComponentObject, bolts map[string]*stormrpc.ComponentObject) *stormrpc.StormTopology {
	common := func() *stormrpc.ComponentCommon {
		return &stormrpc.ComponentCommon{Streams: map[string]*stormrpc.StreamInfo{"default": {OutputFields: []string{"word"}}}}
	}
	t := &stormrpc.StormTopology{Spouts: map[string]*stormrpc.SpoutSpec{"words": {SpoutObject: spout, Common: common()}}, Bolts: map[string]*stormrpc.Bolt{}}
	for id, o := range bolts {
		b := &stormrpc.Bolt{BoltObject: o, Common: common()}
		compat.Subscribe(b.Common, "words", "default", &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}})
		t.Bolts[id] = b
	}
	return t
}

func shellObject(t *testing.T, command ...string) *stormrpc.ComponentObject {
	t.Helper()
	o, err := compat.ShellComponent(command, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTopologyWithoutJava(t *testing.T) {
	topo := topology(shellObject(t, "python3", "words.py"), map[string]*stormrpc.ComponentObject{
		"count": compat.GoComponent("count"), "long": shellObject(t, "node", "a.js", "-x"), "split": serializedAs(t, "shellbolt"),
	})
	compat.Subscribe(topo.Bolts["count"].Common, "split", "default", &stormrpc.Grouping{CustomSerialized: serializedAs(t, "partialkey").SerializedJava})
	r := Topology("t", topo, conf.Conf{})
	want := []string{
		"words | shell spout | native | python3 words.py",
		"long | shell bolt | native | node a.js -x",
		"split | shell bolt | native | sample.Samples$Split | python3 splitsentence.py",
		"count | bolt | native | Go component count",
		"count to split.default | partial key grouping | native",
	}
	if diff := cmp.Diff(want, rows(r.Components)); diff != "" {
		t.Error(diff)
	}
	if !r.Runs || len(r.Findings) > 0 {
		t.Errorf("runs is %t, %v", r.Runs, r.Findings)
	}
}

func TestTopologyWithJava(t *testing.T) {
	topo := topology(&stormrpc.ComponentObject{SerializedJava: javaObject("user.Spout", "")}, map[string]*stormrpc.ComponentObject{
		"basic": serializedAs(t, "basic"), "plain": serializedAs(t, "plain"), "named": {JavaObject: &stormrpc.JavaObject{FullClassName: "user.Named"}},
		"window": {SerializedJava: javaObject("org.apache.storm.topology.WindowedBoltExecutor", "user.Window")},
		"bad":    {SerializedJava: []byte("hello")}, "none": {},
	})
	compat.Subscribe(topo.Bolts["plain"].Common, "basic", "default", &stormrpc.Grouping{CustomSerialized: serializedAs(t, "partialkey-own").SerializedJava})
	topo.WorkerHooks = [][]byte{javaObject("user.Hook", "")}
	r := Topology("t", topo, conf.Conf{
		"topology.metrics.consumer.register": []any{map[string]any{"class": "user.Consumer"}},
		"topology.auto.task.hooks":           []any{"user.TaskHook"},
		"topology.multilang.serializer":      "user.Thrift",
	})
	want := []string{
		"words | spout | java | user.Spout",
		"bad | bolt | no | its serialized Java cannot be read: java stream broken at byte 4: it starts with 68656c6c and not with aced0005",
		"named | bolt | java | user.Named",
		"none | bolt | no | it has no object",
		"plain | bolt | java | sample.Samples$Plain",
		"basic | basic bolt | java | sample.Samples$Basic",
		"window | windowed bolt | java | user.Window",
		"plain to basic.default | grouping | java | sample.Samples$OneTask",
		"user.TaskHook | task hook | java",
		"worker hook 1 | worker hook | java | user.Hook",
		"user.Consumer | metrics consumer | java",
		"topology.multilang.serializer | multilang serializer | no | user.Thrift | multilang children speak JSON or msgpack here; a class for topology.multilang.serializer is not loaded",
	}
	if diff := cmp.Diff(want, rows(withoutTableNotes(r.Components))); diff != "" {
		t.Error(diff)
	}
	if r.Runs {
		t.Error("it is said to run")
	}
}

// What no component is to blame for is a finding in the words of a submit.
func TestTopologyThatASubmitRefuses(t *testing.T) {
	topo := topology(shellObject(t, "a", "b"), map[string]*stormrpc.ComponentObject{"count": shellObject(t, "a", "b")})
	compat.Subscribe(topo.Bolts["count"].Common, "nobody", "default", &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}})
	topo.Bolts["empty"] = nil
	r := Topology("t", topo, conf.Conf{})
	if diff := cmp.Diff([]string{"error: Component: [empty] is empty"}, findings(r)); diff != "" || r.Runs {
		t.Error(diff)
	}
	delete(topo.Bolts, "empty")
	r = Topology("t", topo, conf.Conf{})
	want := []string{"error: Component: [count] subscribes from non-existent component [nobody]"}
	if diff := cmp.Diff(want, findings(r)); diff != "" || r.Runs {
		t.Error(diff)
	}
}

// A subclass of a class that runs natively is only what it is to others: its code is its own.
func TestSubclassesOfStockClasses(t *testing.T) {
	s, err := newScan(JarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.units["a.Spout"] = &unit{name: "a.Spout", super: org + "drpc.DRPCSpout"}
	s.units["a.Group"] = &unit{name: "a.Group", super: org + "grouping.PartialKeyGrouping"}
	s.units["task.ShellBolt"] = &unit{name: "task.ShellBolt", super: "java.lang.Object"} // has Storm's name in another package
	for class, want := range map[string][]Kind{"a.Spout": {Spout}, "a.Group": {Grouping}, "task.ShellBolt": nil, org + "drpc.DRPCSpout": {DRPCSpout}} {
		if diff := cmp.Diff(want, s.kindsOf(class)); diff != "" {
			t.Errorf("%s: %s", class, diff)
		}
	}
}

// A topology of Trident without a ZooKeeper is refused in the words of a submit; with one it runs.
func TestTopologyOfTrident(t *testing.T) {
	topo := topology(&stormrpc.ComponentObject{SerializedJava: javaObject("org.apache.storm.trident.topology.MasterBatchCoordinator", "")},
		map[string]*stormrpc.ComponentObject{"b-0": {SerializedJava: javaObject(tridentBolt, "")}})
	r := Topology("t", topo, conf.Conf{})
	if r.Runs || len(r.Findings) != 1 || !r.Findings[0].Blocks || !strings.Contains(r.Findings[0].Text, "[words] is Trident's coordinator") {
		t.Errorf("without a ZooKeeper runs is %t, %v", r.Runs, r.Findings)
	}
	if r = Topology("t", topo, conf.Conf{"transactional.zookeeper.servers": []any{"zk1"}}); !r.Runs || len(r.Findings) > 0 {
		t.Errorf("with a ZooKeeper runs is %t, %v", r.Runs, r.Findings)
	}
}
