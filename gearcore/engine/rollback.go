package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// A generation begins for each executor by itself, at the start of a run: it drops all it has that is of an earlier one, and
// its task is made what it was (Restore, outside of any run). Nobody waits for anybody: batches of an earlier generation are
// dropped where they come, those of a later one wait where they come, within their sender's credit.
//
//	no order --Order--> restoring --> restored --Go--> at work --Order with a larger generation--> restoring ...

// Obey does what the coordinator wants. Orders of earlier generations are ignored; of the same one each says at least what those
// before said, so they may come twice and in any order. It may be called at any time from any goroutine and does not wait.
//
// A generation that this worker hears of when others have begun to work in it (Order.Go) is one that it has no part in, unless its
// tasks come with a birth: it is ignored, and the coordinator, which cannot have heard that the tasks here are restored, begins another one.
func (e *Engine) Obey(o checkpoint.Order) {
	s := e.epochs
	if s == nil || !s.cfg.Checkpoints || !s.obey(o, e.Version()) {
		return
	}
	e.settle()
	for _, x := range e.executors() {
		if x.timed != nil {
			x.tell(evOrder, nil)
			x.wakeForRoom() // for an emit that waits
		}
	}
	s.changed()
}

// enter goes over to the generation of the order, at the start of a run or once the task is open.
func (c *timed) enter() {
	if !c.t.begun || c.x.unopened != nil {
		return // Restore comes after Open
	}
	if c.awaiting {
		if c.outdated() {
			c.giveUp()
		}
		if c.restoring.Load() {
			return // nothing else may happen to the task
		}
		c.awaiting = false
		if c.restoreErr != nil {
			c.notRestored(fmt.Errorf("restore checkpoint %d: %w", c.base, c.restoreErr))
		} else {
			c.restored = true
		}
		c.x.follow()
	}
	o := c.in.order.Load()
	if c.ended || c.x.leaves != nil { // the one who comes instead is restored
		c.leaveWith(o)
		return
	}
	if o == c.seen {
		return
	}
	switch mine := c.x.wired.plan.Graph.Version; {
	case o.Generation == c.generation:
	case o.Version != 0 && o.Version != mine: // what it works by is not in force, yet or any more
		return
	case o.Go && c.generation == 0 && awaited(o, mine):
		c.begin(o)
		return
	case o.Go: // begun by others, while this task was not here
		c.in.broken(o.Generation, fmt.Sprintf("task %d of %s has come", c.t.id, c.x.component))
		return
	default:
		c.rollback(o.Generation)
		c.committed, c.dropped, c.done = o.Restore, 0, 0
		c.seen = o
		c.restore(o.Restore)
		return
	}
	c.seen = o
}

// outdated says whether what the task is restored to is of no use: another generation has begun, or it is to leave.
func (c *timed) outdated() bool {
	return c.x.leaves != nil || c.in.order.Load().Generation > c.generation
}

// notRestored says why Restore came to nothing.
func (c *timed) notRestored(err error) {
	switch {
	case c.outdated():
		return // it was given up, perhaps
	case checkpoint.Lost(err):
		c.in.unreadable(c.generation, c.base)
	case errors.Is(err, gearcore.ErrClosed), processLost(err): // it ends, or the error was reported
	case misfit(err):
		c.x.e.report(c.t.id, &OpenError{fmt.Errorf("component %s, task %d: %w", c.x.component, c.t.id, err)})
	default:
		c.x.e.report(c.t.id, err)
	}
	c.broken(err)
}

// processLost says whether err is that a process was lost.
func processLost(err error) bool {
	p, ok := errors.AsType[gearcore.LossError](err)
	return ok && p.Lost()
}

// misfit says whether err is that the task can never take up what is in the checkpoint.
func misfit(err error) bool {
	_, ok := errors.AsType[*gearcore.MisfitError](err)
	return ok
}

// ready says whether the task may do anything, beyond being opened.
func (c *timed) ready() bool {
	return c.restored && !c.ended && (!c.cfg.Checkpoints || c.x.role != roleSpout || c.seen.Go)
}

// rollback drops all that x has of its generation, without a word to the task, and begins another one.
func (c *timed) rollback(generation uint64) {
	x := c.x
	c.generation, c.restored, c.aligning, c.born, c.before = generation, false, 0, 0, nil
	x.opened = false
	x.publish()
	c.cancelSaves(^uint64(0))
	c.rollbackInput()
	if x.role == roleSpout {
		x.pending.Rotate(x.pending.Rotate(nil)) // all of them are of two timeouts ago
		x.expired, x.expiredAt, x.instant, x.instantAt = nil, 0, nil, 0
		x.waiting, x.before, x.turn = false, -1, 0
	}
	c.rollbackOutput()
	c.t.paused, x.paused = false, 0
	x.heard, c.alarmAt, c.laterAt = 0, 0, 0
	c.resetClock()
}

// rollbackInput drops batches of earlier generations, closures that were posted in them and results of trees.
func (c *timed) rollbackInput() {
	x := c.x
	if x.keeps {
		for _, k := range x.kept.list {
			x.tellOwners(k.b.Roots, gearcore.AckFail)
		}
		x.kept = keptBatches{}
	}
	x.meter.drop(true)
	c.readmit()
	x.mu.Lock()
	later := x.in.rows.takeAll()
	acks := x.in.acks.takeAll()
	x.posts, x.postSize = nil, 0
	if x.posters > 0 {
		x.postRoom.Broadcast()
	}
	x.mu.Unlock()
	clear(x.todo)
	x.todo, x.todoAt, x.posted = x.todo[:0], 0, false
	for _, b := range []*gearcore.Batch{x.acks, acks} {
		for b != nil {
			next := b.Next
			finish(b)
			b = next
		}
	}
	x.acks, x.ackAt = nil, 0
	if x.cur != nil {
		c.discard(x.cur)
		x.cur, x.row = nil, 0
	}
	var kept batches
	for _, b := range []*gearcore.Batch{c.ahead.takeAll(), x.taken, later} {
		for b != nil {
			next := b.Next
			if b.Generation < c.generation {
				c.discard(b)
			} else {
				kept.push(b)
			}
			b = next
		}
	}
	x.taken = kept.takeAll()
}

// rollbackOutput drops what x has emitted and not handed over.
func (c *timed) rollbackOutput() {
	x := c.x
	x.eachBox((*outbox).discard)
	clear(x.dirty)
	x.dirty, x.overshoot, x.stuck, x.openKin, x.fusedDue = x.dirty[:0], 0, false, nil, false
}

// stale says whether what x emits is dropped wherever it comes.
func (c *timed) stale() bool { return c.in.order.Load().Generation > c.generation && c.x.leaves == nil }

// discard drops what o holds.
func (o *outbox) discard() {
	x := o.x
	if o.full.head != nil {
		x.unblocked(o)
	}
	if o.cur != nil {
		o.full.push(o.cur)
	}
	for b := o.full.takeAll(); b != nil; {
		next := b.Next
		b.Next = nil
		x.tellOwners(b.Roots, gearcore.AckFail)
		finish(b)
		b = next
	}
	o.cur, o.bytes, o.waiting, o.dirty = nil, 0, 0, false
	o.gate, o.behindMarker, o.behind, o.told = nil, 0, 0, 0
	o.armed.Store(false)
	if o.last {
		x.forget(o)
	}
}

// restore has the task made what it was at a checkpoint.
func (c *timed) restore(from uint64) {
	c.base = from
	if c.state == nil {
		c.restored = true
		return
	}
	x := c.x
	ctx, giveUp := context.WithCancel(c.in.ctx)
	c.awaiting, c.giveUp = true, giveUp
	c.restoring.Store(true)
	x.mu.Lock()
	if x.posters > 0 {
		x.postRoom.Broadcast()
	}
	x.mu.Unlock()
	generation := c.generation
	d, _ := x.wired.plan.Task(c.t.id) // here: x may go over to another roster meanwhile
	x.e.disp.spawn(func() {
		defer func() {
			giveUp()
			c.restoring.Store(false)
			x.tell(evOrder, nil)
		}()
		select {
		case c.in.restoring <- struct{}{}:
			defer func() { <-c.in.restoring }()
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			c.restoreErr = gearcore.ErrClosed
			return
		}
		c.restoreErr = errGoexit
		c.restoreErr = c.restoreNow(ctx, from, generation, d)
	})
}

// restoreNow waits for the task's Restore, which is told when ctx ends.
func (c *timed) restoreNow(ctx context.Context, from, generation uint64, d dag.Task) (err error) {
	vault := checkpoint.NewReadings(c.cfg.Vault(from))
	r := &gearcore.Recovery{Epoch: from, Generation: generation, Index: d.Index, Tasks: d.Processor.Tasks, Vault: vault, Ended: ctx.Done(),
		Grow: c.cfg.Grow}
	if r.Tasks <= gearcore.KeyGroups {
		r.First, r.Last = gearcore.KeyGroupRange(r.Index, r.Tasks)
	}
	if from > 0 {
		if r.Parts, err = c.in.partsOf(from, c.x.component); err != nil {
			return err
		}
	}
	err = gearcore.Safely(func() error { return c.state.Restore(r) })
	if checkpoint.Lost(err) || errors.Is(err, gearcore.ErrClosed) || processLost(err) {
		return err
	}
	if err == nil {
		return vault.Verify(ctx)
	}
	if damage := checkpoint.Verify(ctx, vault, r.Parts); checkpoint.Lost(damage) {
		return fmt.Errorf("%w (a task said: %w)", damage, err)
	}
	return err
}

// partsOf returns what a component had in a checkpoint, in the order of its tasks then.
func (s *epochs) partsOf(epoch uint64, name string) ([]gearcore.TaskPart, error) {
	s.mu.Lock()
	get := s.recovered[component{epoch, name}]
	if get == nil {
		get = sync.OnceValues(func() ([]gearcore.TaskPart, error) {
			found, err := s.cfg.Parts(epoch, name)
			found = slices.Clone(found)
			slices.SortFunc(found, func(a, b gearcore.TaskPart) int { return cmp.Compare(a.Index, b.Index) })
			return found, err
		})
		s.recovered[component{epoch, name}] = get
	}
	s.mu.Unlock()
	return get()
}
