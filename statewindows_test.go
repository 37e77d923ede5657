package gearstorm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// running adds up all windows in a state, and emits the sum after each.
type running struct {
	state storm.KeyValueState[string, int64]
}

func (b *running) Prepare(*storm.Context, *storm.Collector) error { return nil }

func (b *running) InitState(s storm.KeyValueState[string, int64]) error {
	b.state = s
	return nil
}

func (b *running) Execute(w storm.Window, out storm.WindowEmitter) error {
	windows, _ := b.state.Get("windows")
	sum, _ := b.state.Get("sum")
	size := 0
	for t := range w.All() {
		size++
		sum += t.Int(t.FieldIndex("n"))
	}
	b.state.Put("windows", windows+1)
	b.state.Put("sum", sum)
	out.Emit(windows+1, size, sum)
	return nil
}

// defineStateWindows has windows with a state in every way in which Storm keeps them.
func defineStateWindows(b *storm.TopologyBuilder, r *results, in storm.SpoutFactory) {
	windows := func() *storm.WindowedSpec {
		return storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int64] { return &running{} })
	}
	b.SetSpout("numbers", in, 1).Fields("n", "ts")
	for id, spec := range map[string]*storm.WindowedSpec{
		"tumbling": windows().Tumbling(storm.Count(8)),
		"sliding":  windows().Window(storm.Count(10), storm.Count(5)).Persistent(),
		"timed":    windows().Tumbling(ms(200)).TimestampField("ts").WatermarkInterval(100 * time.Millisecond).Persistent(),
	} {
		b.SetBolt(id, spec, 1).GlobalGrouping("numbers").Fields("windows", "size", "sum")
	}
	b.SetBolt("sink", r.sink(), 1).GlobalGrouping("tumbling").GlobalGrouping("sliding").GlobalGrouping("timed")
}

func timedNumbers() (rows [][]any) {
	for n := range 120 {
		rows = append(rows, []any{n, 1000 + 10*n})
	}
	return rows
}

// Windows with a state are handled, and their tuples acked, as Storm's own are.
func TestStatefulWindowsAreStorms(t *testing.T) {
	t.Parallel()
	want, r := recorded(t, "stateful-windows"), newResults()
	runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) {
		b.AddConfig("topology.state.checkpoint.interval.ms", 300)
		defineStateWindows(b, r, func() storm.Spout { return &feed{rows: timedNumbers(), r: r} })
	})
	if d := cmp.Diff(want, r.all()); d != "" {
		t.Errorf("Storm has -, we have +\n%s", d)
	}
}

// The same windows in a topology whose checkpoints are the engine's: every tuple is acked when it comes.
func TestStatefulWindowsInTheCheckpointsOfTheEngine(t *testing.T) {
	t.Parallel()
	want, r := recorded(t, "stateful-windows"), newResults()
	for i, line := range want {
		if strings.HasPrefix(line, "numbers acked") {
			want[i] = "numbers acked = 120"
		}
	}
	runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) {
		b.AddConfig("gearstorm.checkpoint.interval.ms", 100)
		defineStateWindows(b, r, func() storm.Spout { return &seekable{feed{rows: timedNumbers(), r: r}} })
	})
	if d := cmp.Diff(want, r.all()); d != "" {
		t.Errorf("Storm has -, we have +\n%s", d)
	}
}
