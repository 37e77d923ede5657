package state

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// TestNewestEntryCounts restores what several checkpoints have written in many files, read several at once, into one to eight tasks: each key has
// its newest value, and those that were deleted have none.
func TestNewestEntryCounts(t *testing.T) {
	s, v := large(t, Config{Name: "whole"})
	lim := defaultLimits
	lim.segment, lim.tail = 100_000, 1000
	s.lim, s.chain.lim = lim, lim
	const n = 3 * settleAlone
	vault := newVault()
	want := map[string]string{}
	var part gearcore.Part
	for epoch := range 5 {
		for i := epoch; i < n; i += 1 + 3*epoch {
			k := benchKey(i)
			if epoch > 0 && i%5 == 0 {
				v.Delete(k)
				delete(want, k)
				continue
			}
			want[k] = fmt.Sprint(i, " ", epoch)
			v.Set(k, want[k])
		}
		part, _, _ = save(t, s, uint64(epoch+1), vault)
		s.Commit(uint64(epoch + 1))
	}
	if len(part.Files) < 20 {
		t.Fatalf("%d files", len(part.Files))
	}
	for tasks := 1; tasks <= 8; tasks++ {
		got := 0
		for i := range tasks {
			s, v := large(t, Config{Name: "part", Index: i, Tasks: tasks})
			r := recovery(part, vault)
			r.Index, r.Tasks = i, tasks
			r.First, r.Last = gearcore.KeyGroupRange(i, tasks)
			if err := s.Restore(r); err != nil {
				t.Fatal(err)
			}
			found := 0
			v.Each(func(k, x string) bool {
				if y, ok := v.Get(k); !ok || x != y || want[k] != x {
					t.Fatalf("of %d tasks: %s is %q, and %q by its key, want %q", tasks, k, x, y, want[k])
				}
				found++
				return true
			})
			if got += found; s.Len() != found {
				t.Fatalf("of %d tasks: %d entries, and it says %d", tasks, found, s.Len())
			}
			for _, slot := range s.tables[0].(*table[string, string]).free {
				if e := s.tables[0].(*table[string, string]).at(slot); *e != (entry[string, string]{}) {
					t.Fatalf("slot %d is free and has %v", slot, *e)
				}
			}
		}
		if got != len(want) {
			t.Fatalf("of %d tasks: %d entries, want %d", tasks, got, len(want))
		}
	}
}

// haltingVault gives files that end a task when they are read from, and go on when that has come through.
type haltingVault struct {
	*memVault
	end func()
}

type halting struct {
	io.ReadCloser
	ctx context.Context
	end func()
}

func (v haltingVault) Get(ctx context.Context, f gearcore.File) (io.ReadCloser, error) {
	in, err := v.memVault.Get(ctx, f)
	return halting{in, ctx, v.end}, err
}

func (h halting) Read(p []byte) (int, error) {
	h.end()
	<-h.ctx.Done()
	return h.ReadCloser.Read(p)
}

// TestRestoreEnds closes a task in the middle of its Restore, in memory and on disk; it can be restored afterwards.
func TestRestoreEnds(t *testing.T) {
	for _, onDisk := range []bool{false, true} {
		part, vault := savedLarge(t, 3000, onDisk)
		restoreEnds(t, part, vault)
	}
}

func restoreEnds(t *testing.T, part gearcore.Part, vault *memVault) {
	for _, cfg := range []Config{{}, {Dir: t.TempDir(), Memory: 1000}} {
		s, v := large(t, cfg)
		ended := make(chan struct{})
		once := make(chan struct{}, 1)
		r := recovery(part, haltingVault{vault, func() {
			select {
			case once <- struct{}{}:
				close(ended)
			default:
			}
		}})
		r.Ended = ended
		if err := s.Restore(r); !errors.Is(err, gearcore.ErrClosed) {
			t.Fatalf("a Restore that was ended: %v", err)
		}
		if err := s.Restore(recovery(part, vault)); err != nil {
			t.Fatal(err)
		}
		if x, ok := v.Get(benchKey(2999)); !ok || x != text(2999) {
			t.Fatalf("it has %q", x)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fussy cannot be read again.
type fussy struct{ n byte }

func (f *fussy) MarshalBinary() ([]byte, error) { return []byte{f.n}, nil }
func (f *fussy) UnmarshalBinary([]byte) error   { panic("it is not what I wrote") }

// TestPanicOfACodec: what a codec panics with while segments are read is an error of Restore.
func TestPanicOfACodec(t *testing.T) {
	open := func() (*Store, *Value[string, fussy]) {
		s, err := New(Config{Name: "c[1]"})
		if err != nil {
			t.Fatal(err)
		}
		s.lim, s.chain.lim = small, small
		return s, NewValue(s, "v", Strings[string](), Struct[fussy]())
	}
	s, v := open()
	for i := range 100 {
		v.Set(benchKey(i), fussy{byte(i)})
	}
	vault := newVault()
	part, _, _ := save(t, s, 1, vault)
	again, _ := open()
	if err := again.Restore(recovery(part, vault)); err == nil || !strings.Contains(err.Error(), "c[1]") || !strings.Contains(err.Error(), "it is not what I wrote") {
		t.Errorf("restored: %v", err)
	}
}
