package storm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestDRPCComponents(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.DRPCSpout("f"), 1)
	b.SetBolt("out", storm.ReturnResults(), 1).ShuffleGrouping("in")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	in := top.Thrift.Spouts["in"]
	if o := in.SpoutObject.JavaObject; o.FullClassName != "org.apache.storm.drpc.DRPCSpout" || len(o.ArgsList) != 1 || *o.ArgsList[0].StringArg != "f" {
		t.Errorf("the spout is %v", o)
	}
	if f := in.Common.Streams["default"].OutputFields; !slices.Equal(f, []string{"args", "return-info"}) {
		t.Errorf("its fields are %v", f)
	}
	if o := top.Thrift.Bolts["out"].BoltObject.JavaObject; o.FullClassName != "org.apache.storm.drpc.ReturnResults" || len(o.ArgsList) != 0 {
		t.Errorf("the bolt is %v", o)
	}
	if _, err := top.Components.Task("out"); err == nil {
		t.Error("the program makes a bolt that is the worker's")
	}
}

func TestDRPCMistakes(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.DRPCSpout(""), 1).Fields("args")
	b.SetBolt("out", storm.ReturnResults(), 1).ShuffleGrouping("in").NoRetain()
	_, err := b.Build()
	for _, want := range []string{"name of its function", "declares stream default twice", "component out: only a bolt written in Go"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
