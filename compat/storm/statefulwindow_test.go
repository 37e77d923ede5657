package storm_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// told writes down windows, and counts them in its state.
type told struct {
	log   *[]string
	fails func(windows int64) error // nil: never
	state storm.KeyValueState[string, int64]
	calls []string
}

func (b *told) Prepare(*storm.Context, *storm.Collector) error { return nil }

func (b *told) InitState(s storm.KeyValueState[string, int64]) error {
	b.state = s
	return nil
}

func (b *told) Execute(w storm.Window, out storm.WindowEmitter) error {
	n, _ := b.state.Get("windows")
	b.state.Put("windows", n+1)
	var all []int64
	for t := range w.All() {
		if t.Component() != "in" || t.Stream() != "default" || t.SourceTask() != 7 || !slices.Equal(t.Fields(), []string{"n", "ts"}) {
			return fmt.Errorf("a tuple of %s, stream %s, task %d, fields %v", t.Component(), t.Stream(), t.SourceTask(), t.Fields())
		}
		all = append(all, t.Int(0))
	}
	*b.log = append(*b.log, fmt.Sprintf("%d: %v new %v gone %v", n, all, firsts(w.New), firsts(w.Expired)))
	out.Emit(n)
	if b.fails != nil {
		return b.fails(n)
	}
	return nil
}

func (b *told) PrePrepare(int64) { b.calls = append(b.calls, "prepare") }
func (b *told) PreCommit(int64)  { b.calls = append(b.calls, "commit") }
func (b *told) PreRollback()     { b.calls = append(b.calls, "rollback") }

func firsts(tuples []storm.Tuple) (out []int64) {
	for _, t := range tuples {
		out = append(out, t.Int(0))
	}
	return out
}

// windowing is a task with windows that is driven by hand.
type windowing struct {
	t     *testing.T
	task  checkpointedTask
	ctx   *gearcore.Context
	r     *recorder
	c     *gearcore.Collector
	store checkpoint.Memory
	bolt  *told
	log   []string

	epoch uint64 // of the last checkpoint
	part  gearcore.Part
}

func newWindowing(t *testing.T, shape func(*storm.WindowedSpec) *storm.WindowedSpec, own map[string]any) *windowing {
	t.Helper()
	w := &windowing{t: t, r: &recorder{}}
	w.bolt = &told{log: &w.log}
	spec := shape(storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int64] { return w.bolt }))
	made, ctx := taskOf(t, spec, own)
	ctx.Tasks = []gearcore.TaskID{1}
	w.task, w.ctx, w.c = made.(checkpointedTask), ctx, gearcore.NewCollector(w.r)
	if err := w.task.Open(ctx, w.c); err != nil {
		t.Fatal(err)
	}
	return w
}

// add has the task take number n, of time ts.
func (w *windowing) add(n, ts int64) {
	w.t.Helper()
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	if err := w.task.Execute(gearcore.NewTuple(w.ctx.Layout, 0, 7, gearcore.Long(n), gearcore.Long(ts)), w.c); err != nil {
		w.t.Error(err)
	}
}

// checkpoint makes one that counts.
func (w *windowing) checkpoint() {
	w.t.Helper()
	w.epoch++
	f, err := w.task.Freeze(w.epoch)
	if err == nil {
		w.part, err = f.Save(context.Background(), checkpoint.NewVault(&w.store, "t", w.epoch))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.task.Commit(w.epoch)
}

// restore makes the task what it was at the last checkpoint.
func (w *windowing) restore() {
	w.t.Helper()
	r := &gearcore.Recovery{Epoch: w.epoch, Tasks: 1, Last: gearcore.KeyGroups - 1, Vault: checkpoint.NewVault(&w.store, "t", w.epoch)}
	if w.epoch > 0 {
		r.Parts = []gearcore.TaskPart{{Part: w.part}}
	}
	if err := w.task.Restore(r); err != nil {
		w.t.Fatal(err)
	}
}

var inCheckpoints = map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000)}

// Windows of a task that goes back to checkpoints again and again are those of one that never does.
func TestWindowsGoBackToCheckpoints(t *testing.T) {
	timed := func(s *storm.WindowedSpec) *storm.WindowedSpec {
		return s.TimestampField("ts").Lag(30 * time.Millisecond).WatermarkInterval(100 * time.Millisecond)
	}
	d := func(ms int) storm.Extent { return storm.Duration(time.Duration(ms) * time.Millisecond) }
	type shape = func(*storm.WindowedSpec) *storm.WindowedSpec
	for name, tc := range map[string]struct {
		shape  shape
		jitter bool
	}{
		"tumbling count":       {func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.Tumbling(storm.Count(7)) }, true},
		"sliding count":        {func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.Window(storm.Count(150), storm.Count(4)) }, true},
		"count with gaps":      {func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.Window(storm.Count(3), storm.Count(8)) }, true},
		"count with long gaps": {func(s *storm.WindowedSpec) *storm.WindowedSpec { return s.Window(storm.Count(30), storm.Count(130)) }, true},
		"tumbling time":        {func(s *storm.WindowedSpec) *storm.WindowedSpec { return timed(s.Tumbling(d(100))) }, true},
		"sliding time":         {func(s *storm.WindowedSpec) *storm.WindowedSpec { return timed(s.Window(d(250), d(40))) }, true},
		"count every time":     {func(s *storm.WindowedSpec) *storm.WindowedSpec { return timed(s.Window(storm.Count(12), d(50))) }, false},
		"time every count":     {func(s *storm.WindowedSpec) *storm.WindowedSpec { return timed(s.Window(d(90), storm.Count(5))) }, false},
		"count of event times": {func(s *storm.WindowedSpec) *storm.WindowedSpec {
			return timed(s.Window(storm.Count(9), storm.Count(4)))
		}, false},
	} {
		for _, persistent := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", persistent), func(t *testing.T) {
				shape := tc.shape
				if persistent {
					shape = func(s *storm.WindowedSpec) *storm.WindowedSpec { return tc.shape(s).Persistent() }
				}
				synctest.Test(t, func(t *testing.T) {
					want := playWindows(t, shape, tc.jitter, nil)
					if len(want) < 6 {
						t.Fatalf("%d windows", len(want))
					}
					for seed := range uint64(5) {
						got := playWindows(t, shape, tc.jitter, rand.New(rand.NewPCG(seed, 1)))
						for i := range max(len(want), len(got)) {
							if i >= len(want) || i >= len(got) || got[i] != want[i] {
								t.Fatalf("seed %d: after %d windows %s\nwant %s", seed, i, got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
							}
						}
					}
				})
			})
		}
	}
}

// playWindows has a task take 800 numbers, with checkpoints and rollbacks if there is a rnd, and returns its windows.
func playWindows(t *testing.T, shape func(*storm.WindowedSpec) *storm.WindowedSpec, jitter bool, rnd *rand.Rand) []string {
	w := newWindowing(t, shape, inCheckpoints)
	w.restore()
	from, windows := int64(0), 0 // of the last checkpoint
	for n := int64(0); n < 800; n++ {
		ts := 1000 + 5*n
		if jitter && n%3 == 0 {
			ts -= 25
		}
		w.add(n, ts)
		if n%7 == 6 {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if rnd == nil {
			continue
		}
		switch {
		case rnd.IntN(11) == 0:
			w.checkpoint()
			from, windows = n+1, len(w.log)
		case rnd.IntN(40) == 0:
			w.restore()
			n, w.log = from-1, w.log[:windows]
		}
	}
	w.task.Close()
	synctest.Wait()
	return w.log
}

// In a topology with checkpoints a tuple is acked when it comes, nothing is anchored, and a window that fails has all begin again.
func TestWindowsInCheckpointsAckAtOnce(t *testing.T) {
	for _, err := range []error{nil, errors.New("broken"), storm.ErrFailed} {
		w := newWindowing(t, func(s *storm.WindowedSpec) *storm.WindowedSpec {
			return s.Window(storm.Count(3), storm.Count(1)) // and no longer than nothing: there is no timeout to meet
		}, map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000), "topology.max.spout.pending": int64(1)})
		w.bolt.fails = func(int64) error { return err }
		w.restore()
		w.add(0, 0)
		w.add(1, 0)
		w.task.Close()
		if w.r.acked != 2 || w.r.failed != 0 || w.r.anchors != 0 || len(w.r.emitted) != 2 {
			t.Errorf("%d acked, %d failed, %d emitted with %d anchors, want 2, 0, 2 and 0", w.r.acked, w.r.failed, len(w.r.emitted), w.r.anchors)
		}
		lost, reported := 0, 0
		if err != nil {
			lost = 2
		}
		if err != nil && !errors.Is(err, storm.ErrFailed) {
			reported = 2
		}
		if len(w.r.lost) != lost || len(w.r.errs) != reported {
			t.Errorf("%v: lost %v, reported %v", err, w.r.lost, w.r.errs)
		}
	}
}

// Windows without a state are in checkpoints as well.
func TestWindowsWithoutStateInCheckpoints(t *testing.T) {
	var sizes []int
	made, ctx := taskOf(t, storm.WindowedBy(func(w storm.Window, _ storm.WindowEmitter) error {
		sizes = append(sizes, len(w.Tuples), len(w.New), len(w.Expired))
		return nil
	}).Window(storm.Count(4), storm.Count(2)), inCheckpoints)
	w := &windowing{t: t, task: made.(checkpointedTask), ctx: ctx, r: &recorder{}}
	w.c = gearcore.NewCollector(w.r)
	if err := w.task.Open(ctx, w.c); err != nil {
		t.Fatal(err)
	}
	w.restore()
	for n := range int64(5) {
		w.add(n, 0)
	}
	w.checkpoint()
	w.add(5, 0)
	w.restore()
	w.add(6, 0)
	w.add(7, 0)
	if want := []int{2, 2, 0, 4, 2, 0, 4, 2, 2, 4, 2, 2}; !slices.Equal(sizes, want) {
		t.Errorf("windows of %v (all, new, expired), want %v", sizes, want)
	}
	handles, err := made.(gearcore.Inspected).Inspect(gearcore.StateQuery{})
	if len(handles) != 2 || err != nil {
		t.Errorf("it keeps %v, %v", handles, err)
	}
	w.task.Close()
}

// A stream that only an earlier version of the topology listened to does not hold back windows.
func TestWindowsForgetStreamsOfEarlierVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		made, ctx := taskOf(t, storm.WindowedBy(func(w storm.Window, _ storm.WindowEmitter) error {
			sizes = append(sizes, len(w.Tuples))
			return nil
		}).Tumbling(storm.Duration(100*time.Millisecond)).TimestampField("ts"), inCheckpoints)
		gone := gearcore.StreamID(len(ctx.Layout.Streams))
		ctx.Layout.Streams = append(ctx.Layout.Streams, gearcore.Stream{Component: "gone", Name: "default", Fields: []string{"n", "ts"}})
		w := &windowing{t: t, task: made.(checkpointedTask), ctx: ctx, r: &recorder{}}
		w.c = gearcore.NewCollector(w.r)
		if err := w.task.Open(ctx, w.c); err != nil {
			t.Fatal(err)
		}
		w.restore()
		w.add(0, 1000)
		if err := w.task.Execute(gearcore.NewTuple(ctx.Layout, gone, 7, gearcore.Long(1), gearcore.Long(1000)), w.c); err != nil {
			t.Fatal(err)
		}
		w.checkpoint()
		w.restore()
		w.add(2, 1050)
		w.add(3, 5000)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.task.Close()
		if want := []int{2, 1, 1}; !slices.Equal(sizes, want) {
			t.Errorf("windows of %v tuples, want %v", sizes, want)
		}
	})
}

// People see what is in a window by the number of the tuple.
func TestWindowsAreShown(t *testing.T) {
	w := newWindowing(t, func(s *storm.WindowedSpec) *storm.WindowedSpec {
		return s.Tumbling(storm.Count(3)).TimestampField("ts")
	}, inCheckpoints)
	defer w.task.Close()
	w.restore()
	w.add(4, 1000)
	found, err := w.task.(gearcore.Inspected).Inspect(gearcore.StateQuery{State: "window", Key: "0", HasKey: true})
	want := `{"component":"in","stream":"default","task":7,"time":1000,"fields":["n","ts"],"values":[4,1000]}`
	if err != nil || len(found) != 1 || string(found[0].JSON) != want {
		t.Errorf("got %s, %v, want %s", found, err, want)
	}
	w.add(5, 1000)
	w.r.mu.Lock()
	if err := w.task.Execute(gearcore.NewTuple(w.ctx.Layout, 0, 7, gearcore.Obj(w), gearcore.Long(1)), w.c); err != nil {
		t.Error(err)
	}
	w.r.mu.Unlock()
	f, err := w.task.Freeze(1)
	if err == nil || !strings.Contains(err.Error(), "keep a tuple of in in a window") {
		t.Errorf("a Go object was frozen: %v, %v", f, err)
	}
}

// A persistent window may be larger than the memory for it, before and after a rollback, and may be read as long as it is there only.
func TestPersistentWindowsOutgrowMemory(t *testing.T) {
	const n, length = 6000, 5000
	dir := t.TempDir()
	pad := strings.Repeat("x", 600)
	var sizes []int
	var sum int64
	var late storm.Window
	made, ctx := taskOf(t, storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int64] { return &large{&sizes, &sum, &late, pad} }).
		Window(storm.Count(length), storm.Count(1000)).Persistent(), map[string]any{"gearstorm.checkpoint.interval.ms": int64(1000),
		"gearstorm.state.dir": dir, "gearstorm.state.memory.mb": int64(1)})
	w := &windowing{t: t, task: made.(checkpointedTask), ctx: ctx, r: &recorder{}}
	w.c = gearcore.NewCollector(w.r)
	if err := w.task.Open(ctx, w.c); err != nil {
		t.Fatal(err)
	}
	w.restore()
	add := func(from, to int64) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := w.task.Execute(gearcore.NewTuple(ctx.Layout, 0, 7, gearcore.Long(i), gearcore.Str(pad)), w.c); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, n-500)
	w.checkpoint()
	add(n-500, n) // the last window
	w.restore()
	add(n-500, n)
	last := int64(length) * (n - length + n - 1) / 2
	if want := []int{1000, 2000, 3000, 4000, 5000, 5000, 5000}; !slices.Equal(sizes, want) || sum != last || len(w.r.errs) > 0 {
		t.Errorf("windows of %v tuples, want %v; the last adds up to %d, want %d; errors %v", sizes, want, sum, last, w.r.errs)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		t.Errorf("nothing is on disk: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a window was read after Execute had returned")
			}
		}()
		for range late.All() {
		}
	}()
	w.task.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v is left on disk, %v", entries, err)
	}
}

// large adds up the numbers of windows.
type large struct {
	sizes *[]int
	sum   *int64
	last  *storm.Window
	pad   string
}

func (b *large) Prepare(*storm.Context, *storm.Collector) error     { return nil }
func (b *large) InitState(storm.KeyValueState[string, int64]) error { return nil }

func (b *large) Execute(w storm.Window, _ storm.WindowEmitter) error {
	n := 0
	*b.sum = 0
	for t := range w.All() {
		if t.String(1) != b.pad {
			return errors.New("a tuple has changed")
		}
		n++
		*b.sum += t.Int(0)
	}
	*b.sizes, *b.last = append(*b.sizes, n), w
	if len(w.Tuples)+len(w.New)+len(w.Expired) > 0 {
		return errors.New("the window holds tuples")
	}
	return nil
}

// settled is a recorder that knows which numbers were acked and failed.
type settled struct {
	recorder
	acked, failed []int64
	anchors       int // of windows
}

func (s *settled) Emit(e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if len(vals) == 1 { // two are those of a checkpoint
		s.anchors += len(e.Anchors)
	}
	return nil, nil
}

func (s *settled) Ack(t gearcore.Tuple) {
	if t.Component() == "in" {
		s.acked = append(s.acked, t.Int(0))
	}
}

func (s *settled) Fail(t gearcore.Tuple) { s.failed = append(s.failed, t.Int(0)) }

// Without checkpoints of the engine windows and acks follow Storm's transactions.
func TestWindowsInTransactions(t *testing.T) {
	for name, tc := range map[string]struct {
		persistent bool
		committed  []int64 // acked by the first transaction
		failed     []int64 // by the rollback
		anchors    int     // of what is emitted
		last       string  // window
		acked      int     // in the end
	}{
		"persistent":        {true, []int64{0, 1, 2, 3}, []int64{4, 5}, 0, "1: [3 4 5] new [] gone []", 6},
		"until they expire": {false, nil, []int64{0, 1, 2, 3, 4, 5}, 12, "2: [3 4 5] new [3 4 5] gone [0 1 2]", 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := &windowing{t: t}
			w.bolt = &told{log: &w.log}
			spec := storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int64] { return w.bolt }).Tumbling(storm.Count(3))
			if tc.persistent {
				spec.Persistent()
			}
			task, ctx := taskOf(t, spec, nil)
			step := gearcore.StreamID(len(ctx.Layout.Streams))
			ctx.Layout.Streams = append(ctx.Layout.Streams, gearcore.Stream{Component: "$checkpointspout", Name: "$checkpoint", Fields: []string{"txid", "action"}})
			s := &settled{}
			c := gearcore.NewCollector(s)
			if err := task.Open(ctx, c); err != nil {
				t.Fatal(err)
			}
			defer task.Close()
			take := func(tu gearcore.Tuple) {
				t.Helper()
				if err := task.Execute(tu, c); err != nil {
					t.Error(err)
				}
			}
			add := func(numbers ...int64) {
				for _, n := range numbers {
					take(gearcore.NewTuple(ctx.Layout, 0, 7, gearcore.Long(n), gearcore.Long(0)))
				}
			}
			tx := func(id int64, actions ...string) {
				for _, a := range actions {
					take(gearcore.NewTuple(ctx.Layout, step, 1, gearcore.Long(id), gearcore.Str(a)))
				}
			}
			add(0) // waits for the state
			tx(-1, "INITSTATE")
			add(1, 2, 3)
			tx(0, "PREPARE", "COMMIT")
			if diff := cmp.Diff(tc.committed, s.acked); diff != "" {
				t.Errorf("acked: want -, got +\n%s", diff)
			}
			add(4, 5)
			tx(1, "PREPARE", "ROLLBACK", "INITSTATE")
			slices.Sort(s.failed)
			if diff := cmp.Diff(tc.failed, s.failed); diff != "" {
				t.Errorf("failed: want -, got +\n%s", diff)
			}
			add(s.failed...)
			tx(1, "PREPARE", "COMMIT")
			if last := w.log[len(w.log)-1]; last != tc.last || len(s.acked) != tc.acked || s.anchors != tc.anchors {
				t.Errorf("the last window is %q, want %q; %d acked, want %d; %d anchors, want %d", last, tc.last, len(s.acked), tc.acked, s.anchors, tc.anchors)
			}
			if got := strings.Join(w.bolt.calls, " "); got != "prepare commit prepare rollback prepare commit" {
				t.Errorf("the bolt was told %s", got)
			}
		})
	}
}

// What a persistent window has is acked by the next transaction, which has to come in time.
func TestTransactionsThatComeTooLate(t *testing.T) {
	for persistent, want := range map[bool]string{
		true:  "topology.state.checkpoint.interval.ms value 40000 is more than topology.message.timeout.secs value 30000",
		false: "value 60000 is more than topology.message.timeout.secs value 30000",
	} {
		spec := storm.StatefulWindowed(func() storm.StatefulWindowedBolt[string, int64] { return &told{log: new([]string)} }).Tumbling(storm.Duration(30 * time.Second))
		if persistent {
			spec.Persistent()
		}
		task, ctx := taskOf(t, spec, map[string]any{"topology.state.checkpoint.interval.ms": int64(40_000)})
		if err := task.Open(ctx, gearcore.NewCollector(&recorder{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		task.Close()
	}
}
