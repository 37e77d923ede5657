package jvmhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// kept is a state that is a value of JSON.
type kept struct{ value any }

func (k kept) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	b, err := json.Marshal(k.value)
	return gearcore.Part{Inline: b}, err
}

func (kept) Drop() {}

func restore(r *gearcore.Recovery, into any) error {
	if r.Epoch == 0 {
		return nil
	}
	return json.Unmarshal(r.Parts[r.Index].Inline, into)
}

// placed is a source that knows its place.
type placed struct{ source }

func (s *placed) Freeze(uint64) (gearcore.Frozen, error) { return kept{s.next}, nil }
func (s *placed) Restore(r *gearcore.Recovery) error {
	s.next = 0
	return restore(r, &s.next)
}

// counts counts what it gets.
type counts struct {
	mu  sync.Mutex
	got map[int64]int
}

func (*counts) Open(*gearcore.Context, *gearcore.Collector) error { return nil }
func (*counts) Close()                                            {}
func (k *counts) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got[t.Int(0)]++
	c.Ack(t)
	return nil
}

func (k *counts) Freeze(uint64) (gearcore.Frozen, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return kept{maps.Clone(k.got)}, nil
}

func (k *counts) Restore(r *gearcore.Recovery) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = map[int64]int{}
	return restore(r, &k.got)
}

func (k *counts) len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.got)
}

// rig is a line with checkpoints, and what says when they are.
type rig struct {
	*line
	tb   testing.TB
	src  *placed
	end  *counts
	host *Host
	log  syncBuffer
	o    checkpoint.Order
	last uint64 // checkpoint

	mu    sync.Mutex
	parts map[uint64][]gearcore.TaskPart
}

// startRig runs a source, tasks with a part in Java, and one that counts, until the test ends.
func startRig(tb testing.TB, cfg Config, tasks int, change ...func(*engine.Timing)) *rig {
	r := &rig{tb: tb, src: &placed{source{make: number}}, end: &counts{}, parts: map[uint64][]gearcore.TaskPart{}}
	cfg.Log = slog.New(slog.NewTextHandler(&r.log, nil))
	r.host = startHost(tb, cfg)
	r.line = &line{width: 1, tasks: tasks, outs: map[string]string{"default": "go"}, sinks: []*sink{nil}}
	r.spec.Checkpoints = true
	r.own = func(d dag.Task) any {
		switch d.Processor.Name {
		case "src":
			return r.src
		case "sink":
			return r.end
		}
		return nil
	}
	r.timing = &engine.Timing{
		Checkpoints: true, Vault: func(uint64) gearcore.Vault { return nil },
		Parts: func(epoch uint64, component string) (out []gearcore.TaskPart, _ error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, p := range r.parts[epoch] {
				if r.component(p.Task) == component {
					out = append(out, p)
				}
			}
			return out, nil
		},
	}
	for _, f := range change {
		f(r.timing)
	}
	r.bind = true
	r.start(tb, r.host)
	return r
}

func (r *rig) component(t gearcore.TaskID) string { return r.plan.Layout.Components[t] }

// begin begins another generation with a checkpoint, and waits until all are at work.
func (r *rig) begin(from uint64) {
	r.tb.Helper()
	r.o = checkpoint.Order{Generation: r.o.Generation + 1, Restore: from, Committed: from, Dropped: r.last}
	r.engine.Obey(r.o)
	eventually(r.tb, fmt.Sprintf("generation %d is restored", r.o.Generation), func() bool {
		s := r.engine.Report()
		return s.Restored && s.Generation == r.o.Generation
	})
	r.o.Go = true
	r.engine.Obey(r.o)
}

// cut makes a checkpoint.
func (r *rig) cut() uint64 {
	r.tb.Helper()
	r.last++
	r.o.Cut = r.last
	r.engine.Obey(r.o)
	r.saved()
	r.o.Committed = r.o.Cut
	r.engine.Obey(r.o)
	return r.o.Cut
}

func (r *rig) saved() {
	r.tb.Helper()
	eventually(r.tb, "all have saved", func() bool {
		s := r.engine.Report()
		if s.Failed != "" {
			r.tb.Fatalf("the checkpoint failed: %s", s.Failed)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.parts[r.o.Cut] = s.Saved
		return s.Epoch == r.o.Cut && len(s.Saved) == len(s.Tasks)
	})
}

// emitted has the source go on to n, and waits until at least half of the new ones were counted.
func (r *rig) emitted(n int64) {
	r.tb.Helper()
	had := r.end.len()
	r.src.limit.Store(n)
	eventually(r.tb, "half of them are counted", func() bool { return r.end.len() >= (had+int(n))/2 })
}

// each checks that in the end each of n was counted once.
func (r *rig) each(n int) {
	r.tb.Helper()
	eventually(r.tb, "all are counted", func() bool { return r.end.len() == n })
	r.end.mu.Lock()
	defer r.end.mu.Unlock()
	for v, k := range r.end.got {
		if k != 1 || v >= int64(n) {
			r.tb.Fatalf("number %d was counted %d times", v, k)
		}
	}
}

func (r *rig) broken() string {
	r.tb.Helper()
	var why string
	eventually(r.tb, "the generation is broken", func() bool {
		why = r.engine.Report().Broken
		return why != ""
	})
	return why
}

// kinds are the Java sides that tests of checkpoints run with.
func kinds(t *testing.T, test func(t *testing.T, cfg Config)) {
	t.Run("peer", func(t *testing.T) { test(t, fake(t, "good")) })
	t.Run("java", func(t *testing.T) { test(t, echo(t)) })
}

// TestEachGenerationHasAProcess goes back again and again under load. The first generation takes the process that is there, each
// other one gets one of its own, whatever the number of its tasks, and nobody calls that an error.
func TestEachGenerationHasAProcess(t *testing.T) {
	kinds(t, func(t *testing.T, cfg Config) {
		r := startRig(t, cfg, 3)
		eventually(t, "the process runs", func() bool { return r.host.PID() != 0 })
		pid := r.host.PID()
		r.begin(0)
		if got := r.host.PID(); got != pid {
			t.Errorf("the first generation began with process %d, there was %d", got, pid)
		}
		n, at := int64(0), uint64(0)
		for i := range 4 {
			n += 800
			r.emitted(n)
			if i%2 == 0 {
				at = r.cut()
				n += 800
				r.emitted(n)
			}
			r.begin(at)
			if now := r.host.PID(); now == pid {
				t.Error("a generation began with the process of the one before")
			} else {
				pid = now
			}
		}
		r.each(int(n))
		if errs := r.hooks.all(); len(errs) > 0 {
			t.Errorf("errors: %v", errs)
		}
		if got := strings.Count(r.log.String(), "java process ended to begin anew"); got != 4 {
			t.Errorf("%d processes ended for 4 generations", got)
		}
	})
}

// TestLostProcessBreaksTheGeneration kills the process; what it held comes again with the next generation.
func TestLostProcessBreaksTheGeneration(t *testing.T) {
	kinds(t, func(t *testing.T, cfg Config) {
		cfg.FirstWait = time.Millisecond
		r := startRig(t, cfg, 2)
		r.begin(0)
		r.emitted(2000)
		at := r.cut()
		for i := range 3 {
			r.emitted(int64(4000 + i*2000))
			if err := syscall.Kill(r.host.PID(), syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if why := r.broken(); !strings.Contains(why, "of java: its part in Java is gone") && !strings.Contains(why, "java: restore checkpoint") {
				t.Errorf("it is broken because %s", why)
			}
			r.begin(at)
		}
		r.each(8000)
		if errs := r.hooks.all(); !slices.ContainsFunc(errs, func(err error) bool { return errors.As(err, new(*LostError)) }) {
			t.Errorf("errors: %v, want a LostError", errs)
		}
	})
}

// TestLostProcessThatHeldNothing is idle when it is killed: what its components knew is gone all the same.
func TestLostProcessThatHeldNothing(t *testing.T) {
	r := startRig(t, fake(t, "good"), 1)
	r.begin(0)
	r.emitted(100)
	r.each(100)
	at := r.cut()
	if err := syscall.Kill(r.host.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.broken()
	r.begin(at)
	r.src.limit.Store(200)
	r.each(200)
}

// TestMarkerWaitsForJava has a part in Java that keeps its tuples until it is told: a checkpoint does not pass them.
func TestMarkerWaitsForJava(t *testing.T) {
	r := startRig(t, fake(t, "keeps"), 1)
	r.begin(0)
	r.src.limit.Store(50)
	eventually(t, "all are counted", func() bool { return r.end.len() == 50 })
	r.o.Cut = 1
	r.engine.Obey(r.o)
	eventually(t, "the source and it know of the checkpoint", func() bool { return len(r.engine.Report().Saved) > 0 && len(r.engine.Report().Waiting) > 0 })
	r.src.limit.Store(100)
	if s := r.engine.Report(); len(s.Saved) != 1 || r.component(s.Saved[0].Task) != "src" || r.component(s.Waiting[0].Task) != "java" {
		t.Errorf("%v have saved, %v wait", s.Saved, s.Waiting)
	}
	r.host.Tell("ack", nil)
	r.saved()
	r.each(100)
	// The position of the checkpoint is 50, and all that came of the tuples before it is behind it.
	r.begin(1)
	r.each(100)
}

// TestJavaThatNeverAcks: the checkpoint is given up, with the task that holds it back, and tuples flow again.
func TestJavaThatNeverAcks(t *testing.T) {
	r := startRig(t, fake(t, "keeps"), 1, func(t *engine.Timing) { t.AlignLimit = 50 * time.Millisecond })
	r.begin(0)
	r.src.limit.Store(50)
	eventually(t, "all are counted", func() bool { return r.end.len() == 50 })
	r.o.Cut = 1
	r.engine.Obey(r.o)
	why := ""
	eventually(t, "the checkpoint fails", func() bool { why = r.engine.Report().Failed; return why != "" })
	if !strings.Contains(why, "of java has waited") || !strings.Contains(why, "there are some that it has not acked") {
		t.Errorf("it failed because %s", why)
	}
	r.src.limit.Store(100)
	r.o.Dropped = 1
	r.engine.Obey(r.o)
	r.each(100)
}

// TestComponentThatCannotBegin is told with its reason, to people and to who decides about generations; a later one begins.
func TestComponentThatCannotBegin(t *testing.T) {
	r := startRig(t, fake(t, "refuses"), 1)
	r.o = checkpoint.Order{Generation: 1}
	r.engine.Obey(r.o)
	if why := r.broken(); !strings.Contains(why, "restore checkpoint 0: java.lang.Error: not today") {
		t.Errorf("it is broken because %s", why)
	}
	if errs := r.hooks.all(); len(errs) == 0 || !strings.Contains(errs[0].Error(), "not today") {
		t.Errorf("errors: %v", errs)
	}
	r.begin(0)
	r.src.limit.Store(10)
	r.each(10)
}

// TestRestoreEnds: by another generation, when nobody wants it any more, and with the host, also where no process ever comes.
func TestRestoreEnds(t *testing.T) {
	cfg := fake(t, "good")
	cfg.Command = func() (Command, error) { return Command{}, errors.New("no Java here") }
	h, err := NewHost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tasks := []*task{{host: h, spec: Spec{Checkpoints: true}, ctx: &gearcore.Context{}}, {host: h, spec: Spec{Checkpoints: true}, ctx: &gearcore.Context{}}}
	ended := make(chan error, 2)
	restore := func(i int, generation uint64, unwanted <-chan struct{}) {
		go func() {
			_, err := h.renew(tasks[i], generation, nil, unwanted)
			ended <- err
		}()
	}
	for _, k := range tasks {
		h.attach(k)
	}
	restore(0, 1, nil)
	eventually(t, "the first one waits", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.generation == 1
	})
	restore(1, 2, nil)
	if err := <-ended; !errors.Is(err, errSuperseded) {
		t.Errorf("the first one ended with %v", err)
	}
	unwanted := make(chan struct{})
	restore(0, 2, unwanted)
	close(unwanted)
	if err := <-ended; err != gearcore.ErrClosed {
		t.Errorf("the one that nobody wants ended with %v", err)
	}
	h.Stop()
	if err := <-ended; !errors.Is(err, errStopped) {
		t.Errorf("the second one ended with %v", err)
	}
}
