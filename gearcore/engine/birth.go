package engine

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Births. In a topology with checkpoints another graph comes into force at a checkpoint, so that each tuple is counted by one of the
// two graphs. Apply makes and opens what comes, and nothing else (roster.next). When all workers have, and what it needs beside itself is up
// (gearcore.Riser), the coordinator orders the birth (Order.Birth), and the checkpoint once all have heard of it. Each task goes over for itself:
//
//	one that stays   sends its marker by the old routes, and goes over to the new ones behind it. Senders that only the new graph has
//	                 count as having sent theirs: what comes of them before is set aside.
//	one that goes    sends its marker, and does nothing more.
//	one that comes   is restored from the checkpoint when that counts, and takes what has come meanwhile.
//
// Order.Version says that the checkpoint counts: then next is the roster, and who is not in it leaves. A generation that begins before
// the birth is ordered begins by the old graph, any later one by the new.

// Staged is the version of the newest graph whose tasks here are all made and opened, and fit to be restored.
func (e *Engine) Staged() int64 {
	r := e.roster.Load()
	e.mu.Lock()
	ready := e.toOpen == [2]int{}
	e.mu.Unlock()
	switch {
	case ready:
		return r.newest().Graph.Version
	case r.next != nil:
		return r.plan.Graph.Version
	}
	return 0
}

// Version is the version of the graph by which this worker works.
func (e *Engine) Version() int64 { return e.plan().Graph.Version }

// stage returns the roster with next prepared: what runs goes on, and what comes waits.
func (r *roster) stage(next *roster, come, leave []*executor, out *leaving) (*roster, error) {
	for _, x := range leave {
		if !next.isGone(x.first) {
			return nil, fmt.Errorf("task %d of %s cannot move while version %d of the graph is prepared: %w", x.first, x.component, next.plan.Graph.Version, ErrCannotChange)
		}
	}
	u := &roster{version: next.version, plan: r.plan, shape: r.shape, fused: r.fused, outs: r.outs, places: r.places, next: next, coming: map[*executor]bool{}}
	for _, x := range come {
		if _, old := r.plan.Numbering[x.first]; old {
			return nil, fmt.Errorf("task %d of %s cannot come while version %d of the graph is prepared: %w", x.first, x.component, next.plan.Graph.Version, ErrCannotChange)
		}
		u.coming[x] = true
	}
	u.seat(append(append([]*executor(nil), r.execs...), come...))
	next.weigh()
	next.leave, next.out = leave, out
	return u, nil
}

// Replaceable says whether a later graph may take the place of one that is prepared: if none is, or as far as this worker has heard its
// birth is not ordered. An order that is on its way then finds nothing prepared, and the topology goes back to its last checkpoint.
func (e *Engine) Replaceable() bool {
	n := e.roster.Load().next
	return n == nil || e.epochs.order.Load().Birth.Version < n.plan.Graph.Version
}

// unstage takes back what is prepared in old, for c, which is made into a change of what runs. It returns the roster of that, and out
// of next, of which somebody waits for the end.
func (e *Engine) unstage(old *roster, c *Change) (*roster, *leaving, error) {
	n := old.next
	base := &roster{version: old.version, plan: old.plan, shape: old.shape, fused: old.fused, outs: old.outs, places: old.places}
	var stay, leave []*executor
	for _, x := range old.execs {
		if old.coming[x] {
			leave = append(leave, x)
		} else {
			stay = append(stay, x)
		}
	}
	base.seat(stay)
	out := &leaving{at: e.cfg.Clock.Now(), left: len(leave), done: make(chan struct{})}
	e.mu.Lock()
	if e.roster.Load() != old || !e.Replaceable() {
		e.mu.Unlock()
		return nil, nil, fmt.Errorf("version %d of the graph: %w: %w", n.plan.Graph.Version, ErrPrepared, ErrCannotChange)
	}
	c.relate(n, leave)
	e.changeLocked(base, nil, leave, out)
	e.mu.Unlock()
	e.dismiss(leave, out)
	return base, n.out, nil
}

// relate makes c, which follows n with the executors that came for it, follow what ran before n.
func (c *Change) relate(n *roster, came []*executor) {
	remove := make([]dag.Executor, 0, len(c.Remove)+len(n.leave))
	for _, d := range c.Remove {
		if !slices.ContainsFunc(came, func(x *executor) bool { return x.first == d.First }) {
			remove = append(remove, d)
		}
	}
	for _, x := range n.leave {
		remove = append(remove, dag.Executor{Processor: n.plan.Graph.Processor(x.component), First: x.first, Last: x.last})
	}
	add := slices.Clone(c.Add)
	for _, x := range came {
		if !slices.ContainsFunc(c.Remove, func(d dag.Executor) bool { return x.first == d.First }) {
			add = append(add, dag.Executor{Processor: c.Plan.Graph.Processor(x.component), First: x.first, Last: x.last})
		}
	}
	c.Add, c.Remove = add, remove
}

// settle makes the roster that is prepared the present one, once its graph is in force. An engine that ends closes what is prepared as it is.
func (e *Engine) settle() {
	if e.epochs == nil {
		return
	}
	e.mu.Lock()
	was := e.roster.Load()
	n := was.next
	if n == nil || e.ended || e.epochs.order.Load().Version < n.plan.Graph.Version {
		e.mu.Unlock()
		return
	}
	n.out.at = e.cfg.Clock.Now()
	leave := n.leave
	n.leave = nil // nobody asks any more, and their state may be large
	e.changeLocked(n, nil, leave, n.out)
	e.mu.Unlock()
	e.dismiss(leave, n.out)
	e.epochs.forget(was)
	e.landEarly()
	for _, x := range n.execs {
		x.tell(evOrder, nil)
	}
	e.epochs.changed()
}

// birth returns the roster that the task goes over to with checkpoint k, nil if that is no birth.
func (c *timed) birth(k uint64) *roster {
	o := c.in.order.Load()
	if o.Birth.Epoch != k || o.Generation != c.generation {
		return nil
	}
	n := c.x.e.roster.Load().next
	if n == nil || n.plan.Graph.Version != o.Birth.Version {
		c.broken(fmt.Errorf("version %d of the graph is to come into force, and is not prepared", o.Birth.Version))
		return nil
	}
	c.born, c.before = k, c.x.wired.plan
	return n
}

// cross goes over to n, behind the marker.
func (c *timed) cross(n *roster) {
	x := c.x
	if n.isGone(c.t.id) {
		c.ended, x.opened = true, false
		return
	}
	x.rewire(n)
	if len(c.channels) == 0 {
		return
	}
	if c.least = lowest(c.channels); c.least != 0 {
		c.advance(c.least)
	}
}

// replan follows rewire: the task has the senders and receivers of another graph.
func (c *timed) replan() {
	plan := c.x.wired.plan
	old := c.channels
	c.channels, c.from = newChannels(sendersOf(plan, c.x.component)), nil
	for i := range c.channels {
		c.channels[i].marker = c.born
		for _, ch := range old {
			if ch.from == c.channels[i].from {
				c.channels[i] = ch
			}
		}
	}
	was := map[gearcore.TaskID]bool{}
	for _, id := range c.receivers {
		was[id] = true
	}
	c.receivers, c.ways = receiversOf(plan, c.x.component), nil
	for i, o := range c.outboxes() {
		if id := c.receivers[i]; !was[id] {
			c.join(o)
		}
	}
	c.toTell = c.out != 0
}

// join begins a way that the graph before did not have. A task that stays may not have aligned yet: what is for it waits behind the
// markers of its senders here, as all that is behind one does.
func (c *timed) join(o *outbox) {
	o.behind, o.told = 0, 0
	if c.born == 0 || len(c.x.e.localSenders(c.before, o.target)) == 0 {
		return
	}
	o.gate, o.behindMarker = c.in.gate(o.target), c.born
}

// planAt is the plan by which the marker of checkpoint k is sent.
func (c *timed) planAt(k uint64) *dag.Plan {
	if k == c.born {
		return c.before
	}
	return c.x.wired.plan
}

// tooSoon says whether a sender has a part only in the graph that comes into force at the next birth.
func (c *timed) tooSoon(sender gearcore.TaskID) bool {
	n := c.x.e.roster.Load().next
	if n == nil || n == c.x.wired {
		return false
	}
	return slices.Contains(sendersOf(n.plan, c.x.component), sender)
}

// begin has a task that comes with a birth, which counts, begin.
func (c *timed) begin(o *checkpoint.Order) {
	c.seen, c.generation = o, o.Generation
	c.committed, c.dropped, c.done = o.Birth.Epoch, 0, o.Birth.Epoch
	c.resetClock()
	for i := range c.channels {
		c.channels[i].marker = o.Birth.Epoch
	}
	c.restore(o.Birth.Epoch)
}

// leaveWith is told of the order once the task has ended, or leaves. Effects that it holds back of what counts are shown by the task that
// is restored from them; where the graph has none, or one of another kind, it has to do so itself. A generation that goes back no further than to
// them says as well that they count.
func (c *timed) leaveWith(o *checkpoint.Order) {
	counts := o.Committed
	if o.Generation != c.generation {
		counts = o.Restore
	}
	if c.ended {
		counts = min(counts, c.born)
	}
	if c.commits == nil || !c.restored || o.Generation < c.generation || counts <= c.committed {
		return
	}
	if is := c.x.e.plan().Graph.Processor(c.x.component); is != nil && reflect.DeepEqual(c.impl, is.Impl) {
		return
	}
	c.committed = counts
	c.x.calling = c.t
	c.commits.Commit(counts)
	c.x.called()
}
