package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// A source that follows its files from a checkpoint on goes on with what was appended to those that were read to their end before.
func TestSourceBeginsToFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	o := SourceOptions{Paths: []string{path}, Poll: time.Millisecond}
	write(t, path, "a\n")
	s, e := begin(t, o)
	if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Fatal(got, err)
	}
	part := freeze(t, s)
	write(t, path, "b\n")
	o.Follow = true
	s, e = begin(t, o, part)
	if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Error(got, err)
	}
}

// A source with other paths from a checkpoint on leaves alone what it read before, and goes on there if the paths come back.
func TestSourceWithOtherPaths(t *testing.T) {
	dir := t.TempDir()
	before, after := filepath.Join(dir, "before"), filepath.Join(dir, "after")
	var part gearcore.TaskPart
	for i, step := range []struct {
		path string
		want []string
	}{{before, []string{"0"}}, {after, []string{"0", "1"}}, {dir + "/./befor?", []string{"1", "2"}}} {
		write(t, before, fmt.Sprintf("%d\n", i))
		write(t, after, fmt.Sprintf("%d\n", i))
		o := SourceOptions{Paths: []string{step.path}, Follow: true, Poll: time.Millisecond}
		s, e := begin(t, o, part)
		if got, err := drain(s, e); err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, %v", step.path, got, err)
		}
		part = freeze(t, s)
	}
}

// A followed file that is gone for long is forgotten, so that a source does not keep in mind all files that there ever were. One that is back soon is
// read on, and so are all if their file system was away.
func TestSourceForgetsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "a\n")
	write(t, b, "b\n")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	away := dir + "-away"
	var part gearcore.TaskPart
	for _, step := range []struct {
		name   string
		do     func()
		passes time.Duration
		want   []string
		places int
	}{
		{name: "all are there", want: []string{"a", "b"}, places: 2},
		{name: "none is", do: func() { move(dir, away) }, places: 2},
		{name: "for long", passes: 25 * time.Hour, places: 2},
		{name: "all are back", do: func() { move(away, dir); write(t, a, "a2\n") }, want: []string{"a2"}, places: 2},
		{name: "one goes", do: func() { move(a, away) }, places: 2},
		{name: "for a while", passes: 23 * time.Hour, places: 2},
		{name: "it is back", do: func() { move(away, a); write(t, a, "a3\n") }, want: []string{"a3"}, places: 2},
		{name: "it goes again", do: func() { os.Remove(a) }, passes: 23 * time.Hour, places: 2},
		{name: "for long", passes: 25 * time.Hour, places: 1},
		{name: "there is another one", do: func() { write(t, a, "a4\n") }, want: []string{"a4"}, places: 2},
	} {
		if step.do != nil {
			step.do()
		}
		s, e := begin(t, SourceOptions{Paths: []string{filepath.Join(dir, "*")}, Follow: true}, part)
		for _, p := range s.places {
			if p.Gone > 0 {
				p.Gone -= step.passes.Milliseconds()
			}
		}
		if got, err := drain(s, e); err != nil || !slices.Equal(got, step.want) || len(s.places) != step.places {
			t.Errorf("%s: %q, %d places, %v", step.name, got, len(s.places), err)
		}
		part = freeze(t, s)
	}
}

// Where one of several patterns finds nothing the file system of its files may be away: none of them is forgotten, however long it takes.
func TestSourceForgetsNoFileSystem(t *testing.T) {
	root := t.TempDir()
	here, there, away := filepath.Join(root, "here"), filepath.Join(root, "there"), filepath.Join(root, "away")
	for _, dir := range []string{here, there} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "in"), filepath.Base(dir)+"\n")
	}
	var part gearcore.TaskPart
	for _, step := range []struct {
		name     string
		from, to string // what is moved
		passes   time.Duration
		want     []string
	}{
		{name: "all are there", want: []string{"here", "there"}}, {name: "one is away", from: there, to: away}, {name: "for long", passes: 25 * time.Hour},
		{name: "it is back", from: away, to: there},
	} {
		if step.from != "" {
			if err := os.Rename(step.from, step.to); err != nil {
				t.Fatal(err)
			}
		}
		s, e := begin(t, SourceOptions{Paths: []string{filepath.Join(here, "*"), filepath.Join(there, "*")}, Follow: true}, part)
		for _, p := range s.places {
			if p.Gone > 0 {
				p.Gone -= step.passes.Milliseconds()
			}
		}
		if got, err := drain(s, e); err != nil || !slices.Equal(got, step.want) || len(s.places) != 2 {
			t.Errorf("%s: %q, %d places, %v", step.name, got, len(s.places), err)
		}
		part = freeze(t, s)
	}
}

// A sink that writes into another directory from a checkpoint on finishes what was begun where it was begun, or where it was moved to.
func TestSinkWithAnotherDirectory(t *testing.T) {
	for _, moved := range []bool{false, true} {
		before, after := filepath.Join(t.TempDir(), "before"), filepath.Join(t.TempDir(), "after")
		s, e := openSink(t, before)
		s.Execute(e.Tuple("a"), e.C)
		part := freeze(t, s)
		want := before
		if moved {
			if err := os.Rename(before, after); err != nil {
				t.Fatal(err)
			}
			want = after
		}
		task, err := NewSink(SinkOptions{Dir: after})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(task.Close)
		task.Open(e.Context, e.C)
		r := &gearcore.Recovery{Epoch: 1, Parts: []gearcore.TaskPart{part}, Tasks: 1, Vault: connecttest.NewVault()}
		if err := task.(*Sink).Restore(r); err != nil {
			t.Fatal(err)
		}
		if got := records(t, want); !slices.Equal(got, []string{"a"}) {
			t.Errorf("moved %v: written %q", moved, got)
		}
	}
}

// A file whose name another one has by now, which is not shorter, is not taken for the one that was read: records would be lost, the first of them in part.
func TestSourceOfAnotherFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "in")
	long := strings.Repeat("x", 2*headBytes)
	for _, c := range []struct {
		policy   Policy
		restored bool
		want     []string
		err      error
	}{{Fail, true, nil, ErrReplaced}, {Fail, false, nil, ErrReplaced}, {Restart, true, []string{"c", "d", "e"}, nil}, {Restart, false, []string{"c", "d", "e"}, nil}} {
		if err := os.WriteFile(path, []byte("a\nb\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := SourceOptions{Paths: []string{path}, Follow: true, Poll: time.Millisecond, Truncated: c.policy}
		s, e := begin(t, o)
		if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{"a", "b"}) {
			t.Fatal(got, err)
		}
		if c.restored {
			s, e = begin(t, o, freeze(t, s))
		}
		if err := os.Rename(path, filepath.Join(dir, "rotated")); err != nil {
			t.Fatal(err)
		}
		write(t, path, "c\nd\ne\n")
		s.rest = time.Time{}
		if got, err := drain(s, e); !errors.Is(err, c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%s, restored %v: %q, %v", c.policy, c.restored, got, err)
		}
		if c.err != nil {
			continue
		}
		for range 3 { // one that grows stays the same
			write(t, path, long+"\n")
			s.rest = time.Time{}
			if got, err := drain(s, e); err != nil || !slices.Equal(got, []string{long}) {
				t.Errorf("%s, restored %v: %d records, %v", c.policy, c.restored, len(got), err)
			}
		}
	}
}
