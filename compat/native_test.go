package compat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// answers is a topology of a DRPC spout and ReturnResults with these objects.
func answers(spout, bolt *stormrpc.ComponentObject) *stormrpc.StormTopology {
	one := int32(1)
	out := &stormrpc.StormTopology{StateSpouts: map[string]*stormrpc.StateSpoutSpec{}}
	out.Spouts = map[string]*stormrpc.SpoutSpec{"requests": {SpoutObject: spout, Common: &stormrpc.ComponentCommon{
		ParallelismHint: &one, Streams: map[string]*stormrpc.StreamInfo{"default": stream(DRPCFields()...)},
	}}}
	common := &stormrpc.ComponentCommon{ParallelismHint: &one, Streams: map[string]*stormrpc.StreamInfo{}}
	Subscribe(common, "requests", "default", &stormrpc.Grouping{Shuffle: &stormrpc.NullStruct{}})
	out.Bolts = map[string]*stormrpc.Bolt{"answers": {BoltObject: bolt, Common: common}}
	return out
}

func serializedObject(t *testing.T, name string) *stormrpc.ComponentObject {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("javaser", "testdata", name+".ser"))
	if err != nil {
		t.Fatal(err)
	}
	return &stormrpc.ComponentObject{SerializedJava: data}
}

// The two ends of DRPC are native, named in a JavaObject or serialized by Storm's client, and a graph says so again.
func TestNativeDRPC(t *testing.T) {
	for name, topo := range map[string]*stormrpc.StormTopology{
		"named":      answers(NativeComponent(DRPCSpoutClass, "reach"), NativeComponent(ReturnResultsClass)),
		"serialized": answers(serializedObject(t, "drpcspout"), serializedObject(t, "returnresults")),
	} {
		t.Run(name, func(t *testing.T) {
			if f := DRPCFunctions(topo); len(f) != 1 || f[0] != "reach" {
				t.Errorf("it serves %v", f)
			}
			g, err := Compile(topo, nil)
			if err != nil {
				t.Fatal(err)
			}
			if i := g.Processor("requests").Impl; i.Kind != dag.ImplNative || i.Name != DRPCSpoutClass || len(i.Args) != 1 || i.Args[0] != "reach" {
				t.Errorf("the spout is %+v", i)
			}
			if i := g.Processor("answers").Impl; i.Kind != dag.ImplNative || i.Name != ReturnResultsClass || len(i.Args) != 0 {
				t.Errorf("the bolt is %+v", i)
			}
			again, err := Describe(g)
			if err != nil {
				t.Fatal(err)
			}
			if f := DRPCFunctions(again); len(f) != 1 || f[0] != "reach" {
				t.Errorf("described again it serves %v", f)
			}
		})
	}
}

func TestNativeInTheWrongPlace(t *testing.T) {
	number := int32(1)
	spout, bolt := NativeComponent(DRPCSpoutClass, "f"), NativeComponent(ReturnResultsClass)
	for _, c := range []struct {
		name, says  string
		spout, bolt *stormrpc.ComponentObject
	}{
		{"a bolt as a spout", "where a spout belongs", bolt, bolt},
		{"a spout as a bolt", "where a bolt belongs", spout, spout},
		{"no function", "name of a function", NativeComponent(DRPCSpoutClass), bolt},
		{"empty function", "name of a function", NativeComponent(DRPCSpoutClass, ""), bolt},
		{"a number as function", "name of a function", &stormrpc.ComponentObject{JavaObject: &stormrpc.JavaObject{
			FullClassName: DRPCSpoutClass, ArgsList: []*stormrpc.JavaObjectArg{{IntArg: &number}}}}, bolt},
		{"arguments", "takes no arguments", spout, NativeComponent(ReturnResultsClass, "x")},
	} {
		if _, err := Compile(answers(c.spout, c.bolt), nil); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

// A spout that was made for a LocalDRPC can serve nobody but the JVM that it comes from, and is left to Java.
func TestSpoutOfALocalDRPCIsJavas(t *testing.T) {
	g, err := Compile(answers(serializedObject(t, "drpcspout-local"), NativeComponent(ReturnResultsClass)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Processors {
		if p.Kind == dag.Spout && (p.Impl.Kind != dag.ImplJava || p.Impl.Name != DRPCSpoutClass) {
			t.Errorf("%s is %+v", p.Name, p.Impl)
		}
	}
}
