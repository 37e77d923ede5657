package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// journal records what happens, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
	j.mu.Unlock()
}

func (j *journal) len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lines)
}

func (j *journal) has(line string) bool { return j.index(line) >= 0 }

func (j *journal) index(line string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Index(j.lines, line)
}

// logged is a source or bolt that writes its calls down.
type logged struct {
	j    *journal
	name string
	err  error // of Open
}

func (l *logged) Open(*gearcore.Context, *gearcore.Collector) error {
	l.j.add("open %s", l.name)
	return l.err
}
func (l *logged) Execute(gearcore.Tuple, *gearcore.Collector) error { return nil }
func (l *logged) Next(*gearcore.Collector) error {
	l.j.add("next %s", l.name)
	return gearcore.ErrIdle
}
func (l *logged) Ack(gearcore.Value, *gearcore.Collector)  {}
func (l *logged) Fail(gearcore.Value, *gearcore.Collector) {}
func (l *logged) Activate(*gearcore.Collector)             { l.j.add("activate %s", l.name) }
func (l *logged) Deactivate(*gearcore.Collector)           { l.j.add("deactivate %s", l.name) }
func (l *logged) Close()                                   { l.j.add("close %s", l.name) }

func TestOpenFollowsTheFirstActivation(t *testing.T) {
	var j journal
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &logged{j: &j, name: "src"} })
	top.add("bolt", dag.Bolt, 2, 2, func(d dag.Task) any { return &logged{j: &j, name: fmt.Sprint("bolt", d.Index)} }, from("src", dag.Shuffle))
	e, err := New(top.config(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	e.Deactivate() // not a first activation
	time.AfterFunc(5*time.Millisecond, func() { j.add("now"); e.Activate() })
	eventually(t, "asked for tuples", func() bool { return j.has("next src") })
	e.Deactivate()
	eventually(t, "deactivated", func() bool { return j.has("deactivate src") })
	at := j.len()
	e.Activate()
	eventually(t, "asked again", func() bool { return j.len() > at+2 })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	order := []string{"now", "open bolt0", "open src", "activate src", "next src", "deactivate src", "close src"}
	for i := 1; i < len(order); i++ {
		if j.index(order[i-1]) >= j.index(order[i]) || j.index(order[i]) < 0 {
			t.Errorf("%s did not come before %s", order[i-1], order[i])
		}
	}
	if b := j.index("open bolt1"); b < 0 || b > j.index("open src") {
		t.Error("a bolt was opened after the spout")
	}
	if j.lines[at] != "activate src" {
		t.Errorf("after the second activation came %q", j.lines[at])
	}
	if !j.has("close bolt0") || !j.has("close bolt1") {
		t.Error("a bolt was not closed")
	}
	if err := e.Run(ctx); err == nil {
		t.Error("a second Run was accepted")
	}
}

// TestOpenBeforeTheFirstActivation opens tasks of an engine that is not active: its source is not told or asked until it is.
func TestOpenBeforeTheFirstActivation(t *testing.T) {
	var j journal
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &logged{j: &j, name: "src"} })
	top.add("bolt", dag.Bolt, 1, 1, func(dag.Task) any { return &logged{j: &j, name: "bolt"} }, from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.Clock, cfg.Seed = &manual{}, 1
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Open()
	d.Open()
	settle(t, d)
	j.add("now")
	d.Activate()
	settle(t, d)
	d.Close()
	if got := strings.Join(j.lines[:min(len(j.lines), 5)], ", "); got != "open bolt, open src, now, activate src, next src" {
		t.Errorf("it went: %s", got)
	}
}

func TestOpenErrorEndsRun(t *testing.T) {
	errMine := errors.New("no database")
	for _, c := range []struct {
		name string
		task func(j *journal) any
		want string
	}{
		{"error", func(j *journal) any { return &logged{j: j, name: "bolt", err: errMine} }, "open component bolt, task 2: no database"},
		{"panic", func(*journal) any {
			return &bolt{open: func(*gearcore.Collector) error { panic(errMine) }, close: func() {}}
		}, "open component bolt, task 2: panic: no database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var j journal
			top := newTopology(1)
			top.add("bolt", dag.Bolt, 1, 1, func(dag.Task) any { return c.task(&j) }, from("src", dag.Shuffle))
			top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &logged{j: &j, name: "src"} })
			e, err := New(top.config(t))
			if err != nil {
				t.Fatal(err)
			}
			e.Activate()
			err = e.Run(t.Context())
			if !errors.Is(err, errMine) || err.Error() != c.want {
				t.Errorf("run ended with %v, want %s", err, c.want)
			}
			if j.has("open src") || j.has("close src") {
				t.Error("a spout was opened behind a bolt that could not be")
			}
			if c.name == "error" && !j.has("close bolt") {
				t.Error("the bolt was not closed after its failed Open")
			}
			if err := e.Deliver(&gearcore.Batch{Target: 2}); !errors.Is(err, gearcore.ErrClosed) {
				t.Errorf("deliver after the end: %v", err)
			}
		})
	}
}

func TestDeactivateDrains(t *testing.T) {
	src := &counter{limit: 1 << 40, track: true}
	var seen tracker
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(seen.sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MaxSpoutPending = func(string) int { return 500 }
	e := start(t, cfg)
	eventually(t, "tuples flow", func() bool { return seen.total.Load() > 1000 })
	e.Deactivate()
	eventually(t, "deactivated", func() bool { return src.active.Load() == 0 })
	eventually(t, "drained", func() bool { return e.PendingRoots() == 0 && src.acked.Load() == src.emitted.Load() })
	n := src.emitted.Load()
	e.Activate()
	eventually(t, "tuples flow again", func() bool { return src.emitted.Load() > n })
}

// manual is a clock that a test moves.
type manual struct{ now atomic.Int64 }

func (m *manual) Now() time.Duration { return time.Duration(m.now.Load()) }

// settle runs d until nothing is ready.
func settle(tb testing.TB, d *Driver) {
	tb.Helper()
	for n := 0; d.Ready() > 0; n++ {
		d.Step(0, 100)
		if n > 100_000 {
			tb.Fatal("the engine never comes to rest")
		}
	}
	if err := d.Err(); err != nil {
		tb.Fatal(err)
	}
}

func newDriver(tb testing.TB, cfg Config) (*Driver, *manual) {
	tb.Helper()
	clock := &manual{}
	cfg.Clock, cfg.Seed = clock, 1
	d, err := NewDriver(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(d.Close)
	d.Activate()
	settle(tb, d)
	return d, clock
}

// advance moves the clock to at, firing every timer on the way at its own time.
func (m *manual) advance(tb testing.TB, d *Driver, at time.Duration) {
	tb.Helper()
	for {
		next, ok := d.NextTimer()
		if !ok || next > at {
			break
		}
		m.now.Store(max(int64(next), m.now.Load()))
		d.Fire()
		settle(tb, d)
	}
	m.now.Store(int64(at))
}

func TestTimeoutsComeAfterOneToTwoPeriods(t *testing.T) {
	const period = 30 * time.Second
	src := &counter{limit: 5, track: true}
	var held []gearcore.Tuple
	var col *gearcore.Collector
	top := newTopology(2)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("lazy", dag.Bolt, 1, 1, executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		held, col = append(held, t), c
		return nil
	}), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MessageTimeout = period
	cfg.SpoutWait = func(string) time.Duration { return 10 * time.Second }
	d, clock := newDriver(t, cfg)
	if len(held) != 5 || d.PendingRoots() != 5 {
		t.Fatalf("%d tuples arrived, %d pending", len(held), d.PendingRoots())
	}
	clock.advance(t, d, period+period/2)
	if src.failed.Load() != 0 {
		t.Fatalf("%d tuples timed out within one period", src.failed.Load())
	}
	src.limit = 0
	// In time: one is acked, one gets its timeout reset, and one is failed.
	a := d.executorOf(d.plan().TasksOf("lazy")[0]).tasks[0].sink.Async()
	if err := errors.Join(a.Ack(held[0]), a.Fail(held[2]), a.Do(0, func(c *gearcore.Collector) { c.ResetTimeout(held[1]) })); err != nil {
		t.Fatal(err)
	}
	src.again = nil
	settle(t, d)
	if col == nil || src.acked.Load() != 1 || src.failed.Load() != 1 {
		t.Fatalf("%d acked, %d failed", src.acked.Load(), src.failed.Load())
	}
	held = held[:0]
	clock.advance(t, d, 2*period+time.Second)
	if got := src.failed.Load(); got != 3 {
		t.Errorf("%d failed after two periods, want the failed one and two that timed out", got)
	}
	clock.advance(t, d, 3*period+time.Second)
	if got := src.failed.Load(); got < 4 {
		t.Errorf("%d failed after three periods, want the one that was reset as well", got)
	}
}

// A topology may be submitted inactive and stay so: timeouts that pass meanwhile must not keep its executors running.
func TestTimeoutsBeforeTheFirstActivationCostNothing(t *testing.T) {
	src := &counter{limit: 5, track: true}
	var arrived tracker
	top := newTopology(2)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("sink", dag.Bolt, 1, 1, executes(arrived.sink), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.MessageTimeout = time.Second
	clock := &manual{}
	cfg.Clock, cfg.Seed = clock, 1
	d, err := NewDriver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	clock.advance(t, d, 5*time.Second)
	d.Activate()
	settle(t, d)
	arrived.each(t, 5, 1, 1)
	if src.acked.Load() != 5 {
		t.Errorf("%d of 5 acked after the activation", src.acked.Load())
	}
}

func TestNoTimeouts(t *testing.T) {
	src := &counter{limit: 5, track: true}
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("lazy", dag.Bolt, 1, 1, executes(func(gearcore.Tuple, *gearcore.Collector) error { return nil }), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.SpoutWait = func(string) time.Duration { return time.Hour }
	d, clock := newDriver(t, cfg)
	clock.advance(t, d, 1000*time.Hour)
	if src.failed.Load() != 0 || d.PendingRoots() != 5 {
		t.Errorf("%d failed, %d pending without a message timeout", src.failed.Load(), d.PendingRoots())
	}
}

func TestTicks(t *testing.T) {
	var ticks [3]int
	var vals []int64
	top := newTopology(1)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("bolt", dag.Bolt, 3, 1, func(d dag.Task) any {
		return &bolt{execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
			if !t.IsTick() || t.SourceTask() != gearcore.SystemTask || t.Component() != "__system" || t.Stream() != "__tick" {
				return fmt.Errorf("not a tick: %v from %s", t.Values(), t.Component())
			}
			ticks[d.Index]++
			vals = append(vals, t.Int(0))
			c.Ack(t)
			return nil
		}}
	}, from("src", dag.Shuffle))
	h := newErrorsSeen()
	asked := []string{}
	cfg := top.config(t)
	cfg.Hooks = h
	cfg.SpoutWait = func(string) time.Duration { return time.Hour }
	cfg.TickEvery = func(c string) time.Duration {
		asked = append(asked, c)
		return 2 * time.Second
	}
	d, clock := newDriver(t, cfg)
	clock.advance(t, d, 11*time.Second)
	if ticks != [3]int{5, 5, 5} || len(h.errs) > 0 {
		t.Errorf("ticks by task %v, errors %v", ticks, h.errs)
	}
	if !slices.Equal(asked, []string{"bolt"}) {
		t.Errorf("TickEvery was asked for %v", asked)
	}
	if vals[0] != 2 {
		t.Errorf("a tick says %d", vals[0])
	}
	// A clock that jumps, or a busy bolt, does not pile ticks up.
	clock.now.Store(int64(time.Hour))
	d.Fire()
	settle(t, d)
	if ticks[0] > 7 {
		t.Errorf("%d ticks after a jump of the clock", ticks[0]-5)
	}
}

func TestTicksNeedTheirStream(t *testing.T) {
	top := newTopology(0)
	top.procs = slices.DeleteFunc(top.procs, func(p *dag.Processor) bool { return p.Name == "__system" })
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("bolt", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	cfg := top.config(t)
	cfg.TickEvery = func(string) time.Duration { return time.Second }
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "no stream __tick") {
		t.Errorf("New: %v", err)
	}
}

func TestConfigErrors(t *testing.T) {
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return &counter{} })
	top.add("bolt", dag.Bolt, 1, 1, executes(passOn), from("src", dag.Shuffle))
	for _, c := range []struct {
		name string
		do   func(*Config)
		want string
	}{
		{"no plan", func(c *Config) { c.Plan = nil }, "Plan is missing"},
		{"no code", func(c *Config) { c.NewTask = nil }, "NewTask is missing"},
		{"rows", func(c *Config) { c.BatchRows = 3 }, "BatchRows 3"},
		{"timeout", func(c *Config) { c.MessageTimeout = -1 }, "MessageTimeout"},
		{"remote", func(c *Config) { c.Local = c.Local[:1] }, "Remote is missing"},
		{"kind", func(c *Config) {
			c.NewTask = func(dag.Task) (any, *gearcore.Context, error) { return 7, nil, nil }
		}, "int is no gearcore.Task"},
		{"task", func(c *Config) {
			c.NewTask = func(dag.Task) (any, *gearcore.Context, error) { return nil, nil, errors.New("unknown component") }
		}, "make task 1 of component bolt: unknown component"},
	} {
		cfg := top.config(t)
		c.do(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
