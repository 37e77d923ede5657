package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// AtWork reports whether all tasks here are open and have begun (gearcore.Starter), where they are to be open at all.
func (e *Engine) AtWork() bool {
	if phase(e.phase.Load()) == fresh {
		return true
	}
	e.mu.Lock()
	open := e.toOpen == [2]int{}
	e.mu.Unlock()
	return open && !slices.ContainsFunc(e.executors(), func(x *executor) bool { return !x.hasBegun() })
}

// hasBegun says whether no task of x, which are open, waits for what it works with to come up.
func (x *executor) hasBegun() bool {
	return !slices.ContainsFunc(x.tasks, func(t *task) bool {
		s, ok := t.user().(gearcore.Starter)
		return ok && !s.Started()
	})
}

// prepared opens the tasks when it is time, and says whether they are open.
func (x *executor) prepared() bool {
	if x.opened || x.leaves != nil || x.barred.Load() || !x.e.mayOpen(x.role) || x.e.failed() {
		return x.opened
	}
	if x.unopened != nil {
		if x.e.cfg.Clock.Now()-x.unopenedAt >= takenBackWithin {
			x.e.fail(x.unopened)
		}
		return false
	}
	for _, t := range x.tasks {
		if t.begun {
			continue // a panic in Open came back here
		}
		t.begun = true
		if err := x.openTask(t); err != nil {
			x.openFailed(t, err)
			return false
		}
	}
	if x.timed != nil {
		x.timed.enter() // an order may have come before
	}
	if !x.counted && x.risen() { // once it is restored it is not asked any more
		x.counted = true
		x.e.countOpened(x)
	}
	x.opened = x.timed == nil || x.timed.ready()
	return x.opened
}

// risenWithin is how long the birth of a graph waits for what its tasks need beside themselves (gearcore.Riser). Then they wait for it in Restore.
const risenWithin = 20 * time.Second

// risen says whether the birth of the graph that x came with, whose tasks are open, may go on as far as they are concerned.
func (x *executor) risen() bool {
	if !x.onTrial || x.timed == nil || x.timed.restored || x.up() {
		return true
	}
	now := x.e.cfg.Clock.Now()
	if x.risesBy == 0 {
		x.risesBy = now + risenWithin
		x.e.timers.add(timer{at: x.risesBy, x: x, what: evStatus})
	}
	return now >= x.risesBy
}

// up says whether all is there that the tasks of x need to be restored.
func (x *executor) up() bool {
	return !slices.ContainsFunc(x.tasks, func(t *task) bool {
		r, ok := t.user().(gearcore.Riser)
		return ok && !r.Up()
	})
}

// takenBackWithin is how long a graph with a task that cannot be opened may take to be taken back.
const takenBackWithin = time.Minute

// OpenError is what Hooks.Errored gets when a task that came with another graph could not be opened, and when a task cannot take up its
// state (gearcore.MisfitError).
type OpenError struct{ Err error }

func (e *OpenError) Error() string { return e.Err.Error() }

// Unwrap returns what Open said, or its panic, or what Restore said.
func (e *OpenError) Unwrap() error { return e.Err }

// Unopened says that the task is of no use.
func (e *OpenError) Unopened() bool { return true }

// openFailed ends the engine because a task cannot be opened. One that came with another graph stops nothing else as long as that may be
// taken back.
func (x *executor) openFailed(t *task, err error) {
	err = fmt.Errorf("open component %s, task %d: %w", x.component, t.id, err)
	if !x.onTrial {
		x.e.fail(err)
		return
	}
	x.calling, x.unopened, x.unopenedAt = nil, err, x.e.cfg.Clock.Now()
	x.e.report(t.id, &OpenError{err})
	x.e.timers.add(timer{at: x.unopenedAt + takenBackWithin, x: x, what: evStatus})
}

func (x *executor) openTask(t *task) (err error) {
	x.calling = t
	for i := range t.sink.outs {
		for j := range t.sink.outs[i].routes {
			if r := &t.sink.outs[i].routes[j]; r.rule == asked {
				if err := r.custom.Prepare(t.ctx, slices.Clone(r.tasks)); err != nil {
					return fmt.Errorf("prepare custom grouping %s: %w", r.plan.Grouping.Name, err)
				}
			}
		}
	}
	switch {
	case t.bolt != nil:
		err = t.bolt.Open(t.ctx, t.c)
	case t.batch != nil:
		err = t.batch.Open(t.ctx, t.c)
	case t.source != nil:
		err = t.source.Open(t.ctx, t.c)
	}
	x.calling, t.ctx = nil, nil
	return err
}
