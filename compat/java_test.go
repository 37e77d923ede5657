package compat

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// A topology with Java components hashes as Java does, and its groupings in Java are left to where the emitter is.
func TestJavaComponents(t *testing.T) {
	shuffle := &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}
	topo := build(func(b *testBuilder) {
		b.bolt("plain", "spout", shuffle).BoltObject = &stormrpc.ComponentObject{SerializedJava: serialized(t, "plain")}
		b.bolt("serialized", "plain", &stormrpc.Grouping{CustomSerialized: serialized(t, "partialkey-own")})
		b.bolt("named", "plain", &stormrpc.Grouping{CustomObject: javaClass("com.x.Grouping")})
		b.WorkerHooks = [][]byte{serialized(t, "lambda")}
	})
	g, err := Compile(topo, map[string]any{HashModeKey: "value"})
	if err != nil {
		t.Fatal(err)
	}
	if g.Hash != gearcore.HashJava {
		t.Error("Go hashes otherwise than Java")
	}
	for name, class := range map[string]string{"serialized": "sample.Samples$OneTask", "named": "com.x.Grouping"} {
		want := []dag.Input{{Source: "plain", Stream: "default", Grouping: dag.Grouping{Kind: dag.Foreign, Name: class}}}
		if diff := cmp.Diff(want, g.Processor(name).Inputs); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Metrics consumers hear of the components in Java, and have their tasks where Storm has them.
func TestMetricsConsumers(t *testing.T) {
	shuffle := &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}}
	topo := build(func(b *testBuilder) {
		b.bolt("plain", "spout", shuffle).BoltObject = &stormrpc.ComponentObject{SerializedJava: serialized(t, "plain")}
		b.bolt("go", "plain", shuffle)
	})
	g, err := Compile(topo, map[string]any{"topology.metrics.consumer.register": []any{map[string]any{"class": "com.x.Metrics", "parallelism.hint": int64(2)}}})
	if err != nil {
		t.Fatal(err)
	}
	c := g.Processor("__metrics_com.x.Metrics")
	want := []dag.Input{{Source: "plain", Stream: "__metrics", Grouping: dag.Grouping{Kind: dag.Shuffle}}}
	if diff := cmp.Diff(want, c.Inputs); diff != "" || c.Tasks != 2 || c.Impl.Kind != dag.ImplJava || c.Impl.Name != "com.x.Metrics" {
		t.Errorf("%+v: %s", c, diff)
	}
	if g.Processor("plain").Output("__metrics") == nil || g.Processor("go").Output("__metrics") != nil {
		t.Error("the wrong components have a stream of metrics")
	}
}
