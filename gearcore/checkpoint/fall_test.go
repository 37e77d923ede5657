package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

const area = "topologies/t/"

func digits(n int) string { return fmt.Sprintf("%020d", n) }

// damage changes an object.
func damage(t *testing.T, s checkpoint.Store, name string, change func(string) string) {
	t.Helper()
	r, err := s.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), name, strings.NewReader(change(string(b)))); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s checkpoint.Store, name string) {
	t.Helper()
	if err := s.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

func flip(s string) string     { b := []byte(s); b[len(b)/2] ^= 1; return string(b) }
func truncate(s string) string { return s[:len(s)-1] }
func empty(string) string      { return "" }

// Three checkpoints count; something of them is damaged; the next coordinator begins with the newest that is whole, and says what is not.
func TestFallBack(t *testing.T) {
	record, manifest := area+"log/"+digits(4), area+"manifests/"+digits(3)
	for name, c := range map[string]struct {
		damage func(t *testing.T, s checkpoint.Store, file string)
		base   uint64
		fell   string
	}{
		"nothing":                  {func(*testing.T, checkpoint.Store, string) {}, 3, ""},
		"the record is gone":       {func(t *testing.T, s checkpoint.Store, _ string) { remove(t, s, record) }, 2, ""},
		"a bit of the record":      {func(t *testing.T, s checkpoint.Store, _ string) { damage(t, s, record, flip) }, 2, "record 4"},
		"half the record":          {func(t *testing.T, s checkpoint.Store, _ string) { damage(t, s, record, truncate) }, 2, "record 4"},
		"an empty record":          {func(t *testing.T, s checkpoint.Store, _ string) { damage(t, s, record, empty) }, 2, "record 4"},
		"another record's place":   {func(t *testing.T, s checkpoint.Store, _ string) { copyTo(t, s, area+"log/"+digits(2), record) }, 2, "record 4"},
		"the record in the middle": {func(t *testing.T, s checkpoint.Store, _ string) { remove(t, s, area+"log/"+digits(3)) }, 3, "record 3"},
		"the manifest is gone":     {func(t *testing.T, s checkpoint.Store, _ string) { remove(t, s, manifest) }, 2, "epoch 3"},
		"a bit of the manifest":    {func(t *testing.T, s checkpoint.Store, _ string) { damage(t, s, manifest, flip) }, 2, "epoch 3"},
		"half the manifest":        {func(t *testing.T, s checkpoint.Store, _ string) { damage(t, s, manifest, truncate) }, 2, "epoch 3"},
		"a file is gone":           {func(t *testing.T, s checkpoint.Store, f string) { remove(t, s, f) }, 2, "epoch 3"},
		"a file is shorter":        {func(t *testing.T, s checkpoint.Store, f string) { damage(t, s, f, truncate) }, 2, "epoch 3"},
		"two manifests": {func(t *testing.T, s checkpoint.Store, _ string) {
			remove(t, s, manifest)
			damage(t, s, area+"manifests/"+digits(2), flip)
		}, 1, "epoch 3, epoch 2"},
		"all manifests": {func(t *testing.T, s checkpoint.Store, _ string) {
			for i := 1; i <= 3; i++ {
				damage(t, s, area+"manifests/"+digits(i), empty)
			}
		}, 0, "epoch 3, epoch 2, epoch 1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(checkpoint.Memory)
			l := open(t, s)
			begin(t, l)
			commit(t, l, s, "t", 1)
			commit(t, l, s, "t", 2)
			file := commit(t, l, s, "t", 3)
			c.damage(t, s, file.Name)
			l = open(t, s)
			b := begin(t, l)
			var fell []string
			for _, f := range b.FellBack {
				if f.Why == "" {
					t.Errorf("no reason for %+v", f)
				}
				if f.Epoch > 0 {
					fell = append(fell, fmt.Sprintf("epoch %d", f.Epoch))
				} else {
					fell = append(fell, fmt.Sprintf("record %d", f.Record))
				}
			}
			if got := strings.Join(fell, ", "); b.Base != c.base || got != c.fell {
				t.Errorf("it begins with %d, and not with %s; want %d, %s", b.Base, got, c.base, c.fell)
			}
			if b.First <= 3 || b.Generation < 4 {
				t.Errorf("generation %d cuts epochs from %d on", b.Generation, b.First)
			}
			// It can go on, and who comes then need not fall back.
			commit(t, l, s, "t", b.First)
			if again := begin(t, open(t, s)); again.Base != b.First {
				t.Errorf("after another checkpoint, %d, it begins with %d", b.First, again.Base)
			}
		})
	}
}

func copyTo(t *testing.T, s checkpoint.Store, from, to string) {
	t.Helper()
	r, err := s.Get(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), to, r); err != nil {
		t.Fatal(err)
	}
}

// A task could not read the newest: it is left aside for good, as what follows does not come from it.
func TestFallBackBecauseATaskCannotRead(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	commit(t, l, s, "t", 1)
	commit(t, l, s, "t", 2)
	b, err := l.Begin(t.Context(), checkpoint.Start{Below: 2})
	if err != nil || b.Base != 1 || len(b.FellBack) != 1 || b.FellBack[0].Epoch != 2 {
		t.Fatalf("%+v, %v", b, err)
	}
	if b := begin(t, open(t, s)); b.Base != 1 || len(b.FellBack) != 0 {
		t.Errorf("the next coordinator begins with %+v", b)
	}
}

// When the first records were removed, the beginning is no place to go back to any more.
func TestNothingLeft(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	begin(t, l)
	for e := uint64(1); e <= 5; e++ {
		commit(t, l, s, "t", e)
	}
	if _, err := l.Clean(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	for e := 3; e <= 5; e++ {
		remove(t, s, area+"manifests/"+digits(e))
	}
	_, err := open(t, s).Begin(t.Context(), checkpoint.Start{})
	if !errors.Is(err, checkpoint.ErrNothingLeft) || !strings.Contains(err.Error(), "3 were tried, the newest: ") || !strings.Contains(err.Error(), "gearstorm.checkpoint.from") {
		t.Errorf("it begins with %v", err)
	}
}

// A store that is out of reach, or written by a later program, is no reason to fall back.
func TestNoFallBackBecauseOfTheStore(t *testing.T) {
	s := &storetest.Faulty{Store: new(checkpoint.Memory)}
	l := open(t, s)
	begin(t, l)
	commit(t, l, s, "t", 1)
	away := errors.New("the store is out of reach")
	for n := range 20 {
		before := s.Calls()
		s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
			if c.N == before+n+1 {
				return storetest.Fault{Err: away}
			}
			return storetest.Fault{}
		}
		b, err := open(t, s).Begin(t.Context(), checkpoint.Start{})
		if err == nil {
			if b.Base != 1 || s.Calls() > before+n {
				t.Errorf("without a fault it begins with %+v", b)
			}
			break
		}
		if !errors.Is(err, away) || errors.Is(err, checkpoint.ErrFenced) {
			t.Errorf("call %d out of reach: %v", n, err)
		}
	}
	s.On = nil
	damage(t, s, area+"log/"+digits(2), func(b string) string {
		head, body, _ := strings.Cut(b, "\n")
		head = strings.Replace(head[:strings.LastIndexByte(head, ' ')], "record 1 ", "record 2 ", 1)
		return fmt.Sprintf("%s %016x\n%s", head, xxhash.Sum64String(head+body), body)
	})
	if _, err := open(t, s).Begin(t.Context(), checkpoint.Start{}); err == nil || checkpoint.Lost(err) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a record of a later version: %v", err)
	}
}

// The answer to a commit is lost. Whatever is written next finds out what became of it.
func TestDoubt(t *testing.T) {
	lost := errors.New("no answer")
	for _, written := range []bool{true, false} {
		for _, next := range []string{"commit", "begin", "reserve", "another coordinator"} {
			t.Run(fmt.Sprintf("written %v then %s", written, next), func(t *testing.T) {
				s := &storetest.Faulty{Store: new(checkpoint.Memory)}
				l := open(t, s)
				begin(t, l)
				commit(t, l, s, "t", 1)
				s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
					if c.Name == area+"log/"+digits(3) && c.Op == storetest.PutIfAbsent {
						return storetest.Fault{Err: lost, After: written}
					}
					return storetest.Fault{}
				}
				if _, err := l.Commit(t.Context(), manifest(2)); !errors.Is(err, lost) {
					t.Fatal(err)
				}
				s.On = nil
				base := uint64(1)
				if written {
					base = 2
				}
				switch next {
				case "commit":
					commit(t, l, s, "t", 3)
					base = 3
				case "begin":
					if b := begin(t, l); b.Base != base {
						t.Errorf("it begins with %d, want %d", b.Base, base)
					}
				case "reserve":
					if _, err := l.Reserve(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if b := begin(t, open(t, s)); b.Base != base {
					t.Errorf("another one begins with %d, want %d", b.Base, base)
				}
			})
		}
	}
}

// Epochs that a coordinator may have cut are left out by the next one, even if records of theirs are damaged.
func TestEpochsAreNeverUsedTwice(t *testing.T) {
	s := new(checkpoint.Memory)
	var cut []uint64
	for round := range 6 {
		l := open(t, s)
		b := begin(t, l)
		for e := b.First; e <= b.Limit; e++ {
			if slices.Contains(cut, e) {
				t.Fatalf("epoch %d is cut again", e)
			}
			cut = append(cut, e)
		}
		commit(t, l, s, "t", b.Limit)
		if round%2 == 1 {
			damage(t, s, area+"log/"+digits(2*round+2), flip)
			damage(t, s, area+"log/"+digits(2*round+1), flip)
		}
	}
}

// A checkpoint is cut off before and after each of its steps (parts, manifest, record, what follows it): the next coordinator begins with
// it or with the one before, as a whole, and with it if it was said to count.
func TestCommitMayEndAnywhere(t *testing.T) {
	gone := errors.New("gone")
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			s := &storetest.Faulty{Store: new(checkpoint.Memory)}
			l := open(t, s)
			begin(t, l)
			shared := commit(t, l, s, "t", 1)
			before := s.Calls()
			s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
				if c.N >= before+n {
					return storetest.Fault{Err: gone, After: after && c.N == before+n}
				}
				return storetest.Fault{}
			}
			f, err := checkpoint.NewVault(s, "t", 2).Put(t.Context(), "delta", strings.NewReader("2"))
			if err == nil {
				_, err = l.Commit(t.Context(), manifest(2, shared, f))
			}
			s.On = nil
			b := begin(t, open(t, s))
			if len(b.FellBack) > 0 || b.Base != 1 && b.Base != 2 || err == nil && b.Base != 2 {
				t.Errorf("cut off at call %d (%v) with %v, it begins with %+v", n, after, err, b)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, gone) {
				t.Error(err)
			}
		}
	}
}

// A reason may be as long as an error of user code, and a manifest may name what it likes.
func TestLongReasonsAndBadNames(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	if _, err := l.Begin(t.Context(), checkpoint.Start{Reason: strings.Repeat("\x00ü", 100_000)}); err != nil {
		t.Fatal(err)
	}
	commit(t, l, s, "t", 1)
	for i, name := range []string{"x", "", "../x", "topologies/t/log/1", "topologies/t/files/a/b", "topologies/../files/a", strings.Repeat("x", 10_000)} {
		if _, err := l.Commit(t.Context(), manifest(uint64(i+2), gearcore.File{Name: name})); err != nil {
			t.Fatal(err)
		}
		if b := begin(t, open(t, s)); b.Base != 1 || len(b.FellBack) != 1 || b.FellBack[0].Record > 0 {
			t.Errorf("with a file %.20q it begins with %+v", name, b)
		}
		l = open(t, s)
		begin(t, l)
	}
}

func FuzzRecords(f *testing.F) {
	s := new(checkpoint.Memory)
	l, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: s, Topology: "t"})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := l.Begin(f.Context(), checkpoint.Start{}); err != nil {
		f.Fatal(err)
	}
	if _, err := l.Commit(f.Context(), manifest(1)); err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{area + "log/" + digits(1), area + "log/" + digits(2), area + "manifests/" + digits(1)} {
		r, err := s.Get(f.Context(), name)
		if err != nil {
			f.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, b)
	}
	f.Add([]byte("gearstorm record 1 2 0000000000000000\n{}"), []byte(""))
	f.Fuzz(func(t *testing.T, record, m []byte) {
		s := new(checkpoint.Memory)
		for name, b := range map[string][]byte{area + "log/" + digits(1): record, area + "log/" + digits(2): record, area + "manifests/" + digits(1): m, "savepoints/s": m} {
			if err := s.Put(t.Context(), name, strings.NewReader(string(b))); err != nil {
				t.Fatal(err)
			}
		}
		l, err := checkpoint.OpenLog(checkpoint.LogConfig{Store: s, Topology: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := l.Begin(t.Context(), checkpoint.Start{}); err == nil && b.Generation != 3 {
			t.Errorf("generation %d begins behind two records", b.Generation)
		}
		checkpoint.ReadSavepoint(t.Context(), s, "s")
	})
}
