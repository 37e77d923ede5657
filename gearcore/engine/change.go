package engine

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Changes. The executors of a worker may be exchanged while the others run: a rebalance moves some of them to another
// worker, or cuts the tasks of a component into other executors.
//
// A change is one store of a pointer, the roster. Senders go over to it at the start of their next run; until then, and
// where a link is late, tuples come to an executor that leaves or is gone, and are executed or passed on from there
// (leave.go), so that what one task sends to another arrives in its order (admit.go). Batches that come over a link for a
// task that is not here are held if their sender knows a newer plan than this worker, since the task is then about to come,
// and sent on if it does not (early.go). Nothing waits for anything else, and executors that stay notice no more than that
// the receivers of what they emit are elsewhere.

// ErrCannotChange is wrapped by the errors of Apply for changes that only a restart of the worker can make.
var ErrCannotChange = errors.New("the engine cannot be changed that way")

// ErrPrepared is wrapped by errors of Apply, beside ErrCannotChange, while a version of the graph is prepared and not in force: later
// the change may be possible.
var ErrPrepared = errors.New("it is prepared and not in force yet")

// Change says which executors leave a running engine and which come. An executor whose tasks are cut in another way leaves,
// and others come with its tasks: these are opened when it is closed.
type Change struct {
	// Version is that of the plan, larger than in all changes before. Batches of peers that know a newer one are held.
	Version uint64
	// Plan is that of the next version of the graph (dag.Plan.Next), larger than the one before; nil: the graph stays. Executors of Add and
	// Remove whose tasks stay keep their place in a topology with checkpoints: there only those that are gone leave.
	Plan   *dag.Plan
	Add    []dag.Executor
	Remove []dag.Executor
	// Context makes the Context of a task that goes on, for custom groupings that it has not sent by before. May be nil if there are none.
	Context func(dag.Task) (*gearcore.Context, error)
	// Drain is how long an executor that leaves has for what it has begun: to execute what is in its inbox, to settle the
	// tuples that its tasks hold, to hear of the tuples that its sources have emitted. Then what it holds fails, and what it
	// has not executed goes to the new place of its tasks. Default 1 s.
	Drain time.Duration
	// Hold has bolts that come wait for Admit: until then what links had for their tasks may be brought in front of all that comes
	// otherwise (TakeBack). The next Apply admits them too. It is ignored in a topology that follows event time or has checkpoints.
	Hold bool
}

const defaultDrain = time.Second

// leaving is the end of one change's executors.
type leaving struct {
	at   time.Duration // when they have to be done
	left int           // guarded by Engine.mu: executors not closed
	done chan struct{} // closed when left is 0
}

// Apply makes a change and returns without waiting for it. done is closed when the tasks of all executors that leave are
// closed; tasks that come are opened as those of New are. An error of Open ends the engine, but one of a task that comes with another
// graph is an OpenError in the Hooks at first, for whoever brought the graph to take it back. After an error, which wraps
// ErrCannotChange or is of NewTask or Context, nothing has changed. Tasks that are in no executor any more must have a place that
// Config.Remote leads to by the time of the call or soon after, unless no plan has them any more. Apply may be called at any time, by
// one goroutine at a time.
//
// In a topology with checkpoints another graph is only prepared (Staged); it comes into force by an Order, and done is closed after that.
// Until then nothing else can be changed, but a later graph takes its place, with Add and Remove as if it were in force, unless its birth is ordered
// (Replaceable). If that fails, neither is prepared any more.
func (e *Engine) Apply(c Change) (done <-chan struct{}, err error) {
	e.Admit() // whoever waits for it since a change before
	old := e.roster.Load()
	switch {
	case c.Version <= old.version:
		return nil, fmt.Errorf("apply plan %d after %d: %w", c.Version, old.version, ErrCannotChange)
	case old.next != nil && (c.Plan == nil || c.Plan.Graph.Version <= old.next.plan.Graph.Version):
		return nil, fmt.Errorf("version %d of the graph: %w: %w", old.next.plan.Graph.Version, ErrPrepared, ErrCannotChange)
	}
	var unborn *leaving
	if old.next != nil {
		if old, unborn, err = e.unstage(old, &c); err != nil {
			return nil, err
		}
	}
	if err := e.fits(old, &c); err != nil {
		return nil, err
	}
	next := &roster{version: c.Version, plan: old.plan, shape: old.shape}
	if c.Plan != nil {
		next.plan = c.Plan
	}
	stay, leave, err := old.part(c.Remove)
	if err != nil {
		return nil, err
	}
	if err := next.keeps(stay); err != nil {
		return nil, err
	}
	come, err := e.newcomers(c.Add, next, old, leave)
	if err != nil {
		return nil, err
	}
	timers, err := e.periodic(come)
	if err != nil {
		return nil, err
	}
	next.bury(old)
	if err := e.divert(old, next, stay, c.Context); err != nil {
		return nil, err
	}
	next.seat(slices.Concat(stay, come))
	if e.cfg.Remote == nil && !next.complete() {
		return nil, fmt.Errorf("tasks are to leave, but there is no Remote: %w", ErrCannotChange)
	}
	next.fused = e.fusion(next)
	out := unborn
	if out == nil {
		out = &leaving{done: make(chan struct{})}
	}
	out.at, out.left = e.cfg.Clock.Now()+orElse(c.Drain, defaultDrain), len(leave)
	for _, x := range come {
		x.fusedTo = next.fused[x]
	}
	if next.plan != old.plan && e.epochs != nil {
		if next, err = old.stage(next, come, leave, out); err != nil {
			return nil, err
		}
		leave = nil
	}
	for _, x := range come {
		e.enroll(x)
	}
	for _, t := range timers {
		e.timers.add(t)
	}
	e.mu.Lock()
	if c.Hold && e.epochs == nil {
		e.holdLocked(come)
	}
	awaited := e.changeLocked(next, come, leave, out)
	e.mu.Unlock()
	for _, x := range awaited {
		x.tell(evStatus, nil)
	}
	if next.next == nil {
		e.dismiss(leave, out)
	}
	e.landEarly()
	for _, x := range come {
		x.tell(evStatus, nil)
	}
	for _, x := range stay {
		switch {
		case e.epochs == nil: // an idle one as well: the roster that it goes by would keep in memory what leaves. Else settle does that
			x.tell(0, nil)
		case next.plan != old.plan && x.follows():
			x.tell(evStatus, nil)
		default:
			x.stirUp()
		}
	}
	e.settle()
	return out.done, nil
}

// changeLocked makes r the roster, once it is settled who of come waits for executors that leave, and who of these lingers; e.mu is held.
// awaited are those that lingered and do not any more.
func (e *Engine) changeLocked(r *roster, come, leave []*executor, out *leaving) (awaited []*executor) {
	for _, x := range leave {
		e.leavers[x] = out
	}
	awaited = e.inheritLocked(come)
	for _, x := range leave {
		e.lingerLocked(x, r, out)
	}
	e.roster.Store(r)
	return awaited
}

// dismiss tells executors to leave, which are among the leavers.
func (e *Engine) dismiss(leave []*executor, out *leaving) {
	if len(leave) == 0 {
		close(out.done)
	}
	for _, x := range leave {
		e.timers.add(timer{at: out.at, x: x, what: evLeave})
		if until := time.Duration(x.lingers.Load()); until > 0 {
			e.timers.add(timer{at: until, x: x, what: evStatus})
		}
		x.dismiss(out)
	}
}

// part returns the executors of r that stay and those that leave, which are to be among them.
func (r *roster) part(remove []dag.Executor) (stay, leave []*executor, err error) {
	type span struct{ first, last gearcore.TaskID }
	out := make(map[span]bool, len(remove))
	for _, d := range remove {
		out[span{d.First, d.Last}] = true
	}
	for _, x := range r.execs {
		if out[span{x.first, x.last}] {
			leave = append(leave, x)
		} else {
			stay = append(stay, x)
		}
	}
	if len(leave) != len(remove) {
		return nil, nil, fmt.Errorf("remove %d executors of which %d run: %w", len(remove), len(leave), ErrCannotChange)
	}
	return stay, leave, nil
}

// newcomers makes the executors that come, with their tasks.
func (e *Engine) newcomers(add []dag.Executor, next, old *roster, leave []*executor) ([]*executor, error) {
	goes := make(map[*executor]bool, len(leave))
	for _, x := range leave {
		goes[x] = true
	}
	come := make([]*executor, 0, len(add))
	taken := map[gearcore.TaskID]bool{}
	for _, d := range add {
		x := e.newExecutor(d, next)
		if err := gearcore.Safely(func() error { return e.fill(x) }); err != nil { // what makes tasks may be anybody's
			return nil, err
		}
		x.onTrial = next.plan != old.plan
		for _, t := range x.tasks {
			y := old.of(t.id)
			if taken[t.id] || y != nil && !goes[y] {
				return nil, fmt.Errorf("add executor [%d %d] of %s: task %d runs already: %w", d.First, d.Last, x.component, t.id, ErrCannotChange)
			}
			if y != nil && y.recycle && !x.recycle { // what the transport has decoded for y is used again
				return nil, fmt.Errorf("add executor [%d %d] of %s: its tasks keep tuples, which task %d did not: %w", d.First, d.Last, x.component, t.id, ErrCannotChange)
			}
			taken[t.id] = true
		}
		come = append(come, x)
	}
	return come, nil
}

// inheritLocked makes executors that come wait for those that leave and have their tasks, by this change or a former one.
// awaited are those of these that lingered.
func (e *Engine) inheritLocked(come []*executor) (awaited []*executor) {
	if len(come) == 0 || len(e.leavers) == 0 {
		return nil
	}
	before := map[gearcore.TaskID][]*executor{}
	for y := range e.leavers {
		for _, t := range y.tasks {
			before[t.id] = append(before[t.id], y)
		}
	}
	for _, x := range come {
		for _, t := range x.tasks {
			for _, y := range before[t.id] {
				if !slices.Contains(e.heirs[y], x) {
					e.heirs[y] = append(e.heirs[y], x)
					e.bars[x]++
				}
				if y.lingers.Swap(0) > 0 {
					awaited = append(awaited, y)
				}
			}
		}
		x.barred.Store(e.bars[x] > 0)
	}
	return awaited
}

// stirUp makes x go over to a new roster now if it has something under way; an idle one does so when it runs next.
func (x *executor) stirUp() {
	x.mu.Lock()
	if x.state == idle {
		x.mu.Unlock()
		return
	}
	x.wakeLocked(nil)
}

// Leaving returns how many executors have left a change and are not closed yet.
func (e *Engine) Leaving() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.leavers)
}

// Runs reports whether a task is in this worker at present.
func (e *Engine) Runs(task gearcore.TaskID) bool { return e.executorOf(task) != nil }

// Quiet reports whether nothing is under way: no tuple waits, is executed or held (gearcore.Holder), and none of a source is in
// flight.
func (e *Engine) Quiet() bool {
	for _, x := range e.executors() {
		x.mu.Lock()
		busy := x.in.used > 0 || x.postSize > 0 || x.inFlight.Load() > 0 || x.state == queued || x.state == running || x.state != gone && x.holding()
		x.mu.Unlock()
		if busy {
			return false
		}
	}
	return e.Leaving() == 0
}
