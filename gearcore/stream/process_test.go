package stream

import (
	"errors"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// ringing is a Processor with timers.
type ringing struct {
	ProcessFunc[string, string, string]
}

func (ringing) Timer(time.Time, *Scope[string, string]) error { return nil }

// TestTimersThatNobodyTakes: a processor without timers does not take up a checkpoint with some, and says what to do; without any it does.
func TestTimersThatNobodyTakes(t *testing.T) {
	open := func(p Processor[string, string, string]) *stateTask {
		t.Helper()
		top := New("t")
		words := KeyBy(From(top, "in", Slice[string](nil)), "word", same)
		To(Process(words, "step", func(*State[string]) Processor[string, string, string] { return p }), "out", nothing)
		cs, err := top.Components()
		if err != nil {
			t.Fatal(err)
		}
		task, _ := openState(t, cs[1], realClock{})
		return task
	}
	silent := ProcessFunc[string, string, string](func(string, *Scope[string, string]) error { return nil })
	with, without := open(ringing{silent}), open(silent)
	if err := restoreState(with); err != nil {
		t.Fatal(err)
	}
	if err := restoreState(without, connecttest.Part(t, with, 1, connecttest.NewVault())); err != nil {
		t.Error(err)
	}
	with.op.(*processStep[string, string, string]).events.Set("k", 1000)
	part := connecttest.Part(t, with, 2, connecttest.NewVault())
	if err := restoreState(without, part); !errors.As(err, new(*gearcore.MisfitError)) {
		t.Errorf("error %v", err)
	}
	if err := restoreState(open(ringing{silent}), part); err != nil {
		t.Error(err)
	}
}
