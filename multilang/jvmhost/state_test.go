package jvmhost

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// vaults has checkpoints in memory.
func vaults() func(*engine.Timing) {
	store := &checkpoint.Memory{}
	return func(t *engine.Timing) {
		t.Vault = func(epoch uint64) gearcore.Vault { return checkpoint.NewVault(store, "t-1", epoch) }
	}
}

// TestStateInCheckpoints goes back again and again, because it is told to and because the process was killed. The bolt numbers what it
// emits, also what it emits for a checkpoint: with a state older or newer than the checkpoint, numbers would be there twice or missing.
func TestStateInCheckpoints(t *testing.T) {
	test := func(t *testing.T, cfg Config) {
		cfg.FirstWait = time.Millisecond
		r := startRig(t, cfg, 1, vaults())
		r.begin(0)
		tuples, cuts, at := 0, 0, uint64(0)
		for i := range 6 {
			tuples += 800
			r.emitted(int64(tuples))
			if i%3 != 2 {
				at = r.cut()
				cuts++
			}
			if i%2 == 0 {
				if err := syscall.Kill(r.host.PID(), syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				r.broken()
			}
			r.begin(at)
		}
		r.each(tuples + cuts)
		for _, p := range r.parts[at] {
			if r.component(p.Task) == "java" && (p.Note != "1 keys" || len(p.Files) != 1 || p.Files[0].Bytes != 12+statePad) {
				t.Errorf("the part of java is %+v", p)
			}
		}
	}
	t.Run("peer", func(t *testing.T) { test(t, fake(t, "counts")) })
	t.Run("java", func(t *testing.T) { test(t, javaMain(t, "Keeper", strconv.Itoa(statePad))) })
}

// TestCheckpointThatCounts: Java hears of it.
func TestCheckpointThatCounts(t *testing.T) {
	r := startRig(t, javaMain(t, "Keeper", "0"), 1)
	r.begin(0)
	r.src.limit.Store(50)
	r.cut()
	eventually(t, "Java was told", func() bool {
		return slices.ContainsFunc(r.hooks.all(), func(err error) bool { return strings.Contains(err.Error(), "checkpoint 1 counts, 1 was the last one") })
	})
	r.each(51)
}

// TestStateThatCannotBeSaid costs the checkpoint, with the reason, and nothing else.
func TestStateThatCannotBeSaid(t *testing.T) {
	r := startRig(t, javaMain(t, "Keeper", "0", "fails"), 1)
	r.begin(0)
	r.src.limit.Store(50)
	r.each(50)
	r.o.Cut = 1
	r.engine.Obey(r.o)
	why := ""
	eventually(t, "the checkpoint fails", func() bool { why = r.engine.Report().Failed; return why != "" })
	if !strings.Contains(why, "of java: java.lang.IllegalStateException: not now") {
		t.Errorf("it failed because %s", why)
	}
	r.o.Dropped = 1
	r.engine.Obey(r.o)
	r.src.limit.Store(100)
	r.each(100)
}

func TestStatesThatNobodyAskedFor(t *testing.T) {
	state := []byte{0, 0, 0, 0}
	for name, c := range map[string]struct {
		asked bool
		rp    reply
		want  string
	}{
		"none asked for": {false, reply{state: state}, "nobody asked for"},
		"end of none":    {false, reply{frozen: 3}, "nobody asked for"},
		"another one":    {true, reply{state: state, frozen: 4}, "at checkpoint 4, asked for was that at 3"},
		"too short":      {true, reply{state: state[:3], frozen: 3}, "a state of 3 bytes"},
		"nothing":        {true, reply{}, ""},
	} {
		b := &Bolt{freeze: freezing{asked: c.asked, epoch: 3}}
		err := b.froze(nil, &c.rp)
		if c.want == "" && err == nil {
			continue
		}
		if !errors.Is(err, ErrFrame) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStateOfATask: each task has its own again, and another number of tasks is refused.
func TestStateOfATask(t *testing.T) {
	vault := checkpoint.NewVault(&checkpoint.Memory{}, "t-1", 7)
	part := func(index int, state []byte) gearcore.TaskPart {
		p, err := frozenState(state).Save(t.Context(), vault)
		if err != nil {
			t.Fatal(err)
		}
		return gearcore.TaskPart{Index: index, Part: p}
	}
	short, long := append([]byte{1, 0, 0, 0}, "8 bytes!"...), append([]byte{1, 0, 0, 0}, make([]byte, gearcore.MaxInline)...)
	r := gearcore.Recovery{Epoch: 7, Parts: []gearcore.TaskPart{part(0, short), part(1, long)}, Tasks: 2, Vault: vault}
	for index, want := range [][]byte{short, long} {
		r.Index = index
		if got, err := stateIn("keeper", &r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("task %d gets %d bytes (%v), want %d", index, len(got), err, len(want))
		}
	}
	r.Tasks = 3
	if _, err := stateIn("keeper", &r); err == nil || !strings.Contains(err.Error(), "component keeper had 2 tasks at checkpoint 7 and has 3 now") {
		t.Errorf("three tasks: %v", err)
	}
	for what, other := range map[string][]byte{"too short": short[:3], "a state by key": []byte("GSST\x01\x00 and more"), "fewer bytes than entries": {2, 0, 0, 0, 0}} {
		r.Parts, r.Tasks, r.Index = []gearcore.TaskPart{{Part: gearcore.Part{Inline: other}}}, 1, 0
		_, err := stateIn("keeper", &r)
		if _, never := errors.AsType[*gearcore.MisfitError](err); !never || !strings.Contains(err.Error(), "component keeper was none in Java at checkpoint 7") {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.Parts, r.Tasks = []gearcore.TaskPart{{Index: 0}, {Index: 1}}, 2
	if got, err := stateIn("keeper", &r); got != nil || err != nil {
		t.Errorf("where nothing was kept: %q, %v", got, err)
	}
	r.Parts, r.Tasks, r.Index = []gearcore.TaskPart{{Part: gearcore.Part{Files: []gearcore.File{{Name: "f", Bytes: maxState + 1}}}}}, 1, 0
	if _, err := stateIn("keeper", &r); err == nil || !strings.Contains(err.Error(), "allowed are") {
		t.Errorf("a state that is too long: %v", err)
	}
}

// TestStateThatNobodyKeeps: a bolt in Java that keeps nothing does not begin where something was kept.
func TestStateThatNobodyKeeps(t *testing.T) {
	kinds(t, func(t *testing.T, cfg Config) {
		r := startRig(t, cfg, 1)
		r.begin(0)
		at := r.cut()
		r.mu.Lock()
		for i, p := range r.parts[at] {
			if r.component(p.Task) == "java" {
				r.parts[at][i].Inline = append([]byte{1, 0, 0, 0}, make([]byte, 8)...)
			}
		}
		r.mu.Unlock()
		r.engine.Obey(checkpoint.Order{Generation: r.o.Generation + 1, Restore: at, Committed: at, Dropped: r.last})
		r.broken()
		var why *engine.OpenError
		for _, err := range r.hooks.all() {
			if errors.As(err, &why) {
				break
			}
		}
		if why == nil || !strings.Contains(why.Error(), "component java had a state at checkpoint 1, and its bolt in Java is none that keeps one") {
			t.Errorf("%v; all errors: %v", why, r.hooks.all())
		}
	})
}
