package engine

import (
	"errors"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// perform runs x once: what it was told, what was posted, then tuples or Next until the budget is used up. At most
// calls calls of user code are made, and now is the time. The caller owns x, which is queued; l and goroutine say who it is, for run loops.
// It returns when the run began and what the clock said when it was last read in it.
func (x *executor) perform(l *loop, goroutine uint64, calls int, now time.Duration) (began, ended time.Duration) {
	x.begin(l, goroutine, calls, now)
	began = x.now
	for !x.steps() && !x.spend(1) {
	}
	ended = x.now
	x.end()
	return began, ended
}

// begin begins a run. It takes all that waits under one lock; what comes later makes x run again.
func (x *executor) begin(l *loop, goroutine uint64, calls int, now time.Duration) {
	x.takeRun()
	x.loop = l
	if l != nil {
		x.home = l
	}
	x.now = now
	x.until = x.now + runTime
	x.calls, x.quota, x.batches = calls, calls, runBatches
	x.goroutine = goroutine
	x.stride = max(x.stride/2, 1)
	x.toCheck = int(x.stride)
	x.lent = false
	x.mu.Lock()
	x.state = running
	x.again = false
	if x.acks == nil {
		x.acks = x.in.acks.takeAll()
	}
	if x.taken == nil && !x.barred.Load() { // else Admit may bring something that is to be in front
		x.taken = x.in.rows.takeAll()
	}
	x.posted = len(x.posts) > 0
	if x.attentive = x.opened; x.attentive {
		x.heard, x.events = x.events, 0
	}
	x.leaves = x.exit
	x.mu.Unlock()
	if x.leaves != nil { // now may be from before the timer that says that its time is over, and there is no other
		x.now = x.e.cfg.Clock.Now()
		x.until = x.now + runTime
	}
	if r := x.e.roster.Load(); r != x.wired && (r.next == nil || r.next != x.wired) && (x.leaves != nil || r.of(x.first) == x) {
		x.rewire(r) // one that is not in it goes on as before until it is told to leave (dismiss)
	}
}

// steps does the work of a run. It returns false when a panic of user code ended it early: the caller calls it again,
// as far as the budget goes.
func (x *executor) steps() (done bool) {
	x.inside = true
	defer x.caught()
	if x.timed != nil {
		x.timed.enter()
	}
	if x.stuck {
		x.flush()
	}
	if x.prepared() && (x.timed == nil || x.timed.follow()) {
		x.heed()
		x.settleAcks()
		x.runPosts()
		switch {
		case x.overdue():
		case x.role == roleBolt:
			x.consume()
		case x.role == roleSpout:
			x.produce()
		}
		if x.timed != nil {
			x.timed.drained()
			if len(x.timed.channels) == 0 && !x.timed.ended {
				x.timed.asked()
			}
		}
	}
	if x.fused != nil {
		x.runFused()
	}
	x.inside = false
	return true
}

// end hands over what was emitted and decides when x runs next.
func (x *executor) end() {
	x.measure()
	if x.overdue() {
		x.giveUp()
	}
	if x.timed != nil {
		x.timed.announce()
	}
	x.flush()
	if x.slow.Load() && x.e.cfg.Clock.Now()-(x.until-runTime) < stuckAfter {
		// The run that was caught waited for a processor, on a machine with more work than that, or was an exception.
		x.slow.Store(false)
	}
	x.meter.report(x)
	if x.role == roleSpout {
		x.inFlight.Store(int64(x.pending.Len()))
	}
	if x.timed != nil {
		x.timed.show()
	}
	x.mu.Lock()
	if !x.borrowed {
		x.work.busy += x.now - (x.until - runTime)
	}
	x.borrowed = false
	x.work.calls += int64(x.quota - x.calls)
	if x.leaves != nil && x.doneLocked() {
		x.departLocked()
		return
	}
	// Events that come before the tasks may be opened are kept until then: running for them would be a busy wait.
	if x.again || x.opened && (x.events != 0 || x.moreLocked()) {
		x.again = false
		x.state = queued
		by := x
		x.mu.Unlock()
		x.e.disp.ready(x, by)
		return
	}
	if x.opened && !x.stuck && x.paused == 0 {
		x.state = idle
	} else {
		x.state = blocked
	}
	var spare *run
	if x.quiet() {
		spare, x.run = x.run, &noRun // with the lock: the next run may begin at once
	}
	x.mu.Unlock()
	if spare != nil {
		x.e.runs.Put(spare)
	}
}

// moreLocked says whether there is work that x may do now.
func (x *executor) moreLocked() bool {
	if x.acks != nil || x.in.acks.head != nil || x.expiredAt < len(x.expired) || x.instantAt < len(x.instant) {
		return true
	}
	if x.stuck {
		return false
	}
	if x.todoAt < len(x.todo) || len(x.posts) > 0 {
		return true
	}
	switch x.role {
	case roleBolt:
		return x.paused == 0 && (x.cur != nil || x.taken != nil || x.in.rows.head != nil)
	case roleSpout:
		return x.wantsNext()
	}
	return false
}

// spend counts n calls of user code and says whether the budget is used up. The clock is read less and less often as long
// as calls are short; how often is remembered from run to run, and the watch sets attn on an executor that was taken for
// a quick one.
func (x *executor) spend(n int) bool {
	x.calls -= n
	if x.toCheck -= n; x.toCheck > 0 {
		return x.calls <= 0
	}
	was := x.now
	x.now = x.e.cfg.Clock.Now()
	switch took := x.now - was; {
	case took > runTime:
		x.stride = 1
	case took > runTime/8:
		x.stride = max(x.stride/2, 1)
	case x.stride < maxStride:
		x.stride *= 2
	}
	x.toCheck = int(x.stride)
	return x.calls <= 0 || x.now >= x.until
}

// called ends a call of user code: what is complete without an acker is acked, and what needs attention gets it.
func (x *executor) called() {
	x.calling = nil
	if x.instantAt < len(x.instant) {
		x.ackInstant()
	}
	if x.attn.Load() {
		x.attend()
	}
}

// attend does what came up during a call of user code and could not be done inside it. That x is stuck or paused is seen
// by whoever would make the next call.
func (x *executor) attend() {
	x.attn.Store(false) // first: the watch may set it at any time
	if x.fusedDue {
		x.runFused()
	}
	if x.slow.Load() {
		x.flush()
		x.toCheck = 0
		x.attn.Store(true)
	}
}

// heed takes the events.
func (x *executor) heed() {
	ev := x.heard
	x.heard = 0
	if !x.attentive { // the tasks have been opened in this run
		x.mu.Lock()
		ev, x.events = x.events, 0
		x.mu.Unlock()
	}
	if ev&evClock != 0 {
		x.timed.rang()
	}
	if ev&evWaited != 0 {
		x.waiting = false
		x.before = -1
	}
	if ev&evRotate != 0 {
		x.rotate()
	}
	if x.role == roleSpout {
		x.followStatus()
		x.failExpired()
		x.ackInstant()
	}
}

func (x *executor) rotate() {
	x.expired = x.pending.Rotate(x.expired)
}

// caught is the one recover of a run. It blames the task whose code ran and fails its tuple; the run goes on behind
// it, since every list was advanced before the call.
func (x *executor) caught() {
	if !x.inside {
		return
	}
	r := recover()
	switch {
	case r != nil:
		x.blame(gearcore.Caught(r))
	case x.away: // it was the code of the fused executor, which has been blamed
		x.away, x.calling, x.executing = false, nil, false
		x.leave()
	default:
		x.blame(errGoexit)
	}
	if r == nil {
		// The goroutine is ending and takes its run loop along; the executor goes on with another one.
		x.inside = false
		x.end()
	}
}

var errGoexit = errors.New("component ended its goroutine (runtime.Goexit)")

// blame reports err for the task whose code ran, and fails its tuple.
func (x *executor) blame(err error) {
	t := x.calling
	x.leave()
	defer func() { x.calling = nil }()
	if t == nil {
		panic(err) // not user code: a bug of the engine
	}
	if !x.counted {
		x.openFailed(t, err)
		return
	}
	x.e.report(t.id, err)
	if x.timed != nil {
		x.timed.broken(err)
	}
	if x.executing {
		x.executing = false
		x.meter.executed(x, x.cur)
		t.sink.Fail(x.cur.Tuple(x.row - 1))
	}
}

// wakeForRoom is told that an outbox of x may hand over again.
func (x *executor) wakeForRoom() {
	x.mu.Lock()
	select {
	case x.room <- struct{}{}: // nobody takes it while room is nil
	default:
	}
	x.wakeLocked(nil)
}

// waitForRoom blocks an emit of a call that went too far beyond the room there was, until half of the excess is gone.
// Its run loop gets a stand-in meanwhile. A Driver has one goroutine and cannot wait: there the excess grows.
func (x *executor) waitForRoom() {
	if !x.lent {
		x.lent = x.e.disp.detach(x)
	}
	if !x.lent {
		return
	}
	x.mu.Lock()
	if x.room == nil {
		x.room = make(chan struct{}, 1)
	}
	room := x.room
	x.mu.Unlock()
	began := x.e.cfg.Clock.Now()
	defer func() { x.began += x.now - began }() // that was no service time
	for {
		x.now = x.e.cfg.Clock.Now()
		x.flush()
		if x.overshoot <= maxOvershoot/2 {
			break
		}
		if x.timed != nil && x.timed.stale() {
			x.timed.rollbackOutput()
			break
		}
		select {
		case <-room:
		case <-x.e.ending:
			return
		}
	}
}

// clockAfter returns how long it is from x.now to the present, and makes the present x.now.
func (x *executor) clockAfter() time.Duration {
	was := x.now
	x.now = x.e.cfg.Clock.Now()
	return x.now - was
}
