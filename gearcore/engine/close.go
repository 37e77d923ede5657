package engine

import (
	"maps"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// closeTasks ends every executor: posters get ErrClosed, queued batches are dropped, and tasks that were opened are
// closed, executors side by side unless everything happens on one goroutine.
func (e *Engine) closeTasks() {
	e.closing.Wait()
	e.mu.Lock() // so that a change is seen as a whole
	stay, leavers := e.executors(), slices.Collect(maps.Keys(e.leavers))
	if n := e.roster.Load().next; n != nil {
		defer close(n.out.done)
	}
	e.mu.Unlock()
	var wg sync.WaitGroup
	for _, x := range slices.Concat(stay, leavers) {
		x.shut()
		if e.disp.single() {
			x.closeTasks()
			continue
		}
		wg.Go(x.closeTasks)
	}
	wg.Wait()
	for _, x := range leavers {
		e.departed(x)
	}
}

// shut closes the inbox of x, which no longer runs.
func (x *executor) shut() {
	x.mu.Lock()
	x.closed = true
	x.posts = nil
	if x.posters > 0 {
		x.postRoom.Broadcast()
	}
	rows, more := x.in.rows.takeAll(), x.in.acks.takeAll()
	var wakes []func()
	if x.in.waiting != nil {
		wakes = x.in.waiting.list
		x.in.waiting = nil
	}
	x.mu.Unlock()
	r := x.run
	for _, b := range []*gearcore.Batch{r.cur, x.timed.takeHeld(), r.taken, rows, r.acks, more} {
		for b != nil {
			next := b.Next
			finish(b)
			b = next
		}
	}
	if r != &noRun {
		r.cur, r.taken, r.acks = nil, nil, nil
	}
	for _, w := range wakes {
		w()
	}
}

func (x *executor) closeTasks() {
	for _, t := range x.tasks {
		if t.begun {
			x.closeTask(t)
		}
	}
}

func (x *executor) closeTask(t *task) {
	defer func() {
		if r := recover(); r != nil {
			x.e.report(t.id, gearcore.Caught(r))
		}
	}()
	switch {
	case t.bolt != nil:
		t.bolt.Close()
	case t.batch != nil:
		t.batch.Close()
	case t.source != nil:
		t.source.Close()
	}
}
