package connect

import (
	"context"
	"time"
)

// Pauses of a Loop after errors: the first, doubled after each further one, up to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 5 * time.Second
)

// Loop does a task's work elsewhere, when it is told that there is some. The zero Loop does nothing yet. Its methods are for
// one goroutine at a time, but Wake is for any.
type Loop struct {
	work   func(context.Context) error
	failed func(error)
	wake   chan struct{}
	last   chan struct{} // closed by Finish
	cancel context.CancelFunc
	ended  chan struct{}
}

// Start begins to call work, at once and after every Wake, until Stop. work does all that there is to do. After an error, which failed is told, it is
// called again after a pause.
func (l *Loop) Start(work func(context.Context) error, failed func(error)) {
	l.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	*l = Loop{work: work, failed: failed, cancel: cancel, ended: make(chan struct{}),
		wake: make(chan struct{}, 1), last: make(chan struct{})}
	l.Wake()
	go l.run(ctx)
}

func (l *Loop) run(ctx context.Context) {
	defer close(l.ended)
	pause := firstPause
	for over := false; !over; {
		select {
		case <-ctx.Done():
			return
		case <-l.last:
			over = true
		case <-l.wake:
		}
		err := l.work(ctx)
		if err == nil {
			pause = firstPause
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.failed(err)
		l.sleep(ctx, pause)
		pause = min(2*pause, longestPause)
		l.Wake()
	}
}

// sleep waits for d, or until the loop is to end.
func (l *Loop) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-l.last:
	case <-t.C:
	}
}

// Wake says that there is work.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // also where nothing was started: nobody waits
	}
}

// Finish has the work done once more and ends as Stop does, which it is after d.
func (l *Loop) Finish(d time.Duration) {
	if l.cancel == nil {
		return
	}
	close(l.last)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-l.ended:
	case <-t.C:
	}
	l.Stop()
}

// Stop ends the context of the work under way and waits for its end.
func (l *Loop) Stop() {
	if l.cancel != nil {
		l.cancel()
		<-l.ended
		l.cancel = nil
	}
}
