package testserver

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func newProcess(t *testing.T) *Process {
	l := NewLauncher()
	t.Cleanup(l.Stop)
	return NewProcess(l, filepath.Join(t.TempDir(), "log"))
}

func TestProcessIsKilledAndStartedAgain(t *testing.T) {
	p := newProcess(t)
	if err := p.Signal(nil); err == nil || p.PID() != 0 {
		t.Errorf("one that was not started has process %d and takes signals: %v", p.PID(), err)
	}
	last := 0
	for range 2 {
		if err := p.Start(exec.Command("sleep", "1000")); err != nil {
			t.Fatal(err)
		}
		if p.PID() == 0 || p.PID() == last {
			t.Errorf("it is process %d, before it was %d", p.PID(), last)
		}
		last = p.PID()
	}
	p.Kill()
	p.Kill()
	if p.PID() != 0 {
		t.Errorf("one that was killed is process %d", p.PID())
	}
}

func TestAwaitSaysWhyItDoesNotServe(t *testing.T) {
	p := newProcess(t)
	if err := p.Start(exec.Command("sh", "-c", "echo the port is taken; exit 1")); err != nil {
		t.Fatal(err)
	}
	no := func(context.Context) error { return errors.New("refused") }
	if err := p.Await(t.Context(), no); err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("one that ended: %v", err)
	}
	if err := p.Start(exec.Command("sleep", "1000")); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Await(ctx, no); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("one that does not serve: %v", err)
	}
	tries := 0
	third := func(context.Context) error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	if err := p.Await(t.Context(), third); err != nil || tries != 3 {
		t.Errorf("one that serves at the third look: %d looks, %v", tries, err)
	}
}

func TestFinish(t *testing.T) {
	p := newProcess(t)
	for script, want := range map[string]string{"true": "", "echo what is wrong; exit 3": "what is wrong"} {
		if err := p.Start(exec.Command("sh", "-c", script)); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", script, err)
		}
	}
	if err := p.Start(exec.Command("sleep", "1000")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Finish(ctx); !errors.Is(err, context.Canceled) || p.PID() != 0 {
		t.Errorf("when nobody waits any more: %v, process %d", err, p.PID())
	}
}

func TestStartTriesThreeTimes(t *testing.T) {
	for want, fails := range map[int]int{1: 0, 3: 2, -3: 9} {
		tries := 0
		_, err := Start(t.Context(), startLimit, func(context.Context) (int, error) {
			if tries++; tries <= fails {
				return 0, errors.New("the port is taken")
			}
			return 1, nil
		})
		if (err == nil) != (want > 0) || tries != max(want, -want) {
			t.Errorf("with %d failures: %d tries, %v", fails, tries, err)
		}
	}
}

// startLimit is more than what any of these takes.
const startLimit = 1 << 40
