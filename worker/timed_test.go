package worker

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// localExact runs the topology that checks itself in this process, until the test ends.
func localExact(t *testing.T, topo exact.Topology) *Local {
	t.Helper()
	built, err := topo.Build()
	if err != nil {
		t.Fatal(err)
	}
	c := conf.Conf(built.Conf)
	registry, err := exact.RegistryOf(c)
	if err != nil {
		t.Fatal(err)
	}
	return runLocal(t, LocalConfig{Name: "exact", Topology: built.Thrift, Conf: c, Registry: registry})
}

// runLocal runs a topology in this process until the test ends.
func runLocal(t *testing.T, cfg LocalConfig) *Local {
	t.Helper()
	l, err := NewLocal(cfg)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the topology ended with %v", err)
		}
	})
	return l
}

// checked waits until all records are visible and nothing is wrong.
func checked(t *testing.T, topo exact.Topology) exact.Result {
	t.Helper()
	var r exact.Result
	await(t, "all records are visible", func() bool {
		var err error
		if r, err = exact.Check(topo); err != nil {
			t.Fatal(err)
		}
		return r.Whole(topo) || len(r.Wrong) > 0
	})
	if len(r.Wrong) > 0 {
		t.Fatalf("wrong:\n%s", strings.Join(r.Wrong, "\n"))
	}
	return r
}

// TestLocalTopologyGoesBack loses batches again and again: what is visible is each record once all the same.
func TestLocalTopologyGoesBack(t *testing.T) {
	topo := exact.Topology{Dir: t.TempDir(), Records: 6000, Rate: 3000, Sources: 2, Counters: 3, Sinks: 2, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 100}}
	l := localExact(t, topo)
	for i := range 5 {
		await(t, "records are visible", func() bool {
			r, err := exact.Check(topo)
			return err == nil && r.Visible > (i+1)*1000
		})
		l.timed.lost(&gearcore.Batch{}, errors.New("a test"))
	}
	r := checked(t, topo)
	v := l.Timing()
	await(t, "it runs, and the clock is at its end", func() bool { v = l.Timing(); return v.WatermarkMs == 1<<63-1 && v.State == "running" })
	if r.Epochs < 3 || v.Generation < 3 || len(v.Checkpoints) == 0 || len(v.Clocks) != 3 || v.GetIntervalMs() != 100 || v.GetStore() != "memory" {
		t.Errorf("%d epochs; %v", r.Epochs, v)
	}
	row := firstCommitted(v)
	if row == nil || len(row.Parts) != 3 || row.Parts[0].Component != "counter" || !strings.HasSuffix(row.Parts[0].Notes[0], " keys") || !strings.HasPrefix(row.Parts[2].Notes[0], "offset ") || !row.Parts[2].Source {
		t.Errorf("row %v", row)
	}
}

// TestMetricsOfATimedTopology scrapes one.
func TestMetricsOfATimedTopology(t *testing.T) {
	l := localExact(t, exact.Topology{Dir: t.TempDir(), Records: 1000, Rate: 500, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 100}})
	for _, want := range []string{`gearstorm_watermark_seconds{topology="exact",component="sink"} 0.`, `gearstorm_stuck_tasks{topology="exact",component="counter"} 0`,
		`gearstorm_checkpoints_total{topology="exact",outcome="committed"} 2`, `gearstorm_rollbacks_total{topology="exact"} 0`, `gearstorm_checkpoint_bytes{topology="exact"} `} {
		await(t, want, func() bool {
			var b strings.Builder
			return l.host.expose(&b, time.Now()) == nil && strings.Contains(b.String(), want)
		})
	}
}

func firstCommitted(v *stormrpc.TopologyTiming) *stormrpc.CheckpointSummary {
	for _, row := range v.Checkpoints {
		if row.TookMs != nil && row.Failed == nil {
			return row
		}
	}
	return nil
}

// TestLocalTopologyFromASavepoint ends one topology and begins another one where that was.
func TestLocalTopologyFromASavepoint(t *testing.T) {
	store := "file://" + filepath.Join(t.TempDir(), "store")
	topo := exact.Topology{Dir: t.TempDir(), Records: 5000, Rate: 4000, Conf: map[string]any{"gearstorm.checkpoint.interval.ms": 100, "gearstorm.checkpoint.store": store}}
	var made *stormrpc.SavepointAnswer
	t.Run("before", func(t *testing.T) {
		l := localExact(t, topo)
		await(t, "records are visible", func() bool {
			r, err := exact.Check(topo)
			return err == nil && r.Visible > 1000
		})
		l.timed.ask([]*stormrpc.SavepointRequest{{ID: 1, Name: "half"}, {ID: 2, Name: "not/a name"}})
		answer := func(id int64) *stormrpc.SavepointAnswer {
			var a *stormrpc.SavepointAnswer
			await(t, "the answer", func() bool {
				for _, x := range l.Timing().GetAnswers() {
					if x.ID == id {
						a = x
					}
				}
				return a != nil
			})
			return a
		}
		if made = answer(1); made.Error != nil || made.Savepoint.Epoch == 0 || made.Savepoint.Bytes == 0 {
			t.Fatalf("answer %v", made)
		}
		if bad := answer(2); !strings.Contains(bad.GetError(), "its name may have") {
			t.Errorf("answer %v", bad)
		}
		await(t, "it is in the list", func() bool { return len(l.Timing().Savepoints) == 1 })
	})
	after := topo
	after.Dir = t.TempDir()
	after.Conf = map[string]any{"gearstorm.checkpoint.from": "half"}
	for k, v := range topo.Conf {
		after.Conf[k] = v
	}
	began := time.Now()
	l := localExact(t, after)
	await(t, "everything is emitted", func() bool { return l.Timing().GetWatermarkMs() == 1<<63-1 })
	// What the first one had made visible by then is in its files only.
	await(t, "the rest is visible", func() bool {
		r, err := exact.Check(after)
		return err == nil && r.Visible > 0 && r.Visible < topo.Records
	})
	t.Logf("after %v", time.Since(began))
	l.timed.ask([]*stormrpc.SavepointRequest{{ID: 3, Name: "half", Remove: true}})
	await(t, "the savepoint is gone", func() bool { return len(l.Timing().Savepoints) == 0 && len(l.Timing().Answers) == 1 })
}

// TestLocalTopologyWithEventTimeAlone has clocks and makes no checkpoints.
func TestLocalTopologyWithEventTimeAlone(t *testing.T) {
	if v := localExact(t, exact.Topology{Dir: t.TempDir(), Records: 10}).Timing(); v != nil {
		t.Errorf("a topology without a clock says %v", v)
	}
	l := localExact(t, exact.Topology{Dir: t.TempDir(), Records: 1000, Conf: map[string]any{"gearstorm.event.time": true}})
	var v *stormrpc.TopologyTiming
	await(t, "the clock is at its end", func() bool { v = l.Timing(); return v.WatermarkMs == 1<<63-1 })
	if v.State != "running" || v.IntervalMs != nil || v.Store != nil || len(v.Clocks) != 3 || v.Checkpoints != nil {
		t.Errorf("%v", v)
	}
}

// TestSpoutWithoutAPositionIsRefused: a Go spout that has no Freeze and Restore.
func TestSpoutWithoutAPositionIsRefused(t *testing.T) {
	r := newRelay(t, 1, nil)
	c := conf.Merge(r.topo.Conf, conf.Conf{"gearstorm.checkpoint.interval.ms": 1000})
	_, err := NewLocal(LocalConfig{Name: "relay", Topology: r.topo.Thrift, Conf: c, Registry: r.topo.Components, CodeDir: t.TempDir(), PidDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "Component: [words]: its spout has no Freeze and Restore") {
		t.Errorf("error %v", err)
	}
}
