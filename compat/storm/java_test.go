package storm_test

import (
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestJavaComponents(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.JavaSpout("com.example.In"), 1).Fields("text")
	b.SetBolt("out", storm.JavaBolt("com.example.Out", "strict", "5"), 2).ShuffleGrouping("in")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if o := top.Thrift.Spouts["in"].SpoutObject.JavaObject; o.FullClassName != "com.example.In" || len(o.ArgsList) != 0 {
		t.Errorf("the spout is %v", o)
	}
	o := top.Thrift.Bolts["out"].BoltObject.JavaObject
	if o.FullClassName != "com.example.Out" || len(o.ArgsList) != 2 || *o.ArgsList[0].StringArg != "strict" || *o.ArgsList[1].StringArg != "5" {
		t.Errorf("the bolt is %v", o)
	}
	if _, err := top.Components.Task("out"); err == nil {
		t.Error("the program makes a bolt that is a Java process's")
	}
}

func TestJavaMistakes(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.JavaSpout(""), 1).Fields("text")
	b.SetBolt("out", storm.JavaBolt(""), 1).ShuffleGrouping("in").NoRetain()
	_, err := b.Build()
	for _, want := range []string{"component in: a component in Java needs the name of its class", "component out: a component in Java", "component out: only a bolt written in Go"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
