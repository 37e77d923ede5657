package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// wall is a clock that a test sets.
type wall struct {
	now  time.Time
	ring func() // what AfterFunc was given last
}

func (c *wall) Now() time.Time { return c.now }

func (c *wall) AfterFunc(_ time.Duration, f func()) func() {
	c.ring = f
	return func() {}
}

func (c *wall) set(seconds int64) { c.now = time.Unix(seconds, 0) }

// openState returns the only task of a component with state, and its executor.
func openState(t *testing.T, c *Component, clock Clock) (*stateTask, *connecttest.Executor) {
	t.Helper()
	made, err := c.New(Env{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	task, e := made.(*stateTask), connecttest.NewExecutor(0, 1)
	t.Cleanup(task.Close)
	if err := task.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	return task, e
}

// restoreState has the task go on from parts.
func restoreState(task *stateTask, parts ...gearcore.TaskPart) error {
	return task.Restore(&gearcore.Recovery{Epoch: uint64(len(parts)), Parts: parts, Tasks: 1, Last: gearcore.KeyGroups - 1, Vault: connecttest.NewVault()})
}

// TestWindowsMoveToASlowClock has tasks of windows by the clock go on, one after the other, where the clock is behind: no window comes twice.
func TestWindowsMoveToASlowClock(t *testing.T) {
	top := New("t")
	words := KeyBy(From(top, "in", Slice[string](nil)), "word", same)
	counts := Count(Window(words, window.Tumbling(10*time.Second), ByClock()), "count")
	var panes []string
	To(counts, "out", SinkFunc[Pane[string, int64]](func(p Pane[string, int64], _ time.Time) error {
		panes = append(panes, p.String())
		return nil
	}))
	cs, err := top.Components()
	if err != nil {
		t.Fatal(err)
	}
	var clock wall
	var e *connecttest.Executor
	begin := func(parts ...gearcore.TaskPart) *windowStep[string, int64, string, int64] {
		t.Helper()
		task, on := openState(t, cs[1], &clock)
		e = on
		if err := restoreState(task, parts...); err != nil {
			t.Fatal(err)
		}
		return task.op.(*windowStep[string, int64, string, int64])
	}
	clock.set(5)
	s := begin()
	s.add("k", "a", noTime)
	clock.set(10)
	s.add("k", "b", noTime)

	part := connecttest.Part(t, s, 1, connecttest.NewVault())
	clock.set(8)
	s = begin(part)
	s.add("k", "c", noTime)
	for i, at := range []int64{18, 28} { // the window takes longer, as the task's clock is ahead: only so does the machine's catch up
		clock.set(at)
		clock.ring()
		e.Run()
		if len(panes) != 1+i {
			t.Errorf("panes %v at %d seconds", panes, at)
		}
	}
	s.add("k", "d", noTime)

	part = connecttest.Part(t, s, 2, connecttest.NewVault())
	clock.set(15)
	s = begin(part)
	s.add("k", "e", noTime)
	clock.set(60)
	s.add("k", "f", noTime)
	if want := []string{"k@[0,10000)=1", "k@[10000,20000)=2", "k@[20000,30000)=2"}; !slices.Equal(panes, want) {
		t.Errorf("panes %v, want %v", panes, want)
	}
}
