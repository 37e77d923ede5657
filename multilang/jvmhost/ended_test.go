package jvmhost

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// waits is the executor of a task, which takes nothing while it waits for room.
type waits struct {
	posted bool
	said   error
}

func (w *waits) Post(int, func(*gearcore.Collector)) error { w.posted = true; return nil }
func (w *waits) Report(err error) error                    { w.said = err; return nil }

// Who keeps the process running does not wait for an executor, which may wait for what the next process is to execute.
func TestLossIsToldWithoutWaiting(t *testing.T) {
	h, err := NewHost(Config{Args: []string{"Main"}})
	if err != nil {
		t.Fatal(err)
	}
	w := &waits{}
	b, err := h.NewBolt(Spec{})
	if err != nil {
		t.Fatal(err)
	}
	b.ctx, b.async = &gearcore.Context{Task: 1}, gearcore.NewAsync(w)
	h.attach(&b.task)
	lost := &LostError{PID: 5}
	h.report(lost)
	if w.posted || !errors.Is(w.said, lost) {
		t.Errorf("posted %v, told %v", w.posted, w.said)
	}
}

// An executor that has ended takes nothing of what Java still says, which is not Java's fault: other tasks have their work in the same process.
func TestEndedExecutorCostsNoProcess(t *testing.T) {
	h, err := NewHost(Config{Args: []string{"Main"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.NewBolt(Spec{})
	if err != nil {
		t.Fatal(err)
	}
	b.ctx = &gearcore.Context{Task: 1}
	h.attach(&b.task)
	for _, c := range []struct {
		why  error
		dies bool
	}{{gearcore.ErrClosed, false}, {fmt.Errorf("reply: %w", gearcore.ErrClosed), false}, {errClosedByJava, true}} {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		l := &life{cmd: cmd}
		h.now = l
		h.lost(b.id, l, c.why)
		if got := l.cause != nil; got != c.dies {
			t.Errorf("%v: the process is killed: %v, want %v", c.why, got, c.dies)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// The book of what left Java with trees that stay there ends with the task, whose executor cannot be told any more.
func TestExportsEndWithTheirTask(t *testing.T) {
	h, err := NewHost(Config{Args: []string{"Main"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.NewBolt(Spec{})
	if err != nil {
		t.Fatal(err)
	}
	books := &oneBook{}
	b.ctx, b.async = &gearcore.Context{Task: 1}, gearcore.NewAsync(&waits{})
	b.cur = newChannel(&b.task, nil, nil)
	b.cur.exports = newExports(books, b.cur, time.Second)
	b.cur.exports.open(1, time.Now())
	if b.Close(); !books.closed {
		t.Error("the book is still open")
	}
}
