package state

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// windowed is a window step over a Store, as package stream makes one.
type windowed struct {
	s    *Store
	core *window.Core[string, int64, int64, int64]
	got  []string
}

func newWindowed(t *testing.T, cfg window.Config) *windowed {
	t.Helper()
	s, err := New(Config{Name: "windows"})
	if err != nil {
		t.Fatal(err)
	}
	w := &windowed{s: s}
	key := Strings[string]()
	st := window.State[string, int64]{
		Panes: NewMap(s, "panes", key, Struct[window.Span](), Struct[window.Acc[int64]]()),
		Ends:  NewTimers(s, "ends", key),
		Early: NewTimers(s, "early", key),
	}
	sum := window.Aggregator[int64, int64, int64]{
		Add:    func(a *int64, v int64) { *a += v },
		Merge:  func(a, b *int64) { *a += *b },
		Result: func(a *int64) int64 { return *a },
	}
	w.core, err = window.New(cfg, sum, st, func(p window.Pane[string, int64]) error {
		w.got = append(w.got, fmt.Sprint(p))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestWindowsOverState restores window steps from checkpoints in the middle and compares with one that never stopped.
func TestWindowsOverState(t *testing.T) {
	for name, cfg := range map[string]window.Config{
		"sliding": {Windows: window.Sliding(20*time.Millisecond, 6*time.Millisecond), Lateness: 9 * time.Millisecond, Accumulate: true},
		"session": {Windows: window.Session(7 * time.Millisecond), Lateness: 9 * time.Millisecond},
		"count":   {Windows: window.CountSliding(7, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(5, 5))
			whole, cut := newWindowed(t, cfg), newWindowed(t, cfg)
			mark := int64(50)
			for step := range int64(3000) {
				k, at := fmt.Sprint("k", r.IntN(20)), mark+r.Int64N(40)-15
				for _, w := range []*windowed{whole, cut} {
					if _, err := w.core.Add(k, step, at); err != nil {
						t.Fatal(err)
					}
				}
				if r.IntN(5) > 0 {
					continue
				}
				mark += r.Int64N(5)
				for _, w := range []*windowed{whole, cut} {
					if _, err := w.core.AdvanceTo(mark); err != nil {
						t.Fatal(err)
					}
					slices.Sort(w.got)
				}
				if !slices.Equal(whole.got, cut.got) {
					t.Fatalf("step %d: panes %q, want %q", step, cut.got, whole.got)
				}
				whole.got, cut.got = nil, nil
				if r.IntN(30) > 0 {
					continue
				}
				next := newWindowed(t, cfg)
				vault := newVault()
				f, err := cut.s.Freeze(1)
				if err != nil {
					t.Fatal(err)
				}
				p, err := f.Save(context.Background(), vault)
				if err != nil {
					t.Fatal(err)
				}
				err = next.s.Restore(&gearcore.Recovery{Epoch: 1, Parts: []gearcore.TaskPart{{Part: p}}, Tasks: 1, Last: gearcore.KeyGroups - 1, Vault: vault})
				if err != nil {
					t.Fatal(err)
				}
				next.core.Resume(mark)
				cut = next
			}
		})
	}
}
