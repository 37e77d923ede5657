package engine

import (
	"maps"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// gate stands before one task. Its senders in this worker share one way to it, in which batches that are set aside keep the room.
// So whoever has sent a marker waits until the others have sent theirs.
type gate struct {
	task gearcore.TaskID

	mu         sync.Mutex
	generation uint64            // guarded by mu
	epoch      uint64            // guarded by mu: the newest marker that was sent
	sent       []gearcore.TaskID // guarded by mu: who has sent it
	opened     uint64            // guarded by mu: the newest one that all have sent
	waiting    []func()          // guarded by mu
}

// gate returns the gate before a task.
func (s *epochs) gate(task gearcore.TaskID) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[task]
	if g == nil {
		g = &gate{task: task}
		s.gates[task] = g
	}
	return g
}

// forget drops the gates before tasks that were gone when a graph came into force. before is the roster that another one takes the place of:
// since its graph is in force all senders have gone through a checkpoint more, so none of them still passes a marker to such a task. (Of one
// that goes only now a sender may have handed over its marker and not have passed the gate yet.)
func (s *epochs) forget(before *roster) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.gates, func(task gearcore.TaskID, _ *gate) bool { return before.isGone(task) })
}

// pass is told by o that it has handed over marker k. From then on it looks at the gate.
func (c *timed) pass(o *outbox, k uint64) {
	all := c.x.e.localSenders(c.planAt(k), o.target)
	if len(all) < 2 && k != c.born {
		return
	}
	g := c.in.gate(o.target)
	if wakes, open := g.pass(all, c.t.id, c.generation, k); open {
		for _, w := range wakes {
			w()
		}
		return
	}
	o.gate, o.behindMarker = g, k
}

// localSenders returns those senders of a task, by a plan, that are in this worker at present.
func (e *Engine) localSenders(plan *dag.Plan, task gearcore.TaskID) []gearcore.TaskID {
	var out []gearcore.TaskID
	r := e.roster.Load()
	component, ok := plan.Layout.Components[task]
	if !ok {
		return nil // it comes with a later plan
	}
	for _, id := range sendersOf(plan, component) {
		if r.of(id) != nil {
			out = append(out, id)
		}
	}
	return out
}

// pass notes that a task has sent marker k, one of all in this worker that do. If it was the last one, it returns whom to wake.
func (g *gate) pass(all []gearcore.TaskID, by gearcore.TaskID, generation, k uint64) (wakes []func(), open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if generation > g.generation {
		g.generation, g.epoch, g.opened, g.sent = generation, 0, 0, g.sent[:0]
	}
	if generation < g.generation || k < g.epoch {
		return nil, true // it is of the past
	}
	if k > g.epoch {
		g.epoch, g.sent = k, g.sent[:0]
	}
	g.sent = append(g.sent, by)
	if len(g.sent) < len(all) {
		return nil, false
	}
	g.opened = k
	wakes, g.waiting = g.waiting, nil
	return wakes, true
}

// open says whether what comes behind marker k of that generation may pass.
func (g *gate) open(generation, k uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.openLocked(generation, k)
}

func (g *gate) openLocked(generation, k uint64) bool {
	return g.generation > generation || g.generation == generation && g.opened >= k
}

// notify calls wake once the gate is open, or later.
func (g *gate) notify(generation, k uint64, wake func()) {
	g.mu.Lock()
	open := g.openLocked(generation, k)
	if !open {
		g.waiting = append(g.waiting, wake)
	}
	g.mu.Unlock()
	if open {
		wake()
	}
}

// gateOpen says whether o may hand over what comes behind its last marker. It looks at the gate only while that is closed.
func (o *outbox) gateOpen() bool {
	c := o.x.timed
	if !o.gate.open(c.generation, o.behindMarker) && o.behindMarker > c.in.droppedIn(c.generation) {
		return false
	}
	o.gate = nil
	o.armed.Store(false) // if it was, it was at the gate
	return true
}

// droppedIn is the newest checkpoint of a generation that was given up, as the order says now: an executor that waits inside a
// call has not obeyed it yet.
func (s *epochs) droppedIn(generation uint64) uint64 {
	if o := s.order.Load(); o.Generation == generation {
		return o.Dropped
	}
	return 0
}
