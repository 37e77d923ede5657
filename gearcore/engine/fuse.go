package engine

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Fusion. Where all that an executor emits goes to one executor of this worker, which gets its tuples from nowhere
// else, the two are fused: a batch is not queued for a run loop but executed at once, on the goroutine of its sender,
// while it is in the first-level cache. It happens between two calls of the sender's code, never inside one.
//
// The fused executor stays an executor with an inbox, a state and a lock. It is run in place only if it is idle; when it is
// blocked, paused, or running because of a tick or an ack, a batch waits in its inbox as any other would, so order and
// bounds are those of an edge that is not fused. One whose tuples turn out to be expensive is left to the run loops, which
// may spread the pair over two processors, and tried again now and then.

const (
	fusedRows = 256                    // rows of a batch to a fused executor
	fusedCost = 500 * time.Nanosecond  // a tuple that takes longer gains more from another processor
	fusedLong = runTime                // nor may one batch hold up its sender for longer than a run
	apartTime = 200 * time.Millisecond // how long such a pair runs apart
)

// fusion finds the executors of r that are fused: x's only receiver is y, and y's only sender x.
func (e *Engine) fusion(r *roster) map[*executor]*executor {
	if e.cfg.Fuse == nil {
		return nil
	}
	var fused map[*executor]*executor
	for _, x := range r.execs {
		if x.role == roleSpout && e.tracked {
			continue // it must hear of fails and timeouts whatever a bolt does
		}
		if y := r.receiverOf(x); y != nil && r.onlySender(x, y) && e.cfg.Fuse(x.component) && e.cfg.Fuse(y.component) {
			if fused == nil {
				fused = map[*executor]*executor{}
			}
			fused[x] = y
		}
	}
	return fused
}

// onlySender says whether y, which is a receiver of x, gets its tuples from no other executor of the topology.
func (r *roster) onlySender(x, y *executor) bool {
	d, _ := r.plan.Task(y.first)
	for _, in := range d.Processor.Inputs {
		if in.Source != x.component {
			return false
		}
	}
	return len(r.plan.TasksOf(x.component)) == len(x.tasks)
}

// receiverOf returns the one executor of rs that gets all that x emits, nil if there are more, or it is not here, or the edge
// is part of a cycle.
func (rs *roster) receiverOf(x *executor) *executor {
	if x.role == roleAcker {
		return nil
	}
	var y *executor
	d, _ := rs.plan.Task(x.first)
	for _, o := range d.Processor.Outputs {
		sid, _ := rs.plan.Stream(x.component, o.Stream)
		for _, r := range rs.plan.Routes[sid] {
			for _, t := range r.Tasks {
				to := rs.of(t)
				if to == nil || r.Back || r.Grouping.Kind == dag.Direct || y != nil && to != y {
					return nil
				}
				y = to
			}
		}
	}
	return y
}

// fusedInlet is the Outlet to the executor that is fused with its sender.
type fusedInlet struct{ inlet }

// Push implements Outlet. Within runFused, an idle receiver is not given to the run loops but noted for runFused.
func (l fusedInlet) Push(b *gearcore.Batch) bool {
	if !l.by.inPlace {
		return l.inlet.Push(b)
	}
	room, woken := l.to.put(b, l.by.now)
	if woken {
		l.by.woken = l.to
	}
	return room
}

// runFused hands over what x emitted for the executor it is fused with, and runs that one here if it was idle. No call of
// x's code may be under way.
func (x *executor) runFused() {
	o := x.fused
	x.fusedDue = false
	if o == nil || o.cur == nil && o.full.head == nil {
		return
	}
	x.publish()
	x.inPlace = x.now >= x.apart
	rows := o.rows()
	o.flush()
	x.inPlace = false
	x.stuck = x.stuck || o.holdsUp()
	y := x.woken
	if y == nil {
		return
	}
	x.tellAll() // the call may take long
	x.woken, x.away = nil, true
	// What the watch sees is exchanged only if it is x: when a stand-in has taken the loop it is the affair of that one.
	if x.loop != nil {
		x.loop.current.CompareAndSwap(x, y)
	}
	y.term = x.term
	y.borrowed = true
	began, _ := y.perform(x.loop, x.goroutine, x.quota, x.e.cfg.Clock.Now())
	if x.loop != nil {
		x.loop.current.CompareAndSwap(y, x)
	}
	x.away = false
	x.now = x.e.cfg.Clock.Now()
	took := x.now - began
	x.began += took
	switch {
	case took <= fusedLong && (rows < fusedRows/2 || took <= time.Duration(rows)*fusedCost):
		x.strikes = 0
	case x.strikes == 0 && took < stuckAfter: // perhaps the machine had something else to do
		x.strikes = 1
	default:
		x.strikes, x.apart = 0, x.now+apartTime
	}
}

// rows returns how many rows wait in o.
func (o *outbox) rows() int {
	n := 0
	if o.cur != nil {
		n = len(o.cur.Rows)
	}
	for b := o.full.head; b != nil; b = b.Next {
		n += len(b.Rows)
	}
	return n
}
