package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// topology collects processors and the code of their tasks.
type topology struct {
	procs []*dag.Processor
	code  map[string]func(dag.Task) any
	fuse  func(string) bool
}

func newTopology(ackers int) *topology {
	t := &topology{code: map[string]func(dag.Task) any{}}
	t.procs = append(t.procs, &dag.Processor{Name: gearcore.AckerComponent, Kind: dag.Acker, Tasks: ackers, Executors: ackers})
	t.procs = append(t.procs, &dag.Processor{Name: gearcore.SystemComponent, Kind: dag.System,
		Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}})
	return t
}

func (t *topology) add(name string, kind dag.Kind, tasks, executors int, code func(dag.Task) any, inputs ...dag.Input) *dag.Processor {
	p := &dag.Processor{Name: name, Kind: kind, Tasks: tasks, Executors: executors, Inputs: inputs,
		Outputs: []dag.Output{{Stream: "default", Fields: []string{"a"}}}}
	t.procs = append(t.procs, p)
	t.code[name] = code
	return p
}

func from(source string, k dag.GroupingKind, fields ...string) dag.Input {
	return dag.Input{Source: source, Stream: "default", Grouping: dag.Grouping{Kind: k, Fields: fields}}
}

func (t *topology) plan(tb testing.TB) *dag.Plan {
	tb.Helper()
	procs := slices.Clone(t.procs)
	slices.SortFunc(procs, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	p, err := dag.Expand(&dag.Graph{ID: "t-1", Name: "t", Version: 1, Processors: procs}, nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// config returns a Config that runs all of t here.
func (t *topology) config(tb testing.TB) Config {
	tb.Helper()
	p := t.plan(tb)
	return Config{Plan: p, Local: p.Executors, Fuse: t.fuse, NewTask: func(d dag.Task) (any, *gearcore.Context, error) {
		return t.code[d.Processor.Name](d), &gearcore.Context{Component: d.Processor.Name, Task: d.ID, Index: d.Index, Layout: p.Layout}, nil
	}}
}

// start runs an engine for cfg until the test ends.
func start(tb testing.TB, cfg Config) *Engine {
	tb.Helper()
	e, stop := begin(tb, cfg)
	tb.Cleanup(stop)
	return e
}

// begin runs an engine for cfg until stop is called.
func begin(tb testing.TB, cfg Config) (*Engine, func()) {
	tb.Helper()
	e, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	e.Activate()
	return e, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("run ended with %v", err)
		}
	})
}

// eventually waits for cond.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	end := time.Now().Add(time.Minute)
	for !cond() {
		if time.Now().After(end) {
			tb.Fatalf("still not so after a minute: %s", what)
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// bolt is a gearcore.Task made of functions.
type bolt struct {
	execute func(t gearcore.Tuple, c *gearcore.Collector) error
	open    func(c *gearcore.Collector) error
	close   func()
}

func (b *bolt) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	if b.open != nil {
		return b.open(c)
	}
	return nil
}
func (b *bolt) Execute(t gearcore.Tuple, c *gearcore.Collector) error { return b.execute(t, c) }
func (b *bolt) Close() {
	if b.close != nil {
		b.close()
	}
}

func executes(f func(t gearcore.Tuple, c *gearcore.Collector) error) func(dag.Task) any {
	return func(dag.Task) any { return &bolt{execute: f} }
}

// counter is a source that emits 0..limit-1, with its number as message id if track, and emits failed ones again.
type counter struct {
	limit         int64
	track         bool
	next          int64
	again         []int64
	acked, failed atomic.Int64
	emitted       atomic.Int64
	active        atomic.Int32 // activations minus deactivations
	closed        atomic.Bool
}

func (s *counter) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *counter) Next(c *gearcore.Collector) error {
	v := s.next
	switch {
	case len(s.again) > 0:
		v, s.again = s.again[0], s.again[1:]
	case s.next < s.limit:
		s.next++
	default:
		return gearcore.ErrIdle
	}
	s.emitted.Add(1)
	if s.track {
		c.EmitID(gearcore.Long(v), v)
	} else {
		c.Emit(v)
	}
	return nil
}
func (s *counter) Ack(gearcore.Value, *gearcore.Collector) { s.acked.Add(1) }
func (s *counter) Fail(id gearcore.Value, _ *gearcore.Collector) {
	s.failed.Add(1)
	s.again = append(s.again, id.Int())
}
func (s *counter) Activate(*gearcore.Collector)   { s.active.Add(1) }
func (s *counter) Deactivate(*gearcore.Collector) { s.active.Add(-1) }
func (s *counter) Close()                         { s.closed.Store(true) }

// passOn emits what it gets, anchored, and acks.
func passOn(t gearcore.Tuple, c *gearcore.Collector) error {
	c.EmitAnchored(t, t.Value(0))
	c.Ack(t)
	return nil
}

// tracker counts how often each number arrived.
type tracker struct {
	mu    sync.Mutex
	seen  map[int64]int
	total atomic.Int64
}

func (k *tracker) see(v int64) {
	k.mu.Lock()
	if k.seen == nil {
		k.seen = map[int64]int{}
	}
	k.seen[v]++
	k.mu.Unlock()
	k.total.Add(1)
}

func (k *tracker) sink(t gearcore.Tuple, c *gearcore.Collector) error {
	k.see(t.Int(0))
	c.Ack(t)
	return nil
}

// each checks that 0..n-1 were seen, each between lo and hi times.
func (k *tracker) each(tb testing.TB, n int64, lo, hi int) {
	tb.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for v := range n {
		if got := k.seen[v]; got < lo || got > hi {
			tb.Fatalf("tuple %d arrived %d times, want %d to %d", v, got, lo, hi)
		}
	}
	if int64(len(k.seen)) != n {
		tb.Fatalf("%d different tuples arrived, want %d", len(k.seen), n)
	}
}

// errorsSeen is Hooks that keeps errors and sums counts.
type errorsSeen struct {
	mu                                            sync.Mutex
	errs                                          []error
	executed, emitted, transferred, acked, failed map[gearcore.TaskID]int
	blocked                                       time.Duration
	blocking                                      map[[2]gearcore.TaskID]int // who waits for whom
	queued, took                                  map[gearcore.TaskID]int
	waited                                        map[gearcore.TaskID]time.Duration // in the inbox
	busy, held                                    time.Duration
}

func newErrorsSeen() *errorsSeen {
	m := func() map[gearcore.TaskID]int { return map[gearcore.TaskID]int{} }
	return &errorsSeen{executed: m(), emitted: m(), transferred: m(), acked: m(), failed: m(), queued: m(), took: m(),
		blocking: map[[2]gearcore.TaskID]int{}, waited: map[gearcore.TaskID]time.Duration{}}
}

func (h *errorsSeen) count(m map[gearcore.TaskID]int, t gearcore.TaskID, n int) {
	h.mu.Lock()
	m[t] += n
	h.mu.Unlock()
}
func (h *errorsSeen) Queued(t, _ gearcore.TaskID, n int, wait time.Duration) {
	h.count(h.queued, t, n)
	h.mu.Lock()
	h.waited[t] = max(h.waited[t], wait)
	h.mu.Unlock()
}
func (h *errorsSeen) Executed(t gearcore.TaskID, _ gearcore.StreamID, n int, busy time.Duration, _ int) {
	h.count(h.executed, t, n)
	h.mu.Lock()
	h.busy += busy
	h.mu.Unlock()
}
func (h *errorsSeen) Emitted(t gearcore.TaskID, _ gearcore.StreamID, n, transferred int) {
	h.count(h.emitted, t, n)
	h.count(h.transferred, t, transferred)
}
func (h *errorsSeen) Acked(t gearcore.TaskID, _ gearcore.StreamID, n int) { h.count(h.acked, t, n) }
func (h *errorsSeen) Took(t gearcore.TaskID, _ gearcore.StreamID, n int, _ time.Duration) {
	h.count(h.took, t, n)
}
func (h *errorsSeen) Failed(t gearcore.TaskID, _ gearcore.StreamID, n int) { h.count(h.failed, t, n) }
func (h *errorsSeen) Held(_ gearcore.TaskID, d time.Duration) {
	h.mu.Lock()
	h.held += d
	h.mu.Unlock()
}
func (h *errorsSeen) Errored(_ gearcore.TaskID, err error) {
	h.mu.Lock()
	h.errs = append(h.errs, err)
	h.mu.Unlock()
}
func (h *errorsSeen) Blocking(t, target gearcore.TaskID) {
	h.mu.Lock()
	h.blocking[[2]gearcore.TaskID{t, target}]++
	h.mu.Unlock()
}
func (h *errorsSeen) Blocked(t, target gearcore.TaskID, d time.Duration) {
	h.mu.Lock()
	h.blocked += d
	if h.blocking[[2]gearcore.TaskID{t, target}]--; h.blocking[[2]gearcore.TaskID{t, target}] < 0 {
		h.errs = append(h.errs, fmt.Errorf("task %d is told to have waited for task %d, but not that it began to", t, target))
	}
	h.mu.Unlock()
}

// get returns a copy of what f picks, under the lock.
func (h *errorsSeen) get(f func() int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f()
}

func (h *errorsSeen) has(target error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.errs, func(e error) bool { return errors.Is(e, target) })
}

// counts is a bolt that counts and acks.
func counts(n *atomic.Int64) func(dag.Task) any {
	return executes(func(t gearcore.Tuple, c *gearcore.Collector) error {
		c.Ack(t)
		n.Add(1)
		return nil
	})
}
