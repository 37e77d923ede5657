package multilang

import (
	"errors"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A child that counts, and keeps every third tuple for itself.
const countingChild = `
import gearstorm
class Count(gearstorm.Bolt):
    n = 0
    def process(self, tup):
        self.n += 1
        self.emit([str(self.n)], anchors=[tup])
        if self.n % 3:
            self.ack(tup)
Count().run()
`

func (e *fakeEngine) restore() {
	e.t.Helper()
	done := make(chan error)
	e.do(func(*gearcore.Collector) { done <- e.bolt.(*Bolt).Restore(&gearcore.Recovery{}) })
	if err := <-done; err != nil {
		e.t.Fatal(err)
	}
}

func (e *fakeEngine) holding() bool {
	held := make(chan bool)
	e.do(func(*gearcore.Collector) { held <- e.bolt.(*Bolt).Holding() })
	return <-held
}

// What a child knew and had does not count after a rollback, and nobody calls that an error.
func TestRestoreBeginsAnew(t *testing.T) {
	e := startBolt(t, quick(python(t, countingChild)), nil)
	e.feed("a", "b", "c")
	e.eventually("it emits", func() bool { return len(e.emits) == 3 && len(e.acked) == 2 })
	pid := e.pid()
	if !e.holding() {
		t.Error("it does not hold the third tuple")
	}
	e.restore()
	if e.holding() {
		t.Error("it holds a tuple of before")
	}
	e.feed("d")
	e.eventually("it emits again", func() bool { return len(e.emits) == 4 && len(e.acked) == 3 })
	if got := e.snap(); !slices.Equal(got.vals(), []string{"1", "2", "3", "1"}) || len(got.failed) > 0 || len(got.errs) > 0 {
		t.Errorf("emitted %q, failed %q, errors %v", got.vals(), got.failed, got.errs)
	}
	if alive(pid) {
		t.Errorf("child %d lives on", pid)
	}
}

// A child that had no tuple yet is as good as new, also while it starts.
func TestRestoreKeepsAFreshChild(t *testing.T) {
	e := startBolt(t, quick(python(t, countingChild)), nil)
	e.restore()
	pid := e.pid()
	e.restore()
	e.feed("a")
	e.eventually("it emits", func() bool { return len(e.acked) == 1 })
	if got := e.pid(); got != pid {
		t.Errorf("child %d took the place of %d", got, pid)
	}
}

// A child that dies during a rollback is waited for.
func TestRestoreOfAChildThatDies(t *testing.T) {
	e := startBolt(t, quick(raw(t, `
import os.path
for m in tuples():
    if os.path.exists("died"):
        send({"command": "ack", "id": m["id"]})
        continue
    open("died", "w").close()
    sys.exit(1)`)), nil)
	e.feed("a")
	e.eventually("it is lost", e.hasError("restart 1"))
	e.restore()
	e.feed("b")
	e.eventually("it goes on", func() bool { return len(e.acked) == 1 })
}

// A Restore does not hold up the end of the engine.
func TestRestoreEndsWithTheEngine(t *testing.T) {
	e := newEngine(t, nil)
	e.start(NewBolt(quick([]string{"false"})), nil)
	ending := make(chan struct{})
	done := make(chan error)
	e.do(func(*gearcore.Collector) { done <- e.bolt.(*Bolt).Restore(&gearcore.Recovery{Ended: ending}) })
	close(ending)
	if err := <-done; !errors.Is(err, gearcore.ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}

// Close ends the wait of a Restore.
func TestCloseEndsRestore(t *testing.T) {
	b := NewBolt(quick([]string{"false"}))
	e := newEngine(t, nil)
	e.start(b, nil)
	e.eventually("it fails to start", func() bool { return len(e.errs) > 0 })
	ended := make(chan error)
	go func() {
		_, err := b.child.renew(nil, nil)
		ended <- err
	}()
	e.close()
	if err := <-ended; err == nil {
		t.Error("it said that there is a child")
	}
}
