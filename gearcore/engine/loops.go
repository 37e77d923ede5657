package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	stealAfter = 100 * time.Microsecond // what has waited this long may be taken by another loop
	stealLate  = 2 * time.Millisecond   // the same for one that has a home, or whose tuples cost less than cheapTuple: moving them costs more
	cheapTuple = 200                    // nanoseconds
	watchSoon  = time.Millisecond       // when something waits behind a run
	watchLate  = 5 * time.Millisecond   // when nothing does
	stuckAfter = 5 * time.Millisecond   // in one run
)

// shell is the run loops of an engine: goroutines that take executors from ready queues and perform them. Executors
// that become ready during a run queue at the loop of that run, where their input is warm; other loops take them only
// when they have waited for stealAfter, or for stealLate where they have a home or a tuple costs so little that its move to another
// processor costs more. A parked loop is woken for work from outside, or when something has waited.
//
// Timers are the affair of the loops: a busy one looks between two runs, and of the parked ones one waits for the next.
//
// While anything runs, a watch looks every few milliseconds. A loop that it finds in one run for stuckAfter is stuck in
// user code: its queue is given to a new goroutine, and its old one ends when user code returns.
type shell struct {
	e      *Engine
	loops  []*loop
	parked atomic.Int32
	wg     sync.WaitGroup // loop goroutines, stand-ins included

	started atomic.Bool
	watched atomic.Int64 // the watch is set to this period, 0: not set
	homes   homes        // of the watch

	watchMu sync.Mutex // over the watch's callback and its end
	stopped bool       // guarded by watchMu
	watch   *time.Timer

	alarmTimer *time.Timer          // set to the earliest of the engine's timers, under timers.mu
	keeper     atomic.Pointer[loop] // the parked loop that waits for it
}

// loop is one ready queue and the goroutine that serves it.
type loop struct {
	s    *shell
	id   int
	wake chan struct{}

	mu          sync.Mutex
	first, rest line         // guarded by mu: the queue
	waiting     atomic.Int32 // its length; written with mu
	parked      bool         // guarded by mu
	term        uint64       // guarded by mu: which goroutine serves it

	now   time.Duration   // a recent reading of the clock, of its goroutine
	fired func(*executor) // add

	runs    atomic.Uint64 // numbers the runs
	inRun   atomic.Uint64 // the run under way, 0 for none
	current atomic.Pointer[executor]

	rested  atomic.Int64 // nanoseconds parked, but for the present time
	restsAt atomic.Int64 // when that began, 0: it is not parked

	// of the watch
	seen  uint64
	since time.Duration // when it was seen first
}

func newShell(e *Engine, n int) *shell {
	s := &shell{e: e}
	s.homes.s, s.homes.of = s, e.roster.Load()
	for i := range n {
		l := &loop{s: s, id: i, wake: make(chan struct{}, 1)}
		l.fired = l.add
		s.loops = append(s.loops, l)
	}
	s.watch = time.AfterFunc(time.Hour, s.look)
	s.watch.Stop()
	s.alarmTimer = time.NewTimer(time.Hour)
	s.alarmTimer.Stop()
	return s
}

// Run runs the engine until ctx ends, or until a component cannot be opened, which is the error it returns then. When
// it returns all tasks are closed and no goroutine of the engine is left; it waits for user code that does not
// return. Run may be called once.
func (e *Engine) Run(ctx context.Context) error {
	s := e.shell
	if s == nil || s.started.Swap(true) {
		return errors.New("run engine: it is driven by hand or was run before")
	}
	stop := context.AfterFunc(ctx, e.end)
	defer stop()
	if at, ok := e.timers.next(); ok {
		s.alarm(at) // before the loops run: they may set earlier ones
	}
	for _, l := range s.loops {
		s.wg.Add(1)
		go s.serve(l, 0)
	}
	s.wg.Wait()
	s.stopWatch()
	e.closeTasks()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// serve is the goroutine of l for one term.
func (s *shell) serve(l *loop, term uint64) {
	normal := false
	defer func() {
		if !normal { // user code called runtime.Goexit
			s.standIn(l, term)
		}
		s.wg.Done()
	}()
	self := goroutineID()
	l.now = s.e.cfg.Clock.Now()
	for {
		x := s.next(l)
		if x == nil {
			break
		}
		now := l.now // from inRun on the loop may be another goroutine's
		run := l.runs.Add(1)
		l.current.Store(x)
		l.inRun.Store(run)
		// Only now: a watch that looks before it sees the run would take the loop for idle and not look again, and what
		// waits behind a run that blocks for ever would wait with it.
		s.keepWatch(s.urgency(l))
		x.term = term
		began, last := x.perform(l, self, runCalls, now)
		if began == last { // no run leaves the clock as it is
			last = s.e.cfg.Clock.Now()
		}
		l.inRun.CompareAndSwap(run, 0)
		if !l.holds(term) {
			break
		}
		l.now = last
	}
	normal = true
}

// parkedFor returns how long l has been parked in all.
func (l *loop) parkedFor(now time.Duration) time.Duration {
	sum := time.Duration(l.rested.Load())
	if at := l.restsAt.Load(); at != 0 {
		sum += max(now-time.Duration(at), 0)
	}
	return sum
}

func (l *loop) holds(term uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.term == term
}

// next returns the next executor for l, waiting for one; nil at the end.
func (s *shell) next(l *loop) *executor {
	for !s.e.isEnding() {
		if at := s.e.timers.earliest.Load(); at != 0 && time.Duration(at) <= l.now {
			s.e.fire(l.now, l.fired)
		}
		if x := l.pop(); x != nil {
			return x
		}
		if x := s.steal(l); x != nil {
			return x
		}
		if l.park() {
			l.current.Store(nil) // it may be gone for good before l runs anything again
			began := l.now
			l.restsAt.Store(max(int64(began), 1))
			s.wait(l)
			l.now = s.e.cfg.Clock.Now()
			l.restsAt.Store(0)
			l.rested.Add(int64(l.now - began))
		}
	}
	return nil
}

// wait waits until l, which is parked, is woken. One of the parked loops, the keeper, waits for the engine's timers as well:
// then what is due runs without a goroutine that only wakes another.
func (s *shell) wait(l *loop) {
	if !s.keeper.CompareAndSwap(nil, l) {
		select {
		case <-l.wake:
		case <-s.e.ending:
		}
		return
	}
	select {
	case <-l.wake:
	case <-s.e.ending:
	case <-s.alarmTimer.C:
		l.unparkSelf()
	}
	s.keeper.Store(nil)
}

// park marks l as parked unless something came in between; then the goroutine waits for l.wake.
func (l *loop) park() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first.head != nil || l.rest.head != nil {
		return false
	}
	l.parked = true
	l.s.parked.Add(1)
	return true
}

// unpark takes l out of parking, with or without x to run.
func (l *loop) unpark(x *executor) bool {
	l.mu.Lock()
	if !l.parked {
		l.mu.Unlock()
		return false
	}
	l.parked = false
	if x != nil {
		l.addLocked(x, nil)
	}
	l.mu.Unlock()
	l.s.parked.Add(-1)
	l.wake <- struct{}{}
	return true
}

// unparkSelf takes l out of parking, by its own goroutine. Whoever did so at the same time sends a wake, which is not needed.
func (l *loop) unparkSelf() {
	l.mu.Lock()
	was := l.parked
	l.parked = false
	l.mu.Unlock()
	if was {
		l.s.parked.Add(-1)
	} else {
		<-l.wake
	}
}

// add queues x, whose time has come, for l.
func (l *loop) add(x *executor) {
	if h := x.lives.Load(); h != nil && h != l {
		l.s.readyAt(h, x, l.now)
		return
	}
	x.queuedAt = l.now
	l.mu.Lock()
	l.addLocked(x, nil)
	l.mu.Unlock()
}

// line is a list of executors in order.
type line struct{ head, tail *executor }

func (q *line) push(x *executor) {
	x.next = nil
	if q.tail == nil {
		q.head = x
	} else {
		q.tail.next = x
	}
	q.tail = x
}

func (q *line) pop() *executor {
	x := q.head
	if q.head = x.next; q.head == nil {
		q.tail = nil
	}
	x.next = nil
	return x
}

// addLocked queues x, which became ready in a run of by (nil: outside of any). What a source emitted is worked on before
// another source runs: with many sources it would be cold by then. Nobody starves: in front are the receivers of one run of
// a source only, each of them once. A source that lost its loop in a long call could bring them again and again.
func (l *loop) addLocked(x, by *executor) {
	if by != nil && by.role == roleSpout && x.role == roleBolt && by.term == l.term {
		l.first.push(x)
	} else {
		l.rest.push(x)
	}
	l.waiting.Add(1)
}

// oldestLocked returns the part of the queue with the executor that has waited longest, nil if there is none.
func (l *loop) oldestLocked() *line {
	a, b := l.first.head, l.rest.head
	switch {
	case a == nil && b == nil:
		return nil
	case b == nil || a != nil && a.queuedAt <= b.queuedAt:
		return &l.first
	}
	return &l.rest
}

// late says whether the first of q, which may be nil, has waited for so long that another loop may take it.
func (q *line) late(now time.Duration) bool {
	if q == nil {
		return false
	}
	waited := now - q.head.queuedAt
	if c := q.head.cost.Load(); c > 0 && c < cheapTuple || q.head.lives.Load() != nil {
		return waited > stealLate
	}
	return waited > stealAfter
}

// pop takes the next executor of l. Somebody who is parked is woken for what waits behind it and has waited for long: a
// run that ends makes nothing ready, so nobody else would look.
func (l *loop) pop() *executor {
	l.mu.Lock()
	x := l.popLocked()
	late := x != nil && l.oldestLocked().late(l.now)
	l.mu.Unlock()
	if late && l.s.parked.Load() > 0 {
		l.s.help(l)
	}
	return x
}

func (l *loop) popLocked() *executor {
	q := &l.first
	if q.head == nil {
		q = &l.rest
	}
	if q.head == nil {
		return nil
	}
	l.waiting.Add(-1)
	return q.pop()
}

// steal takes an executor that has waited for long from another loop.
func (s *shell) steal(l *loop) *executor {
	if len(s.loops) == 1 {
		return nil
	}
	now := s.e.cfg.Clock.Now()
	l.now = now
	for i := 1; i < len(s.loops); i++ {
		o := s.loops[(l.id+i)%len(s.loops)]
		o.mu.Lock()
		var x *executor
		if q := o.oldestLocked(); q.late(now) {
			o.waiting.Add(-1)
			x = q.pop()
		}
		o.mu.Unlock()
		if x != nil {
			return x
		}
	}
	return nil
}

// ready implements dispatcher.
func (s *shell) ready(x, by *executor) {
	if by == nil {
		s.readyOutside(x)
		return
	}
	if h := x.lives.Load(); h != nil && h != by.loop {
		s.readyAt(h, x, by.now)
		return
	}
	x.queuedAt = by.now
	l := by.loop
	l.mu.Lock()
	l.addLocked(x, by)
	old := l.oldestLocked().late(by.now)
	parked := l.parked // possible if this run lost its loop
	l.mu.Unlock()
	if parked {
		l.unpark(nil)
	}
	if old && s.parked.Load() > 0 {
		s.help(l)
	}
}

// readyAt queues x for its home h, which is not the loop of the caller, if the caller is one.
func (s *shell) readyAt(h *loop, x *executor, now time.Duration) {
	x.queuedAt = now
	h.mu.Lock()
	h.addLocked(x, nil)
	parked := h.parked
	h.mu.Unlock()
	if parked && h.unpark(nil) {
		nudge()
	}
	s.keepWatch(watchSoon)
}

// nudge makes a goroutine that was just made ready run on another processor soon, where the caller goes on. Go's scheduler keeps
// the last one that a goroutine made ready for that one's own processor, and another takes it only after a sleep of some
// 60 us; the one before it is free to be taken at once.
func nudge() { go func() {}() }

// readyOutside queues x for the loop it ran on last, unless that one is busy and another one is parked.
func (s *shell) readyOutside(x *executor) {
	if h := x.lives.Load(); h != nil {
		s.readyAt(h, x, s.e.cfg.Clock.Now())
		return
	}
	x.queuedAt = s.e.cfg.Clock.Now()
	home := x.home
	if home == nil {
		home = s.loops[int(x.first)%len(s.loops)]
	}
	if home.unpark(x) {
		return
	}
	if s.parked.Load() > 0 {
		for i := 1; i < len(s.loops); i++ {
			if s.loops[(home.id+i)%len(s.loops)].unpark(x) {
				return
			}
		}
	}
	home.mu.Lock()
	home.addLocked(x, nil)
	parked := home.parked
	home.mu.Unlock()
	if parked {
		home.unpark(nil)
	}
	s.keepWatch(watchSoon)
}

// help wakes one parked loop other than l, to steal.
func (s *shell) help(l *loop) {
	for i := 1; i < len(s.loops); i++ {
		if s.loops[(l.id+i)%len(s.loops)].unpark(nil) {
			return
		}
	}
}

func (s *shell) wakeAll() {
	for _, l := range s.loops {
		l.unpark(nil)
	}
}

// single implements dispatcher.
func (s *shell) single() bool { return false }

// detach implements dispatcher: another goroutine takes over the loop of x.
func (s *shell) detach(x *executor) bool {
	s.standIn(x.loop, x.term)
	return true
}

// spawn implements dispatcher.
func (s *shell) spawn(f func()) { s.e.closing.Go(f) }

// standIn starts a new goroutine for l in place of that of term, which is in a run and ends after it, unless that was
// done already. Only a goroutine in a run may be replaced: one that is parked would swallow the wake of its successor.
func (s *shell) standIn(l *loop, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.term == term {
		s.succeedLocked(l)
	}
}

func (s *shell) succeedLocked(l *loop) {
	l.term++
	l.inRun.Store(0)
	s.wg.Add(1)
	go s.serve(l, l.term)
}

// alarm sets the timer for the earliest of the engine's timers; timers.mu is held.
func (s *shell) alarm(at time.Duration) {
	if s.started.Load() {
		s.alarmTimer.Reset(max(at-s.e.cfg.Clock.Now(), 0))
	}
}

// stopWatch ends the watch's callback; it does not run when it returns.
func (s *shell) stopWatch() {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	s.stopped = true
	s.watch.Stop()
	s.alarmTimer.Stop()
}
