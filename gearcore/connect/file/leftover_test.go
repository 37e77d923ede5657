package file

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// restored returns a sink of one task that begins in a generation.
func restored(t *testing.T, o SinkOptions, r *gearcore.Recovery) (*Sink, *connecttest.Executor, error) {
	t.Helper()
	task, err := NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	e := connecttest.NewExecutor(0, 1, "record")
	task.Open(e.Context, e.C)
	r.Tasks = 1
	return task.(*Sink), e, task.(*Sink).Restore(r)
}

// A task that is left over, whose machine stood still while it was restored, removes nothing of the one that has taken its place since.
func TestTaskThatIsLeftOver(t *testing.T) {
	o := SinkOptions{Dir: t.TempDir()}
	s, e, err := restored(t, o, &gearcore.Recovery{Generation: 6})
	if err != nil {
		t.Fatal(err)
	}
	s.Execute(e.Tuple("a"), e.C)
	freeze(t, s)
	if _, _, err := restored(t, o, &gearcore.Recovery{Generation: 5}); err != nil {
		t.Fatal(err)
	}
	s.Commit(1)
	for end := time.Now().Add(2 * time.Minute); !slices.Equal(records(t, o.Dir), []string{"a"}); e.Run() {
		if time.Now().After(end) {
			t.Fatalf("it is not published: %v", e.Errors)
		}
	}
	o.Existing = Remove
	ended := make(chan struct{})
	close(ended)
	if _, _, err := restored(t, o, &gearcore.Recovery{Generation: 5, Ended: ended}); !errors.Is(err, gearcore.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if got := records(t, o.Dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("left is %q", got)
	}
}

// What a task of an earlier generation left is removed, and what is so old that nobody writes it.
func TestHiddenFilesThatAreLeft(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".part-0-0000000004abcdef-1": 0, ".part-0-0000000005abcdef-1": 0, ".part-0-0000000006abcdef-1": 0, ".part-0-0000000006abcdef-2": 2 * stale,
		".part-0-abcdef0123456789-1": 0, ".part-0": 0,
	} {
		path := filepath.Join(dir, name)
		write(t, path, "")
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := restored(t, SinkOptions{Dir: dir}, &gearcore.Recovery{Generation: 6}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{".part-0", ".part-0-0000000006abcdef-1"}; !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q", left, want)
	}
}

// What another class had under the component's id is nothing that another try helps with.
func TestPartOfAnotherClass(t *testing.T) {
	parts := []gearcore.TaskPart{{Part: gearcore.Part{Inline: []byte(`{"id":"id-0","next":2}`)}}}
	if _, _, err := restored(t, SinkOptions{Dir: t.TempDir()}, &gearcore.Recovery{Epoch: 1, Parts: parts}); !errors.As(err, new(*gearcore.MisfitError)) {
		t.Errorf("error %v", err)
	}
}

// A reader takes a file away before a checkpoint counts that does not name it: a restart does not fail for that, if it is to be so.
func TestReadersTakeFilesAway(t *testing.T) {
	o := SinkOptions{Dir: t.TempDir()}
	s, e, err := restored(t, o, &gearcore.Recovery{})
	if err != nil {
		t.Fatal(err)
	}
	s.Execute(e.Tuple("a"), e.C)
	parts := []gearcore.TaskPart{freeze(t, s)}
	if err := s.waiting[0].publish(); err != nil {
		t.Fatal(err)
	}
	final := filepath.Join(o.Dir, "part-0-1")
	if err := os.Remove(final); err != nil {
		t.Fatal(err)
	}
	for lost, want := range map[Policy]error{Fail: ErrLost, Skip: nil} {
		o.Lost = lost
		if _, _, err := restored(t, o, &gearcore.Recovery{Epoch: 1, Parts: parts}); !errors.Is(err, want) {
			t.Errorf("%s: %v", lost, err)
		}
	}
	write(t, final, "another one\n")
	o.Lost = Skip
	if _, _, err := restored(t, o, &gearcore.Recovery{Epoch: 1, Parts: parts}); !errors.Is(err, ErrLost) {
		t.Errorf("another file in its place: %v", err)
	}
}
