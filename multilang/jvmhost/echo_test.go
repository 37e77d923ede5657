package jvmhost

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// number is what most sources here emit.
func number(i int64, vals []gearcore.Value) []gearcore.Value { return append(vals, gearcore.Long(i)) }

// tally counts how often each number came.
type tally struct {
	mu   sync.Mutex
	seen map[int64]int
}

func (c *tally) look(t gearcore.Tuple) {
	c.mu.Lock()
	if c.seen == nil {
		c.seen = map[int64]int{}
	}
	c.seen[t.Int(0)]++
	c.mu.Unlock()
}

// each checks that 0..n-1 came, each between lo and hi times.
func (c *tally) each(t *testing.T, n int64, lo, hi int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range n {
		if k := c.seen[i]; k < lo || k > hi {
			t.Fatalf("number %d came %d times, want %d to %d", i, k, lo, hi)
		}
	}
	if int64(len(c.seen)) != n {
		t.Fatalf("%d different numbers came, want %d", len(c.seen), n)
	}
}

// TestEcho counts exactly, with Java and with the peer that stands in for it: one stream is routed over there, by
// Java's hash, which has to be ours; the other one is left to Go.
func TestEcho(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		const n = 100_000 / raced.Fewer
		var routed, left tally
		var strayed atomic.Int64
		l := &line{ackers: 1, width: 1, tasks: 2, pending: 5000, outs: map[string]string{"default": "java", "left": "go"}}
		l.src = &source{make: number, track: true}
		for i := range 2 {
			l.left = append(l.left, &sink{look: left.look})
			l.sinks = append(l.sinks, &sink{look: func(t gearcore.Tuple) {
				if gearcore.FloorMod(gearcore.FieldsHash(t.Values(), []int{0}, gearcore.HashJava), 2) != i {
					strayed.Add(1)
				}
				routed.look(t)
			}})
		}
		l.src.limit.Store(n)
		l.start(t, startHost(t, cfg))
		eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n || l.src.failed.Load() > 0 })
		if l.src.failed.Load() > 0 || len(l.hooks.all()) > 0 {
			t.Fatalf("%d failed; errors: %v", l.src.failed.Load(), l.hooks.all())
		}
		routed.each(t, n, 1, 1)
		left.each(t, n, 1, 1)
		if strayed.Load() > 0 {
			t.Errorf("%d tuples went to another task than Go would have sent them to", strayed.Load())
		}
		eventually(t, "no roots are pending", func() bool { return l.engine.PendingRoots() == 0 })
	})
}

// eachWay runs f with Java and with the peer that stands in for it.
func eachWay(t *testing.T, f func(t *testing.T, cfg Config)) {
	t.Run("java", func(t *testing.T) { f(t, echo(t)) })
	t.Run("peer", func(t *testing.T) { f(t, fake(t, "good")) })
}

// TestLeastCredit lets one batch be out and one frame of emits be on its way: slow, but it goes on.
func TestLeastCredit(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		const n = 50_000 / raced.Fewer
		var got tally
		l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "java"}, spec: Spec{WindowBatches: 1, EmitBytes: 1}}
		l.src = &source{make: number, track: true}
		l.sinks = []*sink{{look: got.look}}
		l.src.limit.Store(n)
		l.start(t, startHost(t, cfg))
		eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
		got.each(t, n, 1, 1)
	})
}

// TestCloseOne ends one of two topologies that share a process, in mid-flow: the other one does not notice.
func TestCloseOne(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		const n = 200_000 / raced.Fewer
		h := startHost(t, cfg)
		lines := [2]*line{}
		stops := [2]func(){}
		for i := range lines {
			l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "java"}, timeout: time.Hour, pending: 5000}
			l.src = &source{make: number, track: true}
			l.sinks = []*sink{{}}
			l.src.limit.Store(n)
			lines[i], stops[i] = l, l.start(t, h)
		}
		eventually(t, "both flow", func() bool { return lines[0].src.acked.Load() > 1000 && lines[1].src.acked.Load() > 1000 })
		pid := h.PID()
		stops[0]()
		eventually(t, "the other one goes on", func() bool { return lines[1].src.acked.Load() == n })
		if errs := lines[1].hooks.all(); len(errs) > 0 || lines[1].src.failed.Load() > 0 || h.PID() != pid {
			t.Errorf("the other one noticed: %d failed, errors %v", lines[1].src.failed.Load(), errs)
		}
	})
}

// everyKind returns values of all kinds that can cross.
func everyKind() []gearcore.Value {
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	deep := gearcore.Long(7)
	for range codec.MaxDepth {
		deep = gearcore.List([]gearcore.Value{deep})
	}
	return []gearcore.Value{
		gearcore.Null(), gearcore.Bool(true), gearcore.Bool(false), gearcore.Byte(-128), gearcore.Short(math.MinInt16),
		gearcore.Char(0xFFFF), gearcore.Int(math.MinInt32), gearcore.Int(-1), gearcore.Long(math.MaxInt64), gearcore.Long(-1),
		gearcore.Float(-2.5), gearcore.Double(math.Copysign(0, -1)), gearcore.Double(math.Inf(1)), gearcore.Str(""),
		gearcore.Str("héllo 😀"), gearcore.Str(strings.Repeat("x", 300_000)), gearcore.Bytes([]byte{}), gearcore.Bytes([]byte{0, 255}),
		gearcore.BigInt(huge), gearcore.BigInt(new(big.Int)), gearcore.BigInt(big.NewInt(128)), gearcore.List(nil), gearcore.Map(nil),
		gearcore.List([]gearcore.Value{gearcore.Str("a"), gearcore.List([]gearcore.Value{gearcore.Int(1), gearcore.Null()})}),
		gearcore.Map([]gearcore.Pair{{Key: gearcore.Str("k"), Val: gearcore.Map([]gearcore.Pair{{Key: gearcore.Int(1), Val: gearcore.Double(1.5)}})}}),
		gearcore.OpaqueValue(&gearcore.Opaque{Class: "com.x.Y", Bytes: []byte{1, 2}, Hash: -5}), deep,
	}
}

// TestKindsKeep sends values of every kind through Java, with a stream that Java routes by their hash: what comes back
// is the same, and where it comes is where Go's hash would send it.
func TestKindsKeep(t *testing.T) {
	kinds := everyKind()
	var bad sync.Map
	l := &line{ackers: 1, width: 2, outs: map[string]string{"default": "java"}}
	l.src = &source{track: true, make: func(i int64, vals []gearcore.Value) []gearcore.Value {
		return append(vals, gearcore.Int(int32(i)), kinds[i])
	}}
	for i := range 2 {
		l.sinks = append(l.sinks, &sink{look: func(t gearcore.Tuple) {
			want := kinds[t.Int(0)]
			got := t.Value(1)
			if !got.Equal(want) || want.Opaque() != nil && got.Opaque().Hash != want.Opaque().Hash {
				bad.Store(fmt.Sprintf("%v came back as %v %.40s", want.Kind(), got.Kind(), got.Text()), true)
			}
			if gearcore.FloorMod(gearcore.FieldsHash(t.Values(), []int{0, 1}, gearcore.HashJava), 2) != i {
				bad.Store(fmt.Sprintf("%v %.40s hashes differently in Java", want.Kind(), want.Text()), true)
			}
		}})
	}
	l.src.limit.Store(int64(len(kinds)))
	l.start(t, startHost(t, echo(t)))
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == int64(len(kinds)) })
	bad.Range(func(what, _ any) bool { t.Error(what); return true })
}

// TestKill kills the JVM in mid-flow, twice. No timeout can help: the tuples it held have to fail because it is gone.
func TestKill(t *testing.T) {
	const n = 300_000 / min(raced.Fewer, 3)
	var got tally
	l := &line{ackers: 1, width: 1, tasks: 2, pending: 10_000, timeout: time.Hour, outs: map[string]string{"default": "java"}}
	l.src = &source{make: number, track: true}
	l.sinks = []*sink{{look: got.look}, {look: got.look}}
	cfg := echo(t)
	cfg.FirstWait = 10 * time.Millisecond
	h := startHost(t, cfg)
	l.start(t, h)
	for kill := range int64(2) {
		l.src.limit.Store((kill + 1) * n / 3)
		eventually(t, "tuples flow", func() bool { return l.src.acked.Load() > kill*n/3+n/10 })
		pid, failed := h.PID(), l.src.failed.Load()
		began := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what Java held fails", func() bool { return l.src.failed.Load() > failed })
		t.Logf("first failure %v after the kill", time.Since(began))
		eventually(t, "the loss is reported and another process runs", func() bool {
			return len(l.hooks.all()) == 2*int(kill+1) && h.PID() != 0 && h.PID() != pid
		})
	}
	l.src.limit.Store(n)
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
	got.each(t, n, 1, 3)
	// A loss is noticed by two channels, and what the first one failed may be sent into the second.
	if most := int64(2 * 2 * 10_100); l.src.failed.Load() > most {
		t.Errorf("%d failed, at most %d can have been in flight", l.src.failed.Load(), most)
	}
	for _, err := range l.hooks.all() {
		var lost *LostError
		if !errors.As(err, &lost) || !strings.Contains(lost.Exit, "killed") {
			t.Errorf("reported was %v", err)
		}
	}
}

// TestSlow has a process that is slow: it is never sent more than the window, its senders wait, and the only run loop
// has time for others.
func TestSlow(t *testing.T) {
	const n = 200_000
	var got tally
	l := &line{width: 1, loops: 1, outs: map[string]string{"default": "java"}}
	l.spec.WindowBatches = slowWindow
	l.src = &source{make: number}
	l.sinks = []*sink{{look: got.look}}
	l.beside, l.besideSink = &source{make: number}, &sink{}
	l.src.limit.Store(n)
	l.start(t, startHost(t, fake(t, "slow")))
	eventually(t, "input waits for Java", func() bool {
		return slices.ContainsFunc(l.engine.Stats(), func(s engine.ExecutorStats) bool {
			return s.Component == "java" && s.State == "blocked" && s.Batches >= 32
		})
	})
	if l.src.emitted.Load() == n {
		t.Error("the source was not held back")
	}
	came := l.sinks[0].n.Load()
	l.beside.limit.Store(100_000)
	eventually(t, "others go on", func() bool { return l.besideSink.n.Load() == 100_000 })
	t.Logf("%d of the slow line came meanwhile", l.sinks[0].n.Load()-came)
	eventually(t, "all have come", func() bool { return total(l.sinks...) == n || len(l.hooks.all()) > 0 })
	got.each(t, n, 1, 1)
	if errs := l.hooks.all(); len(errs) > 0 {
		t.Error(errs)
	}
}

// TestBadPeer has processes that break the contract: each is killed, the error says why, and nothing is lost.
func TestBadPeer(t *testing.T) {
	for _, c := range []struct{ mode, want string }{
		{"version", "status 1"},
		{"token", "status 2"},
		{"channel", "status 2"},
		{"unknown frame", "kind 77"},
		{"unknown handle", "the last one sent is"},
		{"row too high", "which has"},
		{"no rows", "settle no rows"},
		{"unknown op", "settle 9"},
		{"executed too much", "executed up to"},
		{"executed twice", "executed up to"},
		{"unknown output", "output 9 of 1"},
		{"unknown task", "does not subscribe"},
		{"too many values", "2 values for the 1 declared"},
		{"no head", "row with bits 0x0"},
		{"unknown anchor", "the last one sent is"},
		{"unknown kind of value", "value of kind 99"},
		{"half a frame", "ends in the middle"},
		{"long length", "length 4294967295"},
		{"exit", "exit status 1"},
		{"close", "closed a channel"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			const n = 5000
			var got tally
			l := &line{ackers: 1, width: 1, timeout: time.Hour, outs: map[string]string{"default": "java"}}
			l.src = &source{make: number, track: true}
			l.sinks = []*sink{{look: got.look}}
			l.src.limit.Store(n)
			l.start(t, startHost(t, fake(t, c.mode)))
			eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
			got.each(t, n, 1, 2)
			errs := l.hooks.all()
			var lost *LostError
			if len(errs) != 1 || !errors.As(errs[0], &lost) || !strings.Contains(lost.Error(), c.want) {
				t.Errorf("reported was %v, want %q", errs, c.want)
			}
		})
	}
}

// TestSilentPeer has a process that never dials: it is lost after StartTimeout, and the next one does the work.
func TestSilentPeer(t *testing.T) {
	const n = 100
	cfg := fake(t, "silent")
	cfg.StartTimeout = 2 * time.Second // of the good one too
	l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "java"}, src: &source{make: number, track: true}, sinks: []*sink{{}}}
	l.src.limit.Store(n)
	h := startHost(t, cfg)
	l.start(t, h)
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
	errs := l.hooks.all()
	var lost *LostError
	if len(errs) == 0 || !errors.As(errs[0], &lost) || !errors.Is(lost, ErrNotOpened) || lost.PID == 0 || !strings.Contains(lost.Error(), "no channel was opened within 2s") {
		t.Errorf("reported was %v, want ErrNotOpened of a process", errs)
	}
	if l.src.failed.Load() != 0 {
		t.Errorf("%d tuples failed that no process had", l.src.failed.Load())
	}
	if _, waiting := h.due(); waiting {
		t.Error("a channel that is open is still waited for")
	}
}

// TestRefusedTuples has tuples that Java cannot have: they fail with a reason, the rest goes on.
func TestRefusedTuples(t *testing.T) {
	deep := gearcore.Long(7)
	for range codec.MaxDepth + 1 {
		deep = gearcore.List([]gearcore.Value{deep})
	}
	all := []gearcore.Value{gearcore.Str("a"), gearcore.Obj(struct{}{}), deep, gearcore.List([]gearcore.Value{gearcore.Obj(1)}),
		gearcore.Bytes(make([]byte, maxFrame)), gearcore.Bytes(make([]byte, maxFrame-100<<10)), gearcore.Str("b")}
	l := &line{ackers: 1, width: 1, outs: map[string]string{"default": "java"}}
	l.src = &source{track: true, make: func(i int64, vals []gearcore.Value) []gearcore.Value {
		return append(vals, all[i])
	}, giveUp: true}
	l.sinks = []*sink{{}}
	l.src.limit.Store(int64(len(all)))
	l.start(t, startHost(t, echo(t)))
	eventually(t, "all ended", func() bool { return l.src.acked.Load()+l.src.failed.Load() == int64(len(all)) })
	if l.src.acked.Load() != 3 || total(l.sinks...) != 3 {
		t.Errorf("%d acked, %d came, want 3", l.src.acked.Load(), total(l.sinks...))
	}
	text := fmt.Sprint(l.hooks.all())
	for _, want := range []string{"Go object", "deeper than 64", "more than 4194304"} {
		if !strings.Contains(text, want) {
			t.Errorf("errors are %s, want %q", text, want)
		}
	}
}

// TestNoJava has a program that does not exist: it is reported, and everything ends in order.
func TestNoJava(t *testing.T) {
	l := &line{width: 1, outs: map[string]string{"default": "java"}}
	l.src = &source{make: number}
	l.sinks = []*sink{{}}
	l.start(t, startHost(t, Config{Java: "/nonexistent/java", Args: []string{"x"}}))
	eventually(t, "it is reported", func() bool { return len(l.hooks.all()) > 0 })
	if err := l.hooks.all()[0]; !strings.Contains(err.Error(), "could not be started") {
		t.Error(err)
	}
}

// TestTaskGone has a task that gives up: what it held fails, it is started anew, and its process, with the other task, goes
// on.
func TestTaskGone(t *testing.T) {
	const n = 5000
	var got tally
	l := &line{ackers: 1, width: 1, tasks: 2, timeout: time.Hour, outs: map[string]string{"default": "java"}}
	l.src = &source{make: number, track: true}
	l.sinks = []*sink{{look: got.look}}
	l.src.limit.Store(n)
	h := startHost(t, fake(t, "gone"))
	l.start(t, h)
	eventually(t, "the process runs", func() bool { return h.PID() != 0 })
	pid := h.PID()
	eventually(t, "all are acked", func() bool { return l.src.acked.Load() == n })
	got.each(t, n, 1, 2)
	if h.PID() != pid {
		t.Error("the process was started anew")
	}
	errs := l.hooks.all()
	if len(errs) == 0 {
		t.Fatal("nothing was reported")
	}
	for _, err := range errs {
		var gone *TaskError
		if !errors.As(err, &gone) || !strings.Contains(err.Error(), "enough") || gone.Wait == 0 {
			t.Errorf("reported was %v", err)
		}
	}
}

// TestOpaqueForGo has a bolt in Go read an object of a class that only Java knows: the tuple fails, with an error that names class
// and field, and those that it can read go on.
func TestOpaqueForGo(t *testing.T) {
	eachWay(t, func(t *testing.T, cfg Config) {
		l := &line{ackers: 1, width: 2, outs: map[string]string{"default": "go"}}
		l.src = &source{track: true, giveUp: true, make: func(i int64, vals []gearcore.Value) []gearcore.Value {
			if i == 3 {
				return append(vals, gearcore.Long(i), gearcore.OpaqueValue(&gearcore.Opaque{Class: "com.x.Point"}))
			}
			return append(vals, gearcore.Long(i), gearcore.Str("plain"))
		}}
		l.sinks = []*sink{{look: func(t gearcore.Tuple) { _ = t.String(1) }}}
		l.src.limit.Store(10)
		l.start(t, startHost(t, cfg))
		eventually(t, "all but one are acked", func() bool { return l.src.acked.Load() == 9 && l.src.failed.Load() == 1 })
		var e *gearcore.OpaqueError
		if errs := l.hooks.all(); len(errs) != 1 || !errors.As(errs[0], &e) || e.Field != "f1" || e.Class != "com.x.Point" || e.Component != "java" {
			t.Errorf("errors: %v", errs)
		}
	})
}
