package multilang

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// A child that dies while Restore waits for it is reported, with what it printed, and is why Restore fails. The next Restore has the next child.
func TestChildDiesDuringRestore(t *testing.T) {
	e := startBolt(t, quick(python(t, `
import os, sys
if not os.path.exists("well"):
    sys.stderr.write("no such model")
    sys.exit(3)
import gearstorm
class Ack(gearstorm.Bolt):
    def process(self, tup):
        self.ack(tup)
Ack().run()`)), nil)
	done := make(chan error)
	restore := func() error {
		e.do(func(*gearcore.Collector) { done <- e.bolt.(*Bolt).Restore(&gearcore.Recovery{}) })
		return <-done
	}
	var lost *ChildError
	if err := restore(); !errors.As(err, &lost) || !lost.Lost() || lost.Exit != "exit status 3" || !strings.Contains(lost.Stderr, "no such model") {
		t.Errorf("Restore ended with %v", err)
	}
	e.eventually("it is reported", e.hasError("exit status 3; restart 1"))
	if err := os.WriteFile(filepath.Join(e.ctx.CodeDir, "well"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for restore() != nil { // children that had begun before
	}
	e.feed("a")
	e.eventually("it goes on", func() bool { return len(e.acked) == 1 })
}

// A Restore does not hold up the end of the engine.
func TestRestoreEndsWithTheEngine(t *testing.T) {
	e := newEngine(t, nil)
	e.start(NewBolt(quick([]string{"sleep", "1000"})), nil)
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
	b := NewBolt(quick([]string{"sleep", "1000"}))
	e := newEngine(t, nil)
	e.start(b, nil)
	e.eventually("it has started", func() bool { return e.pid() != 0 })
	ended := make(chan error)
	go func() {
		_, err := b.child.renew(nil, nil)
		ended <- err
	}()
	e.close()
	if err := <-ended; !errors.Is(err, errStopped) && !errors.As(err, new(*ChildError)) {
		t.Errorf("it ended with %v", err)
	}
}
