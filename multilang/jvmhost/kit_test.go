package jvmhost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

var classDir string // of the compiled Java side, "" until it is needed

func TestMain(m *testing.M) {
	if mode := os.Getenv(peerMode); mode != "" {
		os.Exit(playPeer(mode))
	}
	code := m.Run()
	if classDir != "" {
		os.RemoveAll(classDir)
	}
	os.Exit(code)
}

// compile builds the Java side once for all tests.
var compile = sync.OnceValue(func() (err error) {
	if classDir, err = os.MkdirTemp("", "gearstorm-classes-"); err != nil {
		return err
	}
	sources, err := filepath.Glob("java/gearstorm/jvmhost/*.java")
	if err != nil || len(sources) == 0 {
		return fmt.Errorf("find the Java sources: %v", err)
	}
	tests, err := filepath.Glob("testdata/java/*.java")
	if err != nil {
		return err
	}
	sources = append(sources, tests...)
	out, err := exec.Command("javac", append([]string{"--release", "17", "-Xlint:all", "-Werror", "-d", classDir}, sources...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("javac: %w: %s", err, out)
	}
	return nil
})

// echo returns a Config that runs the Java echo. Without a JDK the test is skipped, unless CI=true.
func echo(tb testing.TB) Config { return javaMain(tb, "Echo") }

// javaMain is echo for another class, with arguments.
func javaMain(tb testing.TB, class string, args ...string) Config {
	tb.Helper()
	for _, program := range []string{"java", "javac"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				tb.Fatalf("%v: with CI=true this test must run", err)
			}
			tb.Skipf("needs a JDK of 17 or later: %v", err)
		}
	}
	if err := compile(); err != nil {
		tb.Fatal(err)
	}
	options := []string{"-XX:+UseSerialGC", "-Xmx256m", "-Xshare:auto"}
	if _, test := tb.(*testing.T); test { // over before better code would count
		options = append(options, "-XX:TieredStopAtLevel=1")
	}
	return Config{Args: slices.Concat(options, []string{"-cp", classDir, "gearstorm.jvmhost." + class}, args)}
}

// startHost runs a host until the test ends.
func startHost(tb testing.TB, cfg Config) *Host {
	tb.Helper()
	h, err := NewHost(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("host ended with %v", err)
		}
	})
	return h
}

// line is the topology src -> java -> sinks, in one engine.
type line struct {
	src    *source
	sinks  []*sink           // of stream default, by place
	left   []*sink           // of stream left
	outs   map[string]string // output of java -> how it is routed: "java" or "go"
	spec   Spec
	width  int
	ackers int
	tasks  int // of java

	timeout time.Duration
	pending int
	loops   int // 0: the engine's default

	beside     *source // has nothing to do with Java
	besideSink *sink
	hooks      *seen
	engine     *engine.Engine
	plan       *dag.Plan

	own    func(dag.Task) any // in place of what else a task would be; may be nil, and return nil
	timing *engine.Timing
	bind   bool        // hooks are told by the host as well
	made   func(*Bolt) // is told of each task of java; may be nil
}

// start runs l with h until the test ends, or stop is called.
func (l *line) start(tb testing.TB, h *Host) (stop func()) {
	tb.Helper()
	fields := make([]string, max(l.width, 1))
	for i := range fields {
		fields[i] = fmt.Sprintf("f%d", i)
	}
	out := func(s string) dag.Output { return dag.Output{Stream: s, Fields: fields} }
	in := func(from, stream string, g dag.GroupingKind, f ...string) dag.Input {
		return dag.Input{Source: from, Stream: stream, Grouping: dag.Grouping{Kind: g, Fields: f}}
	}
	procs := []*dag.Processor{
		{Name: gearcore.AckerComponent, Kind: dag.Acker, Tasks: l.ackers, Executors: l.ackers},
		{Name: gearcore.SystemComponent, Kind: dag.System, Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}},
		{Name: "src", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{out("default")}},
		{Name: "java", Kind: dag.Bolt, Tasks: max(l.tasks, 1), Executors: max(l.tasks, 1), Outputs: []dag.Output{out("default"), out("left")}, Inputs: []dag.Input{in("src", "default", dag.Shuffle)}},
		{Name: "sink", Kind: dag.Bolt, Tasks: len(l.sinks), Executors: len(l.sinks), Inputs: []dag.Input{in("java", "default", dag.Fields, fields...)}},
	}
	if len(l.left) > 0 {
		procs = append(procs, &dag.Processor{Name: "left", Kind: dag.Bolt, Tasks: len(l.left), Executors: len(l.left), Inputs: []dag.Input{in("java", "left", dag.Shuffle)}})
	}
	if l.beside != nil {
		procs = append(procs, &dag.Processor{Name: "beside", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{out("default")}},
			&dag.Processor{Name: "beside-sink", Kind: dag.Bolt, Tasks: 1, Executors: 1, Inputs: []dag.Input{in("beside", "default", dag.Shuffle)}})
	}
	slices.SortFunc(procs, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	plan, err := dag.Expand(&dag.Graph{ID: "t-1", Name: "t", Version: 1, Timed: l.timing != nil, Hash: gearcore.HashJava, Processors: procs}, nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	spec := l.spec
	l.plan = plan
	for _, s := range []string{"default", "left"} {
		switch l.outs[s] {
		case "java":
			spec.Outputs = append(spec.Outputs, Output{Stream: s, Tasks: plan.TasksOf(map[string]string{"default": "sink", "left": "left"}[s])})
		case "go":
			spec.Outputs = append(spec.Outputs, Output{Stream: s})
		}
	}
	l.hooks = &seen{}
	cfg := engine.Config{Plan: plan, Local: plan.Executors, MessageTimeout: l.timeout, Hooks: l.hooks, Loops: l.loops, Timing: l.timing,
		MaxSpoutPending: func(string) int { return l.pending }}
	cfg.NewTask = func(d dag.Task) (any, *gearcore.Context, error) {
		ctx := &gearcore.Context{Component: d.Processor.Name, Task: d.ID, Index: d.Index, Layout: plan.Layout}
		if l.own != nil {
			if v := l.own(d); v != nil {
				return v, ctx, nil
			}
		}
		switch d.Processor.Name {
		case "src":
			return l.src, ctx, nil
		case "java":
			b, err := h.NewBolt(spec)
			if l.made != nil {
				l.made(b)
			}
			return b, ctx, err
		case "sink":
			return l.sinks[d.Index], ctx, nil
		case "beside":
			return l.beside, ctx, nil
		case "beside-sink":
			return l.besideSink, ctx, nil
		}
		return l.left[d.Index], ctx, nil
	}
	e, err := engine.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	l.engine = e
	if l.bind {
		h.Bind(nil, l.hooks)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	e.Activate()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("engine ended with %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// source emits make(0), make(1), ... up to limit, tracked if track, and emits failed ones again.
type source struct {
	make          func(i int64, vals []gearcore.Value) []gearcore.Value
	track         bool
	giveUp        bool // what failed is not emitted again
	limit         atomic.Int64
	next          int64
	again         []int64
	vals          []gearcore.Value
	acked, failed atomic.Int64
	emitted       atomic.Int64
}

func (s *source) Open(*gearcore.Context, *gearcore.Collector) error { return nil }

func (s *source) Next(c *gearcore.Collector) error {
	for range 16 {
		i := s.next
		switch {
		case len(s.again) > 0:
			i, s.again = s.again[0], s.again[1:]
		case i < s.limit.Load():
			s.next++
		default:
			return gearcore.ErrIdle
		}
		s.vals = s.make(i, s.vals[:0])
		var e gearcore.Emission
		if s.track {
			e.ID = gearcore.Long(i)
		}
		c.Send(e, s.vals)
		s.emitted.Add(1)
	}
	return nil
}
func (s *source) Ack(gearcore.Value, *gearcore.Collector) { s.acked.Add(1) }
func (s *source) Fail(id gearcore.Value, _ *gearcore.Collector) {
	s.failed.Add(1)
	if !s.giveUp {
		s.again = append(s.again, id.Int())
	}
}
func (*source) Activate(*gearcore.Collector)   {}
func (*source) Deactivate(*gearcore.Collector) {}
func (*source) Close()                         {}

// sink counts, looks at what it gets if it has a look, and acks.
type sink struct {
	look func(t gearcore.Tuple)
	n    atomic.Int64
}

func (*sink) NoRetain()                                         {}
func (*sink) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (s *sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if s.look != nil {
		s.look(t)
	}
	c.Ack(t)
	s.n.Add(1)
	return nil
}
func (*sink) Close() {}

func total(sinks ...*sink) (n int64) {
	for _, s := range sinks {
		n += s.n.Load()
	}
	return n
}

// seen is Hooks that keeps errors.
type seen struct {
	mu   sync.Mutex
	errs []error
}

func (*seen) Queued(_, _ gearcore.TaskID, _ int, _ time.Duration)                  {}
func (*seen) Executed(gearcore.TaskID, gearcore.StreamID, int, time.Duration, int) {}
func (*seen) Emitted(gearcore.TaskID, gearcore.StreamID, int, int)                 {}
func (*seen) Acked(gearcore.TaskID, gearcore.StreamID, int)                        {}
func (*seen) Failed(gearcore.TaskID, gearcore.StreamID, int)                       {}
func (*seen) Took(gearcore.TaskID, gearcore.StreamID, int, time.Duration)          {}
func (*seen) Blocking(_, _ gearcore.TaskID)                                        {}
func (*seen) Blocked(_, _ gearcore.TaskID, _ time.Duration)                        {}
func (*seen) Held(gearcore.TaskID, time.Duration)                                  {}
func (s *seen) Errored(_ gearcore.TaskID, err error) {
	s.mu.Lock()
	s.errs = append(s.errs, err)
	s.mu.Unlock()
}

func (s *seen) all() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
}

// eventually waits for cond.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	end := time.Now().Add(3 * time.Minute)
	for !cond() {
		if time.Now().After(end) {
			tb.Fatalf("still not so after 3 minutes: %s", what)
		}
		time.Sleep(500 * time.Microsecond)
	}
}
