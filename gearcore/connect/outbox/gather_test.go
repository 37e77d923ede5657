package outbox

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// givenUp has a box make so many checkpoints that do not count, with a record in each, and returns the records and the last one's part.
func givenUp(t *testing.T, b *Box, e *connecttest.Executor, v gearcore.Vault, checkpoints int) (want []string, part gearcore.TaskPart) {
	t.Helper()
	for i := range checkpoints {
		want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat("x", 10)))
		if err := b.Add([]byte(want[i]), e.C); err != nil {
			t.Fatal(err)
		}
		part = freezeIn(t, b, uint64(i+1), v)
	}
	return want, part
}

// However many checkpoints are given up, as in a store that is full for a day, the next one can be made, and all comes once, in order.
func TestCheckpointsThatAreGivenUp(t *testing.T) {
	const checkpoints = 1000
	for _, memory := range []int{150, 1 << 20} {
		target, v := newCalm(), connecttest.NewVault()
		b, e, err := begin(t, Options{MemoryBytes: memory}, target)
		if err != nil {
			t.Fatal(err)
		}
		want, part := givenUp(t, b, e, v, checkpoints)
		if n := b.Waiting(); n > keptApart {
			t.Errorf("%d batches wait", n)
		}
		b.Commit(checkpoints)
		for b.Waiting() > 0 && t.Context().Err() == nil {
			runtime.Gosched()
		}
		if got := target.w.seen(); !slices.Equal(got, want) {
			t.Errorf("%d records are visible, want %d", len(got), checkpoints)
		}
		again, other := newCalm(), New(Options{}, e.Async())
		t.Cleanup(other.Close)
		again.w.newest["id"] = 0
		r := &gearcore.Recovery{Epoch: checkpoints, Parts: []gearcore.TaskPart{part}, Tasks: 1, Vault: v}
		if err := other.Restore(r, "id", again); err != nil {
			t.Fatal(err)
		}
		if got := again.w.seen(); !slices.Equal(got, want) {
			t.Errorf("%d records are visible after a restore, want %d", len(got), checkpoints)
		}
	}
}

// Batches that cannot be written into one stay as they are.
func TestBatchesThatStayApart(t *testing.T) {
	target := newCalm()
	b, e, err := begin(t, Options{MemoryBytes: 20, Dir: filepath.Join(t.TempDir(), "none")}, target)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := givenUp(t, b, e, connecttest.NewVault(), 2*keptApart)
	b.Commit(2 * keptApart)
	for b.Waiting() > 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	if got := target.w.seen(); !slices.Equal(got, want) {
		t.Errorf("%q are visible, want %q", got, want)
	}
}

// Batches grow to BehindBytes, and what is complete is not in memory.
func TestLargeBatchesStayApart(t *testing.T) {
	target := newCalm()
	b, e, err := begin(t, Options{BehindBytes: 100}, target)
	if err != nil {
		t.Fatal(err)
	}
	const checkpoints = 50
	want, _ := givenUp(t, b, e, connecttest.NewVault(), checkpoints)
	inMemory := 0
	for _, w := range b.waiting[keptApart-1:] {
		if w.spool.bytes() > 100 {
			t.Errorf("batch %d has %d bytes", w.number, w.spool.bytes())
		}
		if len(w.spool.mem) > 0 {
			inMemory++
		}
	}
	if n := b.Waiting(); n > checkpoints/3 || inMemory > 2 {
		t.Errorf("%d batches wait, %d of them in memory", n, inMemory)
	}
	b.Commit(checkpoints)
	for b.Waiting() > 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	if got := target.w.seen(); !slices.Equal(got, want) {
		t.Errorf("%q are visible, want %q", got, want)
	}
}

// A batch that is being saved is not changed meanwhile.
func TestBatchThatIsBeingSaved(t *testing.T) {
	b, e, err := begin(t, Options{}, newCalm())
	if err != nil {
		t.Fatal(err)
	}
	v := connecttest.NewVault()
	givenUp(t, b, e, v, keptApart)
	f, err := b.Freeze(keptApart + 1)
	if err != nil {
		t.Fatal(err)
	}
	b.Add([]byte("later"), e.C)
	freezeIn(t, b, keptApart+2, v)
	if n := b.Waiting(); n != keptApart+1 {
		t.Errorf("%d batches wait, want %d", n, keptApart+1)
	}
	f.Drop()
	freezeIn(t, b, keptApart+3, v)
	if n := b.Waiting(); n != keptApart {
		t.Errorf("%d batches wait, want %d", n, keptApart)
	}
}

// What could not be read again is not taken.
func TestRecordIsBounded(t *testing.T) {
	b, e, err := begin(t, Options{}, newCalm())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add(make([]byte, MaxRecord+1), e.C); err == nil {
		t.Error("a record was taken that cannot be published")
	}
}

// What another class had under the component's id is nothing that another try helps with.
func TestPartOfAnotherClass(t *testing.T) {
	for _, inline := range []string{`[{"temp":".part-0-1-1"}]`, `{"files":{"a":{"offset":1}}}`, "x"} {
		_, _, err := begin(t, Options{}, newCalm(), gearcore.TaskPart{Part: gearcore.Part{Inline: []byte(inline)}})
		if !errors.As(err, new(*gearcore.MisfitError)) {
			t.Errorf("%s: error %v", inline, err)
		}
	}
}

// A target that says nothing is told of.
func TestTargetThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := newCalm()
		target.gate = make(chan struct{})
		b, e, err := begin(t, Options{}, target)
		if err != nil {
			t.Fatal(err)
		}
		b.Add([]byte("a"), e.C)
		freeze(t, b, 1)
		b.Commit(1)
		time.Sleep(2 * slow)
		if e.Run(); len(e.Errors) != 1 || !strings.Contains(e.Errors[0].Error(), "batch 1 of epoch 1") {
			t.Errorf("errors %v", e.Errors)
		}
	})
}

// forgetful is a target that has to be reminded.
type forgetful struct {
	*calm
	mu    sync.Mutex
	times int
	err   error
}

func (f *forgetful) Refresh(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times++
	return f.err
}

func (f *forgetful) refreshed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.times
}

// A target that forgets is reminded also where nothing is published; if another has the identity by then, the task stops.
func TestTargetIsReminded(t *testing.T) {
	target := &forgetful{calm: newCalm()}
	b, e, err := begin(t, Options{}, target)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := uint64(1); target.refreshed() < 3 && t.Context().Err() == nil; epoch++ {
		freeze(t, b, epoch)
		b.Commit(epoch)
	}
	target.mu.Lock()
	target.err = ErrFenced
	target.mu.Unlock()
	b.Commit(1)
	for len(e.Losses) == 0 && t.Context().Err() == nil { // a task without input finds nothing out by itself
		time.Sleep(time.Millisecond)
		e.Run()
	}
	if err = b.Add([]byte("a"), e.C); !errors.Is(err, ErrFenced) || !errors.Is(e.Losses[0], ErrFenced) {
		t.Errorf("error %v, losses %v", err, e.Losses)
	}
}
