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
