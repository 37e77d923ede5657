package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint/storetest"
)

// open returns the log of topology "t".
func open(t *testing.T, s checkpoint.Store, change ...func(*checkpoint.LogConfig)) *checkpoint.Log {
	t.Helper()
	c := checkpoint.LogConfig{Store: s, Topology: "t"}
	for _, f := range change {
		f(&c)
	}
	l, err := checkpoint.OpenLog(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func begin(t *testing.T, l *checkpoint.Log) checkpoint.Began {
	t.Helper()
	b, err := l.Begin(t.Context(), checkpoint.Start{Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// commit writes a checkpoint of one task with one file of its own and those of before.
func commit(t *testing.T, l *checkpoint.Log, s checkpoint.Store, topology string, epoch uint64, before ...gearcore.File) gearcore.File {
	t.Helper()
	f, err := checkpoint.NewVault(s, topology, epoch).Put(t.Context(), "delta", strings.NewReader(fmt.Sprintf("epoch %d", epoch)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Commit(t.Context(), manifest(epoch, append(before, f)...)); err != nil {
		t.Fatal(err)
	}
	return f
}

func manifest(epoch uint64, files ...gearcore.File) *checkpoint.Manifest {
	return &checkpoint.Manifest{Epoch: epoch, Components: []checkpoint.Component{{Name: "count", Parts: []gearcore.TaskPart{
		{Task: 1, Part: gearcore.Part{Files: files, Note: fmt.Sprintf("version %d", epoch)}},
	}}}}
}

func TestLogGoesOnWhereItWas(t *testing.T) {
	s := new(checkpoint.Memory)
	l := open(t, s)
	if b := begin(t, l); b.Generation != 1 || b.Base != 0 || b.First != 1 || b.Limit < b.First {
		t.Errorf("the first generation is %+v", b)
	}
	commit(t, l, s, "t", 1)
	commit(t, l, s, "t", 3)
	b := begin(t, l)
	if b.Generation != 4 || b.Base != 3 || b.First <= 3 || len(b.FellBack) > 0 {
		t.Errorf("the second generation is %+v", b)
	}
	m, err := checkpoint.ReadManifest(t.Context(), s, "t", 3)
	if err != nil || m.Topology != "t" || m.Components[0].Parts[0].Note != "version 3" || m.Time.IsZero() {
		t.Errorf("its manifest is %+v, %v", m, err)
	}
	other := open(t, s)
	if b := begin(t, other); b.Generation != 5 || b.Base != 3 || b.First <= 3 {
		t.Errorf("another coordinator begins with %+v", b)
	}
}

// A coordinator that was replaced finds its place in the chain taken, whatever it wants to write, and stays out.
// What counts is listed: not what a later generation left aside, nor what was removed.
func TestCounting(t *testing.T) {
	s := new(checkpoint.Memory)
	if got, err := checkpoint.Counting(t.Context(), s, "t"); err != nil || len(got) != 0 {
		t.Errorf("of no checkpoints: %v, %v", got, err)
	}
	l := open(t, s)
	first := begin(t, l).First
	for i := range uint64(3) {
		commit(t, l, s, "t", first+i)
	}
	if got, err := checkpoint.Counting(t.Context(), s, "t"); err != nil || !slices.Equal(got, []uint64{first, first + 1, first + 2}) {
		t.Errorf("%v, %v", got, err)
	}
	again := open(t, s)
	if _, err := again.Begin(t.Context(), checkpoint.Start{Reason: "test", Below: first + 2}); err != nil {
		t.Fatal(err)
	}
	if got, err := checkpoint.Counting(t.Context(), s, "t"); err != nil || !slices.Equal(got, []uint64{first, first + 1}) {
		t.Errorf("after a generation that begins below the last one: %v, %v", got, err)
	}
	if got, err := checkpoint.Counting(t.Context(), s, "other"); err != nil || len(got) != 0 {
		t.Errorf("of another topology: %v, %v", got, err)
	}
}

func TestLogFences(t *testing.T) {
	for name, write := range map[string]func(context.Context, *checkpoint.Log) error{
		"commit": func(ctx context.Context, l *checkpoint.Log) error { _, err := l.Commit(ctx, manifest(2)); return err },
		"begin": func(ctx context.Context, l *checkpoint.Log) error {
			_, err := l.Begin(ctx, checkpoint.Start{})
			return err
		},
		"reserve": func(ctx context.Context, l *checkpoint.Log) error { _, err := l.Reserve(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) {
			s := new(checkpoint.Memory)
			old, other := open(t, s), open(t, s)
			begin(t, old)
			commit(t, old, s, "t", 1)
			begin(t, other)
			if err := write(t.Context(), old); !errors.Is(err, checkpoint.ErrFenced) {
				t.Fatalf("the old one gets %v", err)
			}
			if err := write(t.Context(), old); !errors.Is(err, checkpoint.ErrFenced) {
				t.Errorf("and then %v", err)
			}
			commit(t, other, s, "t", 20)
		})
	}
	t.Run("an older plan", func(t *testing.T) {
		s := new(checkpoint.Memory)
		if _, err := open(t, s).Begin(t.Context(), checkpoint.Start{Plan: 7}); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, s).Begin(t.Context(), checkpoint.Start{Plan: 6}); !errors.Is(err, checkpoint.ErrFenced) {
			t.Errorf("a process with an older plan gets %v", err)
		}
	})
}

// A coordinator sleeps for so long that another one has written records with its numbers, and has removed them again.
func TestLogFencesAfterCleaning(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*testing.T, checkpoint.Store, *checkpoint.Log)
		write  func(context.Context, *checkpoint.Log) error
	}{
		"commit": {
			func(t *testing.T, s checkpoint.Store, l *checkpoint.Log) { begin(t, l); commit(t, l, s, "t", 1) },
			func(ctx context.Context, l *checkpoint.Log) error { _, err := l.Commit(ctx, manifest(2)); return err },
		},
		"begin": {
			func(t *testing.T, s checkpoint.Store, l *checkpoint.Log) { begin(t, l) },
			func(ctx context.Context, l *checkpoint.Log) error {
				_, err := l.Begin(ctx, checkpoint.Start{})
				return err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(checkpoint.Memory)
			old, other := open(t, s), open(t, s)
			c.before(t, s, old)
			first := begin(t, other).First
			for e := first; e < first+5; e++ {
				commit(t, other, s, "t", e)
			}
			clean(t, other, first+4)
			if err := c.write(t.Context(), old); !errors.Is(err, checkpoint.ErrFenced) {
				t.Fatalf("it gets %v", err)
			}
			if b := begin(t, open(t, s)); b.Base != first+4 || b.First <= first+5 {
				t.Errorf("the next one begins with %+v", b)
			}
		})
	}
	t.Run("the first record of all", func(t *testing.T) {
		s := &storetest.Faulty{Store: new(checkpoint.Memory)}
		slow := true
		s.On = func(_ context.Context, c storetest.Call) storetest.Fault {
			if slow && c.Op == storetest.PutIfAbsent {
				slow = false
				other := open(t, s)
				begin(t, other)
				for e := uint64(1); e <= 5; e++ {
					commit(t, other, s, "t", e)
				}
				clean(t, other, 5)
			}
			return storetest.Fault{}
		}
		if b := begin(t, open(t, s)); b.Base != 5 {
			t.Errorf("who was slow begins with %+v", b)
		}
	})
}

func TestVault(t *testing.T) {
	s := new(checkpoint.Memory)
	v := checkpoint.NewVault(s, "word count/β", 7)
	a, err := v.Put(t.Context(), "groups-1", strings.NewReader("content"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.Put(t.Context(), "groups-1", strings.NewReader("content"))
	if err != nil || a.Name == b.Name || a.Sum != b.Sum || a.Bytes != 7 {
		t.Errorf("put twice: %+v, %+v, %v", a, b, err)
	}
	read := func(f gearcore.File) (string, error) {
		r, err := v.Get(t.Context(), f)
		if err != nil {
			return "", err
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		return string(b), err
	}
	if got, err := read(a); got != "content" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	for _, damaged := range []string{"contenT", "conten", "contents", ""} {
		if err := s.Put(t.Context(), a.Name, strings.NewReader(damaged)); err != nil {
			t.Fatal(err)
		}
		if got, err := read(a); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("%q passes as %q, %v", damaged, got, err)
		}
	}
	if r, err := v.Get(t.Context(), a); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("a small file that is damaged opens: %v, %v", r, err)
	}
	large := strings.Repeat("x", 2<<20)
	c, err := v.Put(t.Context(), "large", strings.NewReader(large))
	if err == nil {
		err = checkpoint.Verify(t.Context(), v, []gearcore.TaskPart{{Part: gearcore.Part{Files: []gearcore.File{c}}}})
	}
	if err == nil {
		err = s.Put(t.Context(), c.Name, strings.NewReader(large[1:]+"y"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Verify(t.Context(), v, []gearcore.TaskPart{{Part: gearcore.Part{Files: []gearcore.File{c}}}}); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("a large file that is damaged: %v", err)
	}
	if _, err := read(gearcore.File{Name: "topologies/t/files/x"}); !checkpoint.Lost(err) {
		t.Errorf("what is not there: %v", err)
	}
	if _, err := read(gearcore.File{Name: "../secret"}); err == nil || checkpoint.Lost(err) {
		t.Errorf("a bad name: %v", err)
	}
	for _, bad := range []string{"a/b", "..", "ä", strings.Repeat("x", 200)} {
		if _, err := v.Put(t.Context(), bad, strings.NewReader("")); err == nil {
			t.Errorf("hint %q passes", bad)
		}
	}
	if _, err := checkpoint.NewVault(s, "t", 0).Put(t.Context(), "x", strings.NewReader("")); err == nil {
		t.Error("files can be written for no epoch")
	}
}
