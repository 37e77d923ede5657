package engine

import "time"

// urgency says how soon the watch should look after l, which is about to run something.
func (s *shell) urgency(l *loop) time.Duration {
	if l.waiting.Load() > 0 && s.parked.Load() > 0 {
		return watchSoon
	}
	return watchLate
}

// keepWatch sets the watch to the period d unless it is set to that or a shorter one.
func (s *shell) keepWatch(d time.Duration) {
	if w := s.watched.Load(); w != 0 && w <= int64(d) || !s.started.Load() {
		return
	}
	s.watched.Store(int64(d))
	s.watch.Reset(d)
}

// look is the watch: it wakes help for what waits and replaces goroutines that are stuck. It ends when every loop is
// parked; the next run sets it again.
func (s *shell) look() {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	if s.stopped {
		return
	}
	s.watched.Store(0)
	now := s.e.cfg.Clock.Now()
	busy, again := false, watchLate
	for _, l := range s.loops {
		run := l.inRun.Load()
		l.mu.Lock()
		n := int(l.waiting.Load())
		old := l.oldestLocked().late(now)
		l.mu.Unlock()
		busy = busy || n > 0 || run != 0
		if n > 0 {
			again = watchSoon
		}
		if old && s.parked.Load() > 0 {
			s.help(l)
		}
		l.judge(run, n, now)
	}
	s.homes.survey(now)
	if busy {
		s.keepTime(now)
		s.keepWatch(again)
	}
}

// keepTime does what is due if all loops are in long runs, and finds a keeper if there is none but could be one.
func (s *shell) keepTime(now time.Duration) {
	if s.keeper.Load() != nil {
		return
	}
	for _, l := range s.loops {
		if l.unpark(nil) {
			return
		}
	}
	s.e.fire(now, s.readyOutside)
}

// judge replaces the goroutine of l if it has been in the same run for long and something waits behind it.
func (l *loop) judge(run uint64, waiting int, now time.Duration) {
	if run == 0 || run != l.seen {
		l.seen, l.since = run, now
		return
	}
	if now-l.since < stuckAfter {
		return
	}
	if x := l.current.Load(); x != nil {
		x.slow.Store(true)
		x.attn.Store(true)
	}
	if waiting == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The run may have ended by now. Its goroutine clears inRun before it asks, under the lock, whether it still holds
	// the loop; so it either shows here that it is over, or will see that it was replaced.
	if l.inRun.Load() == run {
		l.s.succeedLocked(l)
	}
}
