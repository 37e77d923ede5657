package storm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/compat/storm/stormtest"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/file"
)

func TestConnectorsInStormsWords(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := stormtest.NewSpout(t, storm.SourceFactory(file.Sources(file.SourceOptions{Paths: []string{in}})),
		func(d *storm.Declarer) { d.Fields("line") }, nil)
	s.Next(1)
	if got := s.Values(); len(got) != 2 || got[1][0] != "b" {
		t.Errorf("emitted %v", got)
	}
	out := filepath.Join(dir, "out")
	b := stormtest.NewBolt(t, storm.TaskFactory(file.Sinks(file.SinkOptions{Dir: out, Mode: file.AtLeastOnce, SyncEvery: time.Millisecond})), nil, nil)
	b.Input("lines", "default", "line")
	b.Send("lines", "default", "a")
	b.Wait()
	if len(b.Acked()) != 1 {
		t.Errorf("%d acked, errors %v", len(b.Acked()), b.Errors())
	}
}

func TestFactoriesThatReturnNothing(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("spout", storm.SourceFactory(func() (gearcore.Source, error) { return nil, nil }), 1).Fields("line")
	b.SetBolt("bolt", storm.TaskFactory(func() (gearcore.Task, error) { return nil, nil }), 1).ShuffleGrouping("spout")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := top.Components.Source("spout"); err == nil {
		t.Error("a factory of sources may return nil")
	}
	if _, err := top.Components.Task("bolt"); err == nil {
		t.Error("a factory of tasks may return nil")
	}
}

// between is a task that works between calls.
type between struct{ gearcore.Task }

func (between) Holding() bool { return true }

// What a task works on between calls is waited for beside stateful bolts, too: sinks that write at least once count on that in a checkpoint.
func TestHoldersBesideStatefulBolts(t *testing.T) {
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n")
	b.SetBolt("keep", storm.Stateful(func() storm.StatefulBolt[string, int] { return &keep{} }), 1).ShuffleGrouping("in")
	b.SetBolt("out", storm.TaskFactory(func() (gearcore.Task, error) { return between{}, nil }), 1).ShuffleGrouping("in")
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"keep": false, "out": true} {
		task, err := top.Components.Task(name)
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := task.(gearcore.Holder); !ok || h.Holding() != want {
			t.Errorf("%s is a %T, a holder: %v", name, task, ok)
		}
	}
}
