package worker

import (
	"context"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
)

func TestLocalRunsATopology(t *testing.T) {
	const n = 1000
	r := newRelay(t, n, nil)
	dir := t.TempDir()
	writeResources(t, dir)
	l, err := NewLocal(LocalConfig{Name: "relay", Topology: r.topo.Thrift, Conf: r.topo.Conf, Registry: r.topo.Components, CodeDir: dir, PidDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan error, 1)
	go func() { end <- l.Run(ctx) }()
	await(t, "every message is acked", func() bool { return r.spout.done() == n })
	by := map[string]ComponentStats{}
	await(t, "the table shows it", func() bool {
		for _, s := range l.Stats() {
			by[s.Component] = s
		}
		return by["words"].Acked == n && by["sink"].Acked == n && by["words"].Pending == 0
	})
	if s := by["words"]; !s.Spout || s.Tasks != 1 || s.Emitted != n || s.CompleteMs <= 0 || s.Failed != 0 {
		t.Errorf("spout is %+v", s)
	}
	if s := by["echo"]; s.Spout || s.Executed != n || s.Emitted != n || s.Transferred != n {
		t.Errorf("shell bolt is %+v", s)
	}
	if s := by["__acker"]; s.Executors != 2 {
		t.Errorf("ackers are %+v", s)
	}
	l.Deactivate()
	await(t, "spouts are deactivated", func() bool { return !r.spout.isActive() })
	l.Activate()
	await(t, "spouts are activated", r.spout.isActive)
	cancel()
	if err := <-end; err != nil {
		t.Errorf("ends with %v", err)
	}
}

func TestLocalErrors(t *testing.T) {
	r := newRelay(t, 10, func(b *storm.TopologyBuilder) {
		b.SetBolt("extra", storm.BoltFunc(func(storm.Tuple, storm.Emitter) error { panic("oops") }), 1).ShuffleGrouping("words")
	})
	dir := t.TempDir()
	writeResources(t, dir)
	l, err := NewLocal(LocalConfig{Name: "relay", Topology: r.topo.Thrift, Conf: r.topo.Conf, Registry: r.topo.Components, CodeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end := make(chan error, 1)
	go func() { end <- l.Run(ctx) }()
	got := 0
	await(t, "errors come, throttled", func() bool { got += len(l.Errors()); return got == 5 })
	cancel()
	<-end
	if _, err := NewLocal(LocalConfig{Name: "x", Topology: r.topo.Thrift, Conf: conf.Conf{}}); err == nil {
		t.Error("Go components without a registry are taken")
	}
}
