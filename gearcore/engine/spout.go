package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// produce asks the sources for tuples, round by round over the executor's tasks, until the budget is used up or
// nothing may be asked. After a round in which nothing was emitted it waits.
func (x *executor) produce() {
	for x.wantsNext() {
		if x.turn == 0 && !x.newRound() {
			return
		}
		t := x.tasks[x.turn]
		if x.turn++; x.turn == len(x.tasks) {
			x.turn = 0
		}
		if t.paused {
			continue
		}
		n := 1
		if len(x.tasks) == 1 {
			n = min(x.toCheck, max(x.calls, 1))
		}
		if x.spend(x.ask(t, n)) {
			return
		}
	}
}

// ask calls Next up to n times, fewer if nothing was emitted, no more may be in flight, or something needs attention. It
// returns how often.
func (x *executor) ask(t *task, n int) (calls int) {
	x.calling = t
	for {
		before := x.emits
		err := t.next.Next(t.c)
		calls++
		if err != nil && !errors.Is(err, gearcore.ErrIdle) {
			x.e.report(t.id, err)
		}
		if calls >= n || x.emits == before || x.attn.Load() || x.maxPending > 0 && x.pending.Len() >= x.maxPending {
			break
		}
		x.before = x.emits
	}
	x.called()
	return calls
}

// wantsNext says whether a source may be asked now. A task that paused is passed over, the others go on.
func (x *executor) wantsNext() bool {
	return x.active && !x.waiting && !x.stuck && x.paused < len(x.tasks) &&
		(x.maxPending == 0 || x.pending.Len() < x.maxPending)
}

// newRound begins a round, or a wait if the last one emitted nothing: then no again until the timer says evWaited.
func (x *executor) newRound() bool {
	if x.emits != x.before {
		x.before = x.emits
		return true
	}
	x.waiting = true
	x.clockAfter()
	if x.emits != x.quietAt {
		x.quietAt, x.quietSince = x.emits, x.now
	}
	x.askAt = x.now + x.pause(x.now-x.quietSince)
	x.e.timers.add(timer{at: x.askAt, x: x, what: evWaited})
	return false
}

// pause returns how long a source that had nothing for the time quiet is left alone. The longer that is, the longer it may
// be, within bounds; and the more the end is moved forward to a round time, so that many idle sources share one wake-up.
func (x *executor) pause(quiet time.Duration) time.Duration {
	wait := min(quiet/32, x.e.cfg.SpoutWaitMax)
	if wait <= x.spoutWait {
		return x.spoutWait
	}
	unit := x.spoutWait
	for 4*unit <= wait {
		unit *= 2
	}
	end := x.now + wait
	return max(end-end%unit-x.now, x.spoutWait)
}

// stir is called when something else than the end of its pause makes a source run: it may have something now.
func (x *executor) stir() {
	x.quietSince = x.now
	if at := x.now + x.spoutWait; x.waiting && x.askAt > at {
		x.askAt = at
		x.e.timers.add(timer{at: at, x: x, what: evWaited})
	}
}

// followStatus activates or deactivates the sources.
func (x *executor) followStatus() {
	active := x.e.active.Load() && x.leaves == nil
	if active == x.active {
		return
	}
	x.active = active
	x.before = -1
	x.stir()
	for _, t := range x.tasks {
		x.tellStatus(t, active)
	}
}

// tellStatus tells one source. A panic here must not keep the other tasks of the executor from being told.
func (x *executor) tellStatus(t *task, active bool) {
	defer func() {
		if r := recover(); r != nil {
			x.blame(gearcore.Caught(r))
		}
	}()
	x.calling = t
	if active {
		t.source.Activate(t.c)
	} else {
		t.source.Deactivate(t.c)
	}
	x.called()
}

// settleAcks takes the results that came for spouts.
func (x *executor) settleAcks() {
	if x.acks != nil {
		x.stir()
	}
	for b := x.acks; b != nil; b = x.acks {
		if over := x.settleResults(b); over {
			return
		}
		x.acks, x.ackAt = b.Next, 0
		finish(b)
	}
}

// settleResults tells the sources how their trees ended; it says whether it stopped early because the budget is used
// up.
func (x *executor) settleResults(b *gearcore.Batch) (over bool) {
	for x.ackAt < len(b.Acks) {
		n := x.settleStretch(b.Acks, min(x.toCheck, max(x.calls, 1)))
		if x.spend(n) && x.ackAt < len(b.Acks) {
			return true
		}
	}
	return false
}

// settleStretch takes results of up to limit roots from x.ackAt on, fewer if something needs attention. It returns of how
// many.
func (x *executor) settleStretch(acks []gearcore.Ack, limit int) (n int) {
	for n < limit && x.ackAt < len(acks) {
		a := &acks[x.ackAt]
		root, op := a.Root, a.Op
		if a.More > 0 {
			a.Root, a.More = root+1, a.More-1
		} else {
			x.ackAt++
		}
		n++
		x.settleRoot(root, op)
		if x.attn.Load() {
			x.called()
			break
		}
	}
	return n
}

func (x *executor) settleRoot(root uint64, op gearcore.AckOp) {
	if op == gearcore.AckReset {
		x.pending.Reset(root)
		return
	}
	id, from := x.pending.Take(root)
	switch {
	case id == nil: // it is late: timed out, or of an earlier life of this task
	case op == gearcore.AckDone:
		x.acked(*id, from)
	case op == gearcore.AckFail:
		x.failed(*id, from)
	}
}

// acked tells a source that a tree is complete. from is not used after the call, which may emit.
func (x *executor) acked(id gearcore.Value, from *ackers.Origin) {
	if !x.meter.completedMore(x, from) {
		x.meter.completed(x, from)
	}
	t := x.task(from.Task)
	x.calling = t
	t.source.Ack(id, t.c)
	x.calling = nil
}

func (x *executor) failed(id gearcore.Value, from *ackers.Origin) {
	x.meter.lost(x, from)
	t := x.task(from.Task)
	x.calling = t
	t.source.Fail(id, t.c)
	x.calling = nil
}

// failExpired fails what timed out or was refused.
func (x *executor) failExpired() {
	if len(x.expired) > 0 {
		x.stir()
	}
	for x.expiredAt < len(x.expired) {
		e := x.expired[x.expiredAt]
		x.expiredAt++
		x.failed(e.ID, &e.Origin)
		x.called()
	}
	clear(x.expired)
	x.expired, x.expiredAt = x.expired[:0], 0
}

// ackInstant acks the tuples that nothing has to be waited for, until the budget is used up: Ack may emit more of them,
// for ever.
func (x *executor) ackInstant() {
	for x.instantAt < len(x.instant) {
		e := x.instant[x.instantAt]
		x.instant[x.instantAt] = ackers.Entry{}
		x.instantAt++
		if 2*x.instantAt >= len(x.instant) { // mostly done: what is left moves to the front
			x.instant, x.instantAt = slices.Delete(x.instant, 0, x.instantAt), 0
		}
		x.acked(e.ID, &e.Origin)
		if x.spend(1) {
			return
		}
	}
}
