package storm_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

func noWindow(storm.Window, storm.WindowEmitter) error { return nil }

// taskOf makes the task of a windowed bolt and its conf, as a topology does.
func taskOf(t *testing.T, spec storm.BoltSpec, own map[string]any) (gearcore.Task, *gearcore.Context) {
	t.Helper()
	b := storm.NewTopologyBuilder()
	b.SetSpout("in", storm.SpoutFunc(idle), 1).Fields("n", "ts")
	b.SetBolt("w", spec, 1).GlobalGrouping("in")
	for k, v := range own {
		b.AddConfig(k, v)
	}
	top, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	task, err := top.Components.Task("w")
	if err != nil {
		t.Fatal(err)
	}
	c, err := conf.ParseJSON([]byte(*top.Thrift.Bolts["w"].Common.JSONConf))
	if err != nil {
		t.Fatal(err)
	}
	layout := &gearcore.Layout{Streams: []gearcore.Stream{{Component: "in", Name: "default", Fields: []string{"n", "ts"}}}}
	for name, s := range top.Thrift.Bolts["w"].Common.Streams {
		layout.Streams = append(layout.Streams, gearcore.Stream{Component: "w", Name: name, Fields: s.OutputFields})
	}
	return task, &gearcore.Context{Component: "w", Layout: layout, Conf: conf.Merge(conf.Conf{"topology.message.timeout.secs": int64(30)}, c, own)}
}

func TestWindowsThatCannotWorkAreRefused(t *testing.T) {
	late := func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.LateStream("late") }
	w := func() *storm.WindowedSpec { return storm.WindowedBy(noWindow) }
	for name, tc := range map[string]struct {
		spec *storm.WindowedSpec
		conf map[string]any
		want string
	}{
		"no length":           {w(), nil, "window length is not specified"},
		"longer than timeout": {w().Window(storm.Duration(20*time.Second), storm.Duration(11*time.Second)), nil, "value 31000 is more than topology.message.timeout.secs value 30000"},
		"more than pending":   {w().Window(storm.Count(7), storm.Count(4)), map[string]any{"topology.max.spout.pending": int64(10)}, "value 11 is more than topology.max.spout.pending value 10"},
		"late without time":   {late(w().Tumbling(storm.Count(2))), nil, "only when specifying a timestamp field"},
		"negative":            {w().Tumbling(storm.Count(-2)), nil, "want 1 to"},
		"two lengths": {w().Tumbling(storm.Count(2)), map[string]any{"topology.bolts.window.length.duration.ms": int64(5)},
			"both topology.bolts.window.length.count and topology.bolts.window.length.duration.ms are set"},
		"late stream that is none": {w().TimestampField("ts").Tumbling(storm.Count(2)), map[string]any{"topology.bolts.late.tuple.stream": "x"}, "has no stream x"},
	} {
		t.Run(name, func(t *testing.T) {
			task, ctx := taskOf(t, tc.spec, tc.conf)
			if err := task.Open(ctx, gearcore.NewCollector(&recorder{})); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	task, ctx := taskOf(t, w().Window(storm.Duration(20*time.Second), storm.Duration(11*time.Second)), map[string]any{"topology.enable.message.timeouts": false})
	defer task.Close()
	if err := task.Open(ctx, gearcore.NewCollector(&recorder{})); err != nil {
		t.Errorf("without timeouts: %v", err)
	}
}

// recorder is a gearcore.Sink that keeps what it is told. Its Async runs at once, when nobody holds mu.
type recorder struct {
	mu            sync.Mutex
	emitted       [][]gearcore.Value
	anchors       int
	acked, failed int
	errs, lost    []error
}

func (r *recorder) Output(string) int { return 0 }
func (r *recorder) Emit(e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	r.emitted, r.anchors = append(r.emitted, append([]gearcore.Value(nil), vals...)), r.anchors+len(e.Anchors)
	return nil, nil
}
func (r *recorder) Ack(gearcore.Tuple)          { r.acked++ }
func (r *recorder) Fail(gearcore.Tuple)         { r.failed++ }
func (r *recorder) ResetTimeout(gearcore.Tuple) {}
func (r *recorder) Pause()                      {}
func (r *recorder) Resume()                     {}
func (r *recorder) ReportError(err error)       { r.errs = append(r.errs, err) }
func (r *recorder) Lost(err error)              { r.lost = append(r.lost, err) }
func (r *recorder) Async() *gearcore.Async      { return gearcore.NewAsync(r) }
func (r *recorder) Post(_ int, f func(*gearcore.Collector)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(gearcore.NewCollector(r))
	return nil
}

// A window by the clock comes once an interval; the first one has all that there is, whatever its length.
func TestWindowsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		task, ctx := taskOf(t, storm.WindowedBy(func(w storm.Window, _ storm.WindowEmitter) error {
			sizes = append(sizes, len(w.Tuples), len(w.New), len(w.Expired))
			return nil
		}).Window(storm.Duration(2*time.Second), storm.Duration(time.Second)), nil)
		r := &recorder{}
		if err := task.Open(ctx, gearcore.NewCollector(r)); err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			time.Sleep(300 * time.Millisecond)
			r.mu.Lock()
			if err := task.Execute(gearcore.NewTuple(ctx.Layout, 0, 1, gearcore.Long(int64(n)), gearcore.Long(0)), gearcore.NewCollector(r)); err != nil {
				t.Error(err)
			}
			r.mu.Unlock()
			synctest.Wait()
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		task.Close()
		if want := []int{3, 3, 0, 5, 2, 0, 2, 0, 3}; !slices.Equal(sizes, want) || r.acked != 5 {
			t.Errorf("windows of %v (all, new, expired), want %v; %d acked, want 5", sizes, want, r.acked)
		}
	})
}

func TestAFailedWindowFailsItsTuples(t *testing.T) {
	broken := errors.New("broken")
	for _, err := range []error{broken, storm.ErrFailed} {
		task, ctx := taskOf(t, storm.WindowedBy(func(w storm.Window, out storm.WindowEmitter) error {
			out.Emit(len(w.Tuples))
			return err
		}).Tumbling(storm.Count(3)), nil)
		r := &recorder{}
		c := gearcore.NewCollector(r)
		if err := task.Open(ctx, c); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			if err := task.Execute(gearcore.NewTuple(ctx.Layout, 0, 1, gearcore.Long(int64(n)), gearcore.Long(0)), c); err != nil {
				t.Error(err)
			}
		}
		task.Close()
		if r.failed != 3 || r.acked != 0 || r.anchors != 3 {
			t.Errorf("%d failed, %d acked, %d anchors, want 3, 0 and 3", r.failed, r.acked, r.anchors)
		}
		if told := len(r.errs) == 1; told != (err == broken) {
			t.Errorf("%v: reported %v", err, r.errs)
		}
	}
}
