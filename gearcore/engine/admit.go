package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// What one task sends to another arrives in order though the other moves. There are two cases in which it might not.
//
// The other comes to this worker: its senders here go over to its inbox with the roster, while what they have sent before waits for
// the link in the transport. So it is not opened before whoever makes the change has moved the links too (Change.Hold, Admit); what waited
// there is put in front of the inbox. A sender that goes over late has its batches brought to the end of the inbox, still before those that it
// delivers itself.
//
// It leaves this worker: what senders elsewhere have sent by the former plan would be passed on from here, beside what they send to the new
// place. So it lingers and executes that here. It does not for heirs in this worker: where an executor is cut so that some of its tasks stay
// and others go, order may break, as it may where a worker hears of the change later than that, where a bolt moves again meanwhile, and where
// one has more in its inbox than it executes in its time.

// holdLocked has the bolts of come wait for Admit; e.mu is held.
func (e *Engine) holdLocked(come []*executor) {
	for _, x := range come {
		if x.role != roleBolt {
			continue
		}
		if e.held == nil {
			e.held = map[*executor]*batches{}
		}
		e.held[x] = &batches{}
		e.bars[x]++
		x.barred.Store(true)
	}
}

// bring keeps b for in front of the inbox of x if that waits for Admit, and says whether it does.
func (e *Engine) bring(x *executor, b *gearcore.Batch) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.held[x]
	if l == nil {
		return false
	}
	b.At = x.arrived(nil)
	l.push(b)
	return true
}

// Admit ends the wait of bolts that came by a change with Hold: all that waited for links to them is back (TakeBack).
func (e *Engine) Admit() {
	e.mu.Lock()
	held := e.held
	e.held = nil
	e.mu.Unlock()
	byFirst := func(a, b *executor) int { return int(a.first - b.first) }
	come := slices.SortedFunc(maps.Keys(held), byFirst) // in the same order in each run of a simulation
	for _, x := range come {
		x.mu.Lock()
		x.in.pushAhead(*held[x])
		x.mu.Unlock()
	}
	e.mu.Lock()
	free := slices.DeleteFunc(come, func(x *executor) bool { return !e.unbarLocked(x) })
	e.mu.Unlock()
	for _, x := range free {
		x.unbarred()
	}
}

// unbarLocked takes one of its bars from x and says whether there is none left; e.mu is held.
func (e *Engine) unbarLocked(x *executor) bool {
	if e.bars[x]--; e.bars[x] > 0 {
		return false
	}
	delete(e.bars, x)
	return true
}

// unbarred has x, which has no bar left, opened.
func (x *executor) unbarred() {
	x.barred.Store(false)
	x.tell(evStatus, nil)
}

// lingerTime is how long an executor lingers at most: workers hear of a change at different times, and links take theirs.
const lingerTime = 500 * time.Millisecond

// lingerLocked has x, if it is a bolt that leaves, wait for what workers send that hear of r later: for half of the time it has, so that it can
// finish what comes last. One that has heirs in this worker does not keep them waiting. e.mu is held.
func (e *Engine) lingerLocked(x *executor, r *roster, l *leaving) {
	if x.role != roleBolt || e.epochs != nil || e.cfg.Remote == nil || r.isGone(x.first) || len(e.heirs[x]) > 0 {
		return
	}
	now := e.cfg.Clock.Now()
	x.lingers.Store(int64(now + min((l.at-now)/2, lingerTime)))
}

// lingerer returns the executor that had a task and lingers, nil if there is none.
func (e *Engine) lingerer(id gearcore.TaskID) *executor {
	e.mu.Lock()
	defer e.mu.Unlock()
	for x := range e.leavers {
		if x.lingers.Load() > 0 && x.task(id) != nil {
			return x
		}
	}
	return nil
}
