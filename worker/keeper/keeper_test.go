package keeper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// flaky is a store that refuses what fail says.
type flaky struct {
	checkpoint.Memory
	mu   sync.Mutex
	fail func(op, name string) error
}

func (f *flaky) on(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail == nil {
		return nil
	}
	return f.fail(op, name)
}

func (f *flaky) set(fail func(op, name string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *flaky) Put(ctx context.Context, name string, r io.Reader) error {
	if err := f.on("put", name); err != nil {
		return err
	}
	return f.Memory.Put(ctx, name, r)
}

func (f *flaky) PutIfAbsent(ctx context.Context, name string, b []byte) error {
	if err := f.on("put", name); err != nil {
		return err
	}
	return f.Memory.PutIfAbsent(ctx, name, b)
}

func (f *flaky) List(ctx context.Context, prefix string) ([]checkpoint.Object, error) {
	if err := f.on("list", prefix); err != nil {
		return nil, err
	}
	return f.Memory.List(ctx, prefix)
}

// rig is a topology of one source and one bolt in two slots, whose workers do at once what they are told.
type rig struct {
	*Keeper
	t      *testing.T
	store  *flaky
	mu     sync.Mutex
	orders map[string]checkpoint.Order // by slot
	errs   []string
	mute   map[string]bool
	broken string // why b:1 cannot go on, in every generation
	life   map[string]uint64
	stop   func()
}

var slots = []string{"a:1", "b:1"}

func graph() *dag.Graph {
	return &dag.Graph{Processors: []*dag.Processor{{Name: "src", Kind: dag.Spout, Tasks: 1, Executors: 1},
		{Name: "sum", Kind: dag.Bolt, Tasks: 1, Executors: 1, Inputs: []dag.Input{{Source: "src", Stream: "default"}}}}}
}

func plan(version int64) checkpoint.Plan {
	return checkpoint.Plan{Version: version, Tasks: []checkpoint.Task{{ID: 2, Component: "src", Source: true}, {ID: 3, Component: "sum"}}}
}

func start(t *testing.T, store *flaky, version int64, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, store: store, orders: map[string]checkpoint.Order{}, mute: map[string]bool{}, life: map[string]uint64{"a:1": 1, "b:1": 1}}
	cfg := Config{Topology: "top-1-1", Store: store, Where: "test:///", Slot: "a:1", Checkpoints: checkpoint.Config{Interval: 100 * time.Millisecond},
		Obey: func(o checkpoint.Order) { r.obey("a:1", o) },
		Send: func(slot string, note []byte) error {
			o, err := ReadOrder(note)
			r.obey(slot, o)
			return err
		},
		Trouble: func(err error) { r.mu.Lock(); r.errs = append(r.errs, err.Error()); r.mu.Unlock() },
	}
	if change != nil {
		change(&cfg)
	}
	r.Keeper = New(cfg)
	r.SetPlan(plan(version), graph(), slots)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx) })
	wg.Go(func() { r.report(ctx) })
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(r.stop)
	return r
}

func (r *rig) obey(slot string, o checkpoint.Order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.orders[slot].Generation <= o.Generation {
		r.orders[slot] = o
	}
}

// report has all workers do what they were told, and say so.
func (r *rig) report(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		for i, slot := range slots {
			r.mu.Lock()
			o, mute, life, broken := r.orders[slot], r.mute[slot], r.life[slot], r.broken
			r.mu.Unlock()
			id := gearcore.TaskID(2 + i)
			rep := checkpoint.Report{Worker: slot, Life: life, Generation: o.Generation, Tasks: []gearcore.TaskID{id}, Restored: o.Generation > 0, Epoch: o.Cut,
				Clocks: []checkpoint.Clock{{Component: plan(1).Tasks[i].Component, Min: gearcore.Watermark(100 - 10*i), Out: gearcore.Watermark(100 - 10*i), Task: id}}}
			if o.Cut > 0 {
				rep.Saved = []gearcore.TaskPart{{Task: id, Watermark: 90, Part: gearcore.Part{Inline: []byte("x"), Note: "one"}}}
			}
			if slot == "b:1" && o.Go {
				rep.Broken = broken
			}
			if !mute {
				r.Hear(rep)
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (r *rig) committed() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orders["b:1"].Committed
}

func (r *rig) generation() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.orders["b:1"].Generation
}

func (r *rig) said(part string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.errs, func(s string) bool { return strings.Contains(s, part) })
}

func (r *rig) state() string { return r.Timing().State }

func TestKeeperMakesCheckpoints(t *testing.T) {
	r := start(t, &flaky{}, 1, nil)
	await(t, "three checkpoints count", func() bool { return r.committed() >= 3 })
	v := r.Timing()
	if v.State != "running" || v.WatermarkMs != 90 || len(v.Clocks) != 2 || v.Clocks[0].Component != "src" || v.Clocks[1].WatermarkMs != 90 || v.GetStalled() != "" {
		t.Errorf("%v", v)
	}
	last := v.Checkpoints[len(v.Checkpoints)-1]
	if last.GetBytes() != 2 || last.GetWatermarkMs() != 90 || len(last.Parts) != 2 || !last.Parts[0].Source || last.Parts[1].Notes[0] != "one" {
		t.Errorf("checkpoint %v", last)
	}
}

// A worker that says nothing is waited for, and named; another process in its place means another generation.
func TestKeeperAndAWorkerThatIsLost(t *testing.T) {
	r := start(t, &flaky{}, 1, nil)
	await(t, "a checkpoint counts", func() bool { return r.committed() >= 1 })
	r.mu.Lock()
	r.mute["b:1"] = true
	r.mu.Unlock()
	await(t, "the checkpoint waits for the lost worker", func() bool {
		v := r.Timing()
		return len(v.Checkpoints) > 0 && v.Checkpoints[0].GetWaiting() == "task 3 of sum"
	})
	before := r.generation()
	r.mu.Lock()
	r.mute["b:1"], r.life["b:1"], r.orders["b:1"] = false, 2, checkpoint.Order{}
	r.mu.Unlock()
	await(t, "it goes on in another generation", func() bool { return r.generation() > before && r.state() == "running" })
	if f := r.Figures(); f.Rollbacks == 0 || f.Dropped == 0 {
		t.Errorf("figures %+v", f)
	}
}

// A task that fails again and again has the topology wait longer each time, which is told with the reason; when it is well again all goes on.
func TestKeeperAndATaskThatAlwaysFails(t *testing.T) {
	r := start(t, &flaky{}, 1, nil)
	await(t, "a checkpoint counts", func() bool { return r.committed() >= 1 })
	r.mu.Lock()
	r.broken = "task 3 of sum: it throws"
	r.mu.Unlock()
	await(t, "it is told that it waits", func() bool {
		s := r.state()
		return strings.Contains(s, "waits 400ms before it goes back, as 3 generations in a row have broken") && strings.Contains(s, "it throws") && r.Timing().GetGoingBack()
	})
	r.mu.Lock()
	r.broken = ""
	r.mu.Unlock()
	at := r.committed()
	await(t, "checkpoints count again", func() bool { return r.committed() > at && r.state() == "running" && !r.Timing().GetGoingBack() })
}

// What Nimbus goes by: whether the topology goes back, and by which version of the graph all of it is at work.
func TestWhatIsAtWork(t *testing.T) {
	born := func(done bool) checkpoint.Order {
		return checkpoint.Order{Generation: 3, Go: true, Version: 2, Birth: checkpoint.Birth{Version: 2, Epoch: 7, Done: done}}
	}
	for name, c := range map[string]struct {
		store   bool
		order   checkpoint.Order
		trouble string
		rests   string
		back    bool
		version int64
	}{
		"event time alone":           {version: 5},
		"nothing yet":                {store: true},
		"beginning":                  {store: true, order: checkpoint.Order{Generation: 1, Version: 2}},
		"running":                    {store: true, order: checkpoint.Order{Generation: 1, Version: 2, Go: true}, version: 2},
		"going back":                 {store: true, order: checkpoint.Order{Generation: 2, Version: 2, Restore: 4}, back: true},
		"waits before it goes back":  {store: true, order: checkpoint.Order{Generation: 2, Version: 2, Restore: 4, Go: true}, rests: "waits", back: true, version: 2},
		"its store is away":          {store: true, order: checkpoint.Order{Generation: 2, Version: 2, Restore: 4}, trouble: "no route"},
		"the next one is to be born": {store: true, order: checkpoint.Order{Generation: 3, Go: true, Version: 1, Birth: checkpoint.Birth{Version: 2, Epoch: 7}}, version: 1},
		"it is born":                 {store: true, order: born(false), back: true},
		"all its tasks are at work":  {store: true, order: born(true), version: 2},
	} {
		k := New(Config{})
		if c.store {
			k = New(Config{Store: &flaky{}})
		}
		k.plan.Graph, k.order, k.trouble, k.rests = 5, c.order, c.trouble, c.rests
		if v := k.Timing(); v.GetGoingBack() != c.back || v.GetDagVersion() != c.version {
			t.Errorf("%s: going back %v, version %d", name, v.GetGoingBack(), v.GetDagVersion())
		}
	}
}

// The checkpoints of a topology that is gone are removed, unless another keeper has written since.
func TestKeeperPurges(t *testing.T) {
	store := &flaky{}
	a := start(t, store, 1, nil)
	await(t, "a checkpoint counts", func() bool { return a.committed() >= 1 })
	a.stop()
	b := start(t, store, 2, nil)
	await(t, "another keeper goes on", func() bool { return b.committed() > a.committed() })
	b.stop()
	if err := a.Purge(t.Context()); !errors.Is(err, checkpoint.ErrFenced) {
		t.Errorf("the keeper before purges: %v", err)
	}
	if left, err := store.List(t.Context(), ""); err != nil || len(left) == 0 {
		t.Fatalf("%v left, %v", left, err)
	}
	if err := b.Purge(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := store.List(t.Context(), ""); err != nil || len(left) > 0 {
		t.Errorf("%v left, %v", left, err)
	}
}

// What a topology is to start from and is not there is not the store's fault.
func TestKeeperStartsFromWhatIsNotThere(t *testing.T) {
	r := start(t, &flaky{}, 1, func(c *Config) { c.From = "nope" })
	await(t, "it is told", func() bool {
		return strings.HasPrefix(r.state(), "cannot start from nope: ") && strings.Contains(r.state(), "gearstorm savepoint")
	})
}

// A store that is full, or does not answer, costs checkpoints and is named; afterwards all is well.
func TestKeeperAndAStoreThatFails(t *testing.T) {
	store := &flaky{}
	store.set(func(string, string) error { return errors.New("no route to host") })
	r := start(t, store, 1, nil)
	await(t, "the trouble is told", func() bool {
		return r.said("the store of checkpoints test:///: ") && strings.Contains(r.state(), "waits for its store: ") && strings.Contains(r.state(), "no route to host")
	})
	store.set(nil)
	await(t, "a checkpoint counts", func() bool { return r.committed() >= 1 && r.state() == "running" })
	store.set(func(op, name string) error {
		if op == "put" {
			return fmt.Errorf("%s: %w", name, checkpoint.ErrFull)
		}
		return nil
	})
	await(t, "the alarm", func() bool { return r.said("checkpoints in a row came to nothing") })
	at := r.committed()
	store.set(nil)
	await(t, "checkpoints count again", func() bool { return r.committed() > at })
	if r.Figures().Dropped < 3 {
		t.Errorf("figures %+v", r.Figures())
	}
}

// Of two keepers the one with the newer plan goes on, and the other one is quiet.
func TestTwoKeepers(t *testing.T) {
	store := &flaky{}
	old := start(t, store, 1, nil)
	await(t, "the first one works", func() bool { return old.committed() >= 1 })
	next := start(t, store, 2, nil)
	await(t, "the second one works", func() bool { return next.committed() > old.committed() && next.committed() > 3 })
	at := old.committed()
	await(t, "the second one goes on", func() bool { return next.committed() > at+10 })
	if old.committed() != at {
		t.Errorf("the first one still commits: %d, then %d", at, old.committed())
	}
}

func TestKeeperAndSavepoints(t *testing.T) {
	store := &flaky{}
	r := start(t, store, 1, func(c *Config) { c.Checkpoints.Interval = time.Hour })
	answer := func(id int64) *stormrpc.SavepointAnswer {
		t.Helper()
		var a *stormrpc.SavepointAnswer
		await(t, "the answer", func() bool {
			for _, x := range r.Timing().Answers {
				if x.ID == id {
					a = x
				}
			}
			return a != nil
		})
		return a
	}
	one := &stormrpc.SavepointRequest{ID: 1, Name: "one"}
	r.Ask([]*stormrpc.SavepointRequest{one, nil})
	if a := answer(1); a.Error != nil || a.Savepoint.Name != "one" || a.Savepoint.Topology != "top-1-1" || a.Savepoint.Bytes != 2 || a.Savepoint.WatermarkMs != 90 {
		t.Errorf("answer %v", a)
	}
	r.Ask([]*stormrpc.SavepointRequest{one, {ID: 2, Name: "one"}, {ID: 3, Name: "../x"}})
	if a := answer(2); a.GetError() != "savepoint one: it exists already, of another checkpoint: delete it, or take another name" {
		t.Errorf("a name that is taken: %v", a)
	}
	if a := answer(3); !strings.Contains(a.GetError(), "its name may have") {
		t.Errorf("a bad name: %v", a)
	}
	r.Ask([]*stormrpc.SavepointRequest{{ID: 4, Name: "one", Remove: true}, {ID: 5, Name: "..", Remove: true}})
	if a := answer(4); a.Error != nil {
		t.Errorf("answer %v", a)
	}
	if a := answer(5); a.Error == nil {
		t.Errorf("answer %v", a)
	}
	await(t, "none is left", func() bool { return len(r.Timing().Savepoints) == 0 })
	for i := range int64(2 * answersKept) {
		r.Ask([]*stormrpc.SavepointRequest{{ID: 100 + i, Name: "none", Remove: true}})
		answer(100 + i)
	}
	if n := len(r.Timing().Answers); n > answersKept {
		t.Errorf("%d answers are kept", n)
	}
	r.stop()
	// One that begins anew starts from what the store has.
	again := start(t, store, 2, func(c *Config) { c.Topology, c.From = "top-2-2", "nosuch" })
	await(t, "it says what is missing", func() bool { return again.said("start from nosuch") })
}

// An agent tells what is new, and again without news; it leaves out what the coordinator is through with.
func TestAgent(t *testing.T) {
	var mu sync.Mutex
	var sent []checkpoint.Report
	rep := checkpoint.Report{Shape: 5, Epoch: 3, Saved: []gearcore.TaskPart{{Task: 2}}}
	obeyed := 0
	a := NewAgent(AgentConfig{Slot: "b:1", Life: 9, MaxNote: 1000,
		Report: func() checkpoint.Report { mu.Lock(); defer mu.Unlock(); return rep },
		Obey:   func(checkpoint.Order) { mu.Lock(); obeyed++; mu.Unlock() },
		Send: func(slot string, note []byte) error {
			r, err := ReadReport("b:1", note)
			if slot != "a:1" || err != nil {
				t.Errorf("sent to %q: %v", slot, err)
			}
			mu.Lock()
			sent = append(sent, r)
			mu.Unlock()
			return errors.New("not there yet")
		}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	last := func(what string, ok func(checkpoint.Report) bool) {
		t.Helper()
		await(t, what, func() bool { mu.Lock(); defer mu.Unlock(); return len(sent) > 0 && ok(sent[len(sent)-1]) })
	}
	a.SetKeeper("a:1", nil)
	last("the first report", func(r checkpoint.Report) bool { return r.Life == 9 && r.Shape == 5 && len(r.Saved) == 1 })
	mu.Lock()
	n := len(sent)
	mu.Unlock()
	await(t, "it is told again", func() bool { mu.Lock(); defer mu.Unlock(); return len(sent) > n })
	a.Obey(checkpoint.Order{Generation: 4, Committed: 3})
	a.Changed()
	last("what counts is not told again", func(r checkpoint.Report) bool { return r.Epoch == 3 && r.Saved == nil })
	mu.Lock()
	rep = checkpoint.Report{Epoch: 4, Saved: []gearcore.TaskPart{{Task: 2, Part: gearcore.Part{Inline: make([]byte, 2000)}}}}
	mu.Unlock()
	a.Changed()
	last("a part that is too large", func(r checkpoint.Report) bool {
		return r.Saved == nil && strings.Contains(r.Failed, "what 1 tasks of worker b:1 keep without a file takes")
	})
	if a.Generation() != 4 || obeyed != 1 {
		t.Errorf("generation %d, obeyed %d orders", a.Generation(), obeyed)
	}
	if _, err := ReadReport("c:1", write(rep)); err == nil {
		t.Error("a report of another worker is taken")
	}
	if _, err := ReadOrder([]byte("{")); err == nil {
		t.Error("half an order is taken")
	}
}

func FuzzNotes(f *testing.F) {
	f.Add("a:1", write(checkpoint.Report{Worker: "a:1"}))
	f.Add("a:1", write(checkpoint.Order{Generation: 1}))
	f.Fuzz(func(t *testing.T, slot string, note []byte) {
		ReadOrder(note)
		if r, err := ReadReport(slot, note); err == nil && r.Worker != slot {
			t.Errorf("worker %q speaks for %q", slot, r.Worker)
		}
	})
}
