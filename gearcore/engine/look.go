package engine

import (
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// ErrNotHere is returned by Inspect for a task of another worker.
var ErrNotHere = errors.New("the task is not in this worker")

// Inspect has the executor of a task look at its state between two of its calls, and then answer called with what it found. answer may not
// block. It is never called if the task goes back to a checkpoint meanwhile, or ends. Inspect itself does not wait.
func (e *Engine) Inspect(id gearcore.TaskID, q gearcore.StateQuery, answer func([]gearcore.StateEntry, error)) error {
	x := e.executorOf(id)
	if x == nil {
		return ErrNotHere
	}
	t := x.task(id)
	if t == nil {
		return ErrNotHere
	}
	x.mu.Lock()
	if x.closed {
		x.mu.Unlock()
		return gearcore.ErrClosed
	}
	x.posts = append(x.posts, posted{t, func(*gearcore.Collector) { answer(t.inspect(q)) }})
	x.postSize += len(q.State) + len(q.Key) + 64
	x.wakeLocked(nil)
	return nil
}

// inspect is called by the executor. A panic in it is that of who asked, not one of the component.
func (t *task) inspect(q gearcore.StateQuery) (found []gearcore.StateEntry, err error) {
	i, ok := t.bolt.(gearcore.Inspected)
	if !ok {
		if i, ok = t.source.(gearcore.Inspected); !ok {
			return nil, gearcore.ErrNoState
		}
	}
	defer func() {
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("look at the state: %v", p)
		}
	}()
	return i.Inspect(q)
}
