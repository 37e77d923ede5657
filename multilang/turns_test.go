package multilang

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Who has a turn keeps others waiting until he ends it, which he may do twice, or has had it for long.
func TestTurns(t *testing.T) {
	turns, never := NewTurns(0), make(chan struct{})
	end, ok := turns.take(never)
	if !ok {
		t.Fatal("the first got no turn")
	}
	stopped := make(chan struct{})
	close(stopped)
	if _, ok := turns.take(stopped); ok {
		t.Error("two have a turn, where one may")
	}
	end()
	end()
	if _, ok = turns.take(never); !ok {
		t.Error("there is no second turn")
	}
	if _, ok := turns.take(never); !ok { // the second does not end it
		t.Error("a turn lasts for ever")
	}
	if _, ok := (*Turns)(nil).take(stopped); !ok {
		t.Error("who has no turns to take waits for one")
	}
}

// up asks the bolt in its own time, so Open has returned afterwards.
func (e *fakeEngine) up() (up bool) {
	asked := make(chan struct{})
	e.do(func(*gearcore.Collector) {
		up = e.bolt.(*Bolt).Up()
		close(asked)
	})
	<-asked
	return up
}

func awaitUp(e *fakeEngine) {
	e.t.Helper()
	for deadline := time.Now().Add(time.Minute); !e.up(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatal("nobody knows within a minute what became of the child")
		}
	}
}

// A child whose turn has not come has not started, and need not to be closed; its turn is over when it has answered.
func TestChildrenTakeTurns(t *testing.T) {
	turns := NewTurns(1)
	turns.free <- struct{}{}
	spec := quick(python(t, countingChild))
	spec.Turns = turns
	first, closed := startBolt(t, spec, nil), startBolt(t, spec, nil)
	if first.up() || closed.up() || closed.pid() != 0 || first.pid() != 0 {
		t.Error("a child started before its turn")
	}
	closed.close()
	<-turns.free
	awaitUp(first)
	turns.free <- struct{}{} // its turn is over
	first.feed("a")
	first.eventually("it emits", func() bool { return len(first.acked) == 1 })
}

// What becomes of a child that ends before it answers is known, too.
func TestLostChildIsNotWaitedFor(t *testing.T) {
	e := startBolt(t, quick(python(t, "raise SystemExit(3)")), nil)
	awaitUp(e)
}
