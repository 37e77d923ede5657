package storm_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/stream"
)

// A topology of the typed API and bolts of Storm's are one topology, and its graph is the same after a journey through Thrift.
func TestAddStream(t *testing.T) {
	b := storm.NewTopologyBuilder()
	top := stream.New("t").Set("topology.workers", 2)
	lines := stream.From(top, "lines", stream.Slice([]string{"a"}), stream.Parallelism(3), stream.WithConf("my.key", 7))
	upper := stream.Map(lines, "upper", strings.ToUpper, stream.Apart())
	stream.To(upper, "out", stream.SinkFunc[string](func(string, time.Time) error { return nil }))
	stream.To(upper, "far", stream.SinkFunc[string](func(string, time.Time) error { return nil }), stream.Parallelism(1))
	b.AddStream(top)
	b.SetBolt("keyed", storm.BoltFunc(ack), 4).Grouping("upper", "default", storm.KeyGroups("value"))
	built, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	g, err := compat.Compile(built.Thrift, built.Conf)
	if err != nil {
		t.Fatal(err)
	}
	again, err := compat.Describe(g)
	if err != nil {
		t.Fatal(err)
	}
	if g, err = compat.Compile(again, g.Conf); err != nil {
		t.Fatal(err)
	}
	if p := g.Processor("lines"); !g.Timed || p.Kind != dag.Spout || p.Tasks != 3 || p.Executors != 3 || p.Impl.Kind != dag.ImplGo || p.Conf["my.key"] != int64(7) {
		t.Errorf("lines is %+v", p)
	}
	if in := g.Processor("keyed").Inputs; len(in) != 1 || in[0].Grouping.Kind != dag.KeyGroups || in[0].Grouping.Fields[0] != "value" {
		t.Errorf("keyed has the inputs %+v", in)
	}
	if g.Processor("out") != nil {
		t.Error("a step that is called by the one before it is a component")
	}
	src, err := built.Components.Source("lines")
	if _, timed := src.(gearcore.Timed); err != nil || !timed {
		t.Errorf("the source is a %T, %v", src, err)
	}
	if task, err := built.Components.Task("far"); err != nil || task == nil {
		t.Errorf("the end is a %T, %v", task, err)
	}
}

func TestMistakesOfAStreamAreThoseOfTheTopology(t *testing.T) {
	b := storm.NewTopologyBuilder().AddStream(stream.New("empty"))
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "begins with From") {
		t.Errorf("got %v", err)
	}
	b = storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("x")
	b.SetBolt("by", storm.BoltFunc(ack), 1).Grouping("in", "default", storm.KeyGroups())
	if _, err := b.Build(); err == nil || !strings.Contains(err.Error(), "no fields") {
		t.Errorf("got %v", err)
	}
}
