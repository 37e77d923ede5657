package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

func plain(cfg *Config) { cfg.Timing = &Timing{} }

// The clock of a task is the lowest of its senders', and what is behind it gets what it lets through.
func TestWatermarks(t *testing.T) {
	a, b := &script{values: []int64{1, 2}, mark: 100}, &script{mark: 50}
	sum, end := &adder{}, &adder{}
	s := drive(t, pairOf(a, b, sum, end), plain)
	s.settle(time.Second)
	want := func(what string, sumMarks, endMarks []gearcore.Watermark) {
		t.Helper()
		s.settle(time.Second)
		if !slices.Equal(sum.marks, sumMarks) || !slices.Equal(end.marks, endMarks) {
			t.Fatalf("%s: the clocks went %v and %v, want %v and %v", what, sum.marks, end.marks, sumMarks, endMarks)
		}
	}
	want("both have told", []gearcore.Watermark{50}, []gearcore.Watermark{50})
	b.mark = 70
	want("the lower one goes on", []gearcore.Watermark{50, 70}, []gearcore.Watermark{50, 70})
	b.mark = 60
	want("none goes back", []gearcore.Watermark{50, 70}, []gearcore.Watermark{50, 70})
	b.mark = gearcore.Idle
	want("an idle one is left out", []gearcore.Watermark{50, 70, 100}, []gearcore.Watermark{50, 70, 100})
	b.mark = 80
	want("one that comes back later does not set it back", []gearcore.Watermark{50, 70, 100}, []gearcore.Watermark{50, 70, 100})
	a.mark, b.mark = gearcore.Idle, gearcore.Idle
	want("all idle", []gearcore.Watermark{50, 70, 100, gearcore.Idle}, []gearcore.Watermark{50, 70, 100, gearcore.Idle})
	a.mark = 90
	want("it goes on from where it was", []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100}, []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100})
	sum.hold = 110
	a.mark = 200
	want("held back", []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 200}, []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 110})
	sum.hold = 0
	a.mark = gearcore.End
	want("one has ended, one is idle", []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 200, gearcore.Idle},
		[]gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 110, gearcore.Idle})
	b.mark = gearcore.End
	want("the end", []gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 200, gearcore.Idle, gearcore.End},
		[]gearcore.Watermark{50, 70, 100, gearcore.Idle, 100, 110, gearcore.Idle, gearcore.End})
	if !slices.Equal(sum.seen, []int64{1, 2}) {
		t.Errorf("records %v, want 1 and 2", sum.seen)
	}
	r := s.Report()
	if len(r.Clocks) != 4 || r.Clocks[2].Component != "c" || r.Clocks[2].Min != gearcore.End || r.Clocks[3].Out != gearcore.End || r.Clocks[0].Task == 0 {
		t.Errorf("the report says %+v", r.Clocks)
	}
}

// A task that does not look at the time lets it through; sources that do not know it are idle.
func TestWatermarksPassPlainTasks(t *testing.T) {
	top := newTopology(0)
	a, end := &script{mark: 7}, &adder{}
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return a })
	top.add("b", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("c", dag.Bolt, 3, 3, executes(passOn), from("a", dag.Fields, "a"), from("b", dag.Shuffle))
	top.add("d", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("c", dag.Shuffle))
	s := drive(t, top, plain)
	s.settle(time.Second)
	if !slices.Equal(end.marks, []gearcore.Watermark{7}) {
		t.Errorf("the clock went %v, want 7", end.marks)
	}
}

// A watermark never overtakes a record, and batches without rows are rare.
func TestWatermarksGoBehindRecords(t *testing.T) {
	var values []int64
	for i := range int64(1000) {
		values = append(values, i+1)
	}
	src := &script{values: values}
	now, late := gearcore.Watermark(0), 0
	end := &adder{onAdvance: func(w gearcore.Watermark, _ *gearcore.Collector) { now = w }}
	end.execute = func(v int64) error {
		if gearcore.Watermark(v) <= now {
			late++
		}
		return nil
	}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &marked{script: src} })
	top.add("mid", dag.Bolt, 2, 2, func(dag.Task) any { return &adder{} }, from("src", dag.Shuffle))
	top.add("end", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("mid", dag.Shuffle))
	s := drive(t, top, plain)
	for range 20_000 {
		switch {
		case s.Ready() > 0:
			s.Step(int(s.clock.now/7)%s.Ready(), 1+int(s.clock.now%5))
			s.clock.now += 13 * time.Microsecond
		default:
			at, _ := s.NextTimer()
			s.clock.now = max(s.clock.now, at)
			s.Fire()
		}
	}
	if late > 0 || len(end.seen) != 1000 || now != 1000 {
		t.Errorf("%d records were late, %d came, the clock is %d", late, len(end.seen), now)
	}
}

// marked is a script whose watermark is the last value it emitted.
type marked struct{ *script }

func (m *marked) Watermark() gearcore.Watermark { return gearcore.Watermark(m.at) }

// A checkpoint is cut at the sources and aligned where they meet.
func TestCheckpoint(t *testing.T) {
	a, b := &script{values: []int64{1, 2, 3}, mark: 100}, &script{values: []int64{10}, mark: 50}
	sum, end := &adder{}, &adder{}
	top := pairOf(a, b, sum, end)
	s := drive(t, top, nil)
	s.settle(time.Second)
	if a.at+b.at > 0 || s.Report().Restored {
		t.Fatal("it began without an order")
	}
	s.begin(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	if sum.sum != 16 || end.sum != 16 || sum.restored != 1 {
		t.Fatalf("sums %d and %d, restored %d times", sum.sum, end.sum, sum.restored)
	}
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1})
	s.settle(0)
	got := s.saved(1)
	if len(got) != 4 {
		t.Fatalf("parts %v, want 4", got)
	}
	for id, p := range got {
		want := map[string]int64{"a": 3, "b": 1, "c": 16, "d": 16}[top.plan(t).Layout.Components[id]]
		mark := map[string]gearcore.Watermark{"a": 100, "b": 50, "c": 50, "d": 50}[top.plan(t).Layout.Components[id]]
		if n := restoredNumber(&gearcore.Recovery{Parts: []gearcore.TaskPart{p}}); int64(n) != want || p.Watermark != mark {
			t.Errorf("task %d saved %d at %d, want %d at %d", id, n, p.Watermark, want, mark)
		}
	}
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1, Committed: 1})
	s.Obey(checkpoint.Order{Generation: 1, Go: true, Cut: 1, Committed: 1})
	s.settle(0)
	if !slices.Equal(sum.commits, []uint64{1}) || !slices.Equal(end.commits, []uint64{1}) {
		t.Errorf("commits %v and %v, want 1", sum.commits, end.commits)
	}
	s.keep(top.plan(t), 1)
	a.values, b.values = append(a.values, 4), append(b.values, 20)
	s.settle(time.Second)
	if sum.sum != 40 {
		t.Fatalf("sum %d, want 40", sum.sum)
	}
	a.values[3] = 5
	s.begin(checkpoint.Order{Generation: 2, Restore: 1, Committed: 1})
	s.settle(time.Second)
	if sum.sum != 41 || end.sum != 41 || !slices.Equal(sum.commits, []uint64{1}) {
		t.Errorf("after the rollback the sums are %d and %d, commits %v, want 41", sum.sum, end.sum, sum.commits)
	}
}

// What a Timing cannot be is refused.
func TestTimingIsChecked(t *testing.T) {
	src := func(dag.Task) any { return &script{} }
	vault := newMemVault()
	parts := func(uint64, string) ([]gearcore.TaskPart, error) { return nil, nil }
	for _, c := range []struct {
		name, want string
		top        func(top *topology)
		timing     Timing
	}{
		{"two tasks in an executor", "every task has one", func(top *topology) { top.add("src", dag.Spout, 2, 1, src) }, Timing{}},
		{"no vault", "Vault", func(top *topology) { top.add("src", dag.Spout, 1, 1, src) }, Timing{Checkpoints: true}},
		{"a negative limit", "negative", func(top *topology) { top.add("src", dag.Spout, 1, 1, src) }, Timing{AlignLimit: -1}},
		{"a source that cannot go back", "gearcore.Checkpointed", func(top *topology) {
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
		}, Timing{Checkpoints: true, Vault: vault, Parts: parts}},
		{"a cycle", "x, y", func(top *topology) {
			top.add("src", dag.Spout, 1, 1, src)
			top.add("x", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle), from("y", dag.Shuffle))
			top.add("y", dag.Bolt, 1, 1, executes(passOn), from("x", dag.Shuffle))
		}, Timing{Checkpoints: true, Vault: vault, Parts: parts}},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := newTopology(0)
			c.top(top)
			cfg := top.config(t)
			cfg.Timing = &c.timing
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

// An order that comes before the topology is active waits until tasks are open.
func TestOrderBeforeActivation(t *testing.T) {
	a, b := &script{values: []int64{1, 2}}, &script{}
	sum, end := &adder{}, &adder{}
	s := driveLater(t, pairOf(a, b, sum, end), nil)
	s.Obey(checkpoint.Order{Generation: 1})
	s.settle(time.Second)
	if sum.restored != 0 || s.Report().Restored {
		t.Errorf("restored %d times before it was opened; the report says %v", sum.restored, s.Report().Restored)
	}
	s.Activate()
	s.settle(time.Second)
	s.begin(checkpoint.Order{Generation: 1})
	if sum.restored != 1 || len(sum.seen) != 2 {
		t.Errorf("restored %d times, saw %v", sum.restored, sum.seen)
	}
}
