package jvmhost

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// TestOtherThreads has a bolt that emits on a thread of its own, and waits for credit with a lock that the channel's thread
// wants: nothing stops for ever, and nothing is lost.
func TestOtherThreads(t *testing.T) {
	const n = 50_000 / raced.Fewer
	var got tally
	l := &line{ackers: 1, width: 1, pending: 5000, outs: map[string]string{"default": "go"}}
	l.spec.EmitBytes = 4 << 10
	l.src = &source{make: number, track: true}
	l.sinks = []*sink{{look: got.look}}
	l.src.limit.Store(n)
	l.start(t, startHost(t, javaMain(t, "Threads")))
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n || l.src.failed.Load() > 0 })
	if l.src.failed.Load() > 0 || len(l.hooks.all()) > 0 {
		t.Fatalf("%d failed; errors: %v", l.src.failed.Load(), l.hooks.all())
	}
	got.each(t, n, 1, 1)
}

// TestStandardInput has user code read standard input, by which the process gets its orders: for it there is nothing.
func TestStandardInput(t *testing.T) {
	const n = 100
	l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "java"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
	l.src.limit.Store(n)
	l.start(t, startHost(t, javaMain(t, "Reads")))
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n || l.src.failed.Load() > 0 })
	if l.src.failed.Load() > 0 || len(l.hooks.all()) > 0 {
		t.Errorf("%d failed; errors: %v", l.src.failed.Load(), l.hooks.all())
	}
}

// TestNumbered has Java check its table of objects by number against a map.
func TestNumbered(t *testing.T) {
	out, err := exec.Command("java", javaMain(t, "NumberedCheck").Args...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "as expected" {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestJavaSpout runs a spout in Java: what fails comes again, it hears of every ack, and there are never more tuples in
// flight than max pending allows.
func TestJavaSpout(t *testing.T) {
	const n, most = 20_000, 100
	h := startHost(t, javaMain(t, "Counter", strconv.Itoa(n)))
	var mu sync.Mutex
	came, done, held, worst := map[int64]int{}, false, []gearcore.Tuple(nil), 0
	bolt := &holdBolt{execute: func(b gearcore.Tuple, c *gearcore.Collector) {
		mu.Lock()
		defer mu.Unlock()
		v := b.Int(0)
		if v < 0 {
			done = true
			return
		}
		if came[v]++; came[v] == 1 && v%10 == 0 {
			c.Fail(b)
			return
		}
		held = append(held, b)
		if worst = max(worst, len(held)); len(held) == most || v >= n-2*most { // all that may be in flight is here
			for _, b := range held {
				c.Ack(b)
			}
			held = held[:0]
		}
	}}
	plan, err := dag.Expand(&dag.Graph{ID: "t-1", Name: "t", Version: 1, Processors: []*dag.Processor{
		{Name: gearcore.AckerComponent, Kind: dag.Acker, Tasks: 1, Executors: 1},
		{Name: gearcore.SystemComponent, Kind: dag.System, Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}},
		{Name: "bolt", Kind: dag.Bolt, Tasks: 1, Executors: 1, Inputs: []dag.Input{{Source: "src", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
		{Name: "src", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"n"}}}},
	}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	hooks := &seen{}
	e, err := engine.New(engine.Config{Plan: plan, Local: plan.Executors, Hooks: hooks, MaxSpoutPending: func(string) int { return most },
		NewTask: func(d dag.Task) (any, *gearcore.Context, error) {
			ctx := &gearcore.Context{Component: d.Processor.Name, Task: d.ID, Index: d.Index, Layout: plan.Layout}
			if d.Processor.Name == "bolt" {
				return bolt, ctx, nil
			}
			s, err := h.NewSpout(Spec{Outputs: []Output{{Stream: "default"}}, MaxPending: most})
			return s, ctx, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1)
	go func() { end <- e.Run(ctx) }()
	e.Activate()
	defer func() {
		cancel()
		if err := <-end; err != nil {
			t.Errorf("engine ended with %v", err)
		}
	}()
	eventually(t, "the spout has heard of all acks", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return done
	})
	mu.Lock()
	defer mu.Unlock()
	for v := range int64(n) {
		want := 1
		if v%10 == 0 {
			want = 2
		}
		if came[v] != want {
			t.Fatalf("number %d came %d times, want %d", v, came[v], want)
		}
	}
	if worst > most || len(hooks.all()) > 0 {
		t.Errorf("%d in flight, at most %d were allowed; errors: %v", worst, most, hooks.all())
	}
}

// holdBolt is a task that keeps tuples.
type holdBolt struct {
	execute func(gearcore.Tuple, *gearcore.Collector)
}

func (*holdBolt) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (b *holdBolt) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	b.execute(t, c)
	return nil
}
func (*holdBolt) Close() {}

// TestLeftInbox has tuples wait for a task without a channel when it leaves: they are lost at once, and who sends does not wait
// for it any more.
func TestLeftInbox(t *testing.T) {
	cfg := javaMain(t, "Inboxes")
	out, err := exec.Command("java", cfg.Args...).CombinedOutput()
	if want := "true 0\nfalse [b, c, d, e]\ntrue 5 true\n"; err != nil || string(out) != want {
		t.Errorf("%v; Java says\n%swant\n%s", err, out, want)
	}
}

// TestThreadThatDies has a thread of the component's own end with an exception: the task is made anew, and nothing is lost.
func TestThreadThatDies(t *testing.T) {
	const n = 100
	var got tally
	cfg := javaMain(t, "Dies")
	cfg.FirstWait = time.Millisecond
	l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "go"}, src: &source{make: number, track: true}, sinks: []*sink{{look: got.look}}}
	l.src.limit.Store(n)
	h := startHost(t, cfg)
	l.start(t, h)
	pid := 0
	eventually(t, "the process runs", func() bool { pid = h.PID(); return pid != 0 })
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
	got.each(t, n, 1, 1)
	errs := l.hooks.all()
	for _, err := range errs {
		var gone *TaskError
		if !errors.As(err, &gone) || !strings.Contains(err.Error(), "thread feeder of the component ended with an exception") ||
			!strings.Contains(err.Error(), "the feed is gone") {
			t.Errorf("it says %v", err)
		}
	}
	if len(errs) != 2 || h.PID() != pid {
		t.Errorf("%d errors, want 2; process %d, it began with %d", len(errs), h.PID(), pid)
	}
}

// TestErrorInAnEmit: an Error that comes out of an emit leaves nothing of that tuple behind.
func TestErrorInAnEmit(t *testing.T) {
	const n = 200
	var got tally
	var wrong atomic.Int64
	look := func(t gearcore.Tuple) {
		if got.look(t); t.Int(1) != t.Int(0)+1 {
			wrong.Add(1)
		}
	}
	pairs := func(i int64, vals []gearcore.Value) []gearcore.Value {
		return append(vals, gearcore.Long(i), gearcore.Long(i))
	}
	l := &line{ackers: 1, width: 2, outs: map[string]string{"default": "go"}, src: &source{make: pairs, track: true}, sinks: []*sink{{look: look}}}
	l.src.limit.Store(n)
	l.start(t, startHost(t, javaMain(t, "Deep")))
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n || l.src.failed.Load() > 0 })
	if l.src.failed.Load() > 0 || len(l.hooks.all()) > 0 || wrong.Load() > 0 {
		t.Fatalf("%d failed, %d wrong; errors: %v", l.src.failed.Load(), wrong.Load(), l.hooks.all())
	}
	got.each(t, n, 1, 1)
}
