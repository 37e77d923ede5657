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
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

// Start begins to call work, at once and after every Wake, until Stop. work does all that there is to do. After an error, which failed is told, it is
// called again after a pause.
func (l *Loop) Start(work func(context.Context) error, failed func(error)) {
	l.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	wake, ended := make(chan struct{}, 1), make(chan struct{})
	wake <- struct{}{}
	l.wake, l.cancel, l.ended = wake, cancel, ended
	go func() {
		defer close(ended)
		pause := firstPause
		for {
			select {
			case <-ctx.Done():
				return
			case <-wake:
			}
			err := work(ctx)
			if err == nil {
				pause = firstPause
				continue
			}
			if ctx.Err() != nil {
				return
			}
			failed(err)
			if !sleep(ctx, pause) {
				return
			}
			pause = min(2*pause, longestPause)
			l.poke(wake)
		}
	}()
}

// Wake says that there is work.
func (l *Loop) Wake() {
	if l.wake != nil {
		l.poke(l.wake)
	}
}

func (l *Loop) poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Stop ends the context of the work under way and waits for its end.
func (l *Loop) Stop() {
	if l.cancel != nil {
		l.cancel()
		<-l.ended
		l.cancel = nil
	}
}

// sleep waits for d and reports whether ctx still holds.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
