package localizer

import (
	"context"
	"errors"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
)

const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// tries does what may fail for a while, some times, with growing pauses, and never more than cap(threads) at once.
type tries struct {
	again   int
	threads chan struct{}
}

func newTries(again, threads int) tries { return tries{again, make(chan struct{}, threads)} }

func (t tries) do(ctx context.Context, f func() error) error {
	for n, pause := 0, firstPause; ; n, pause = n+1, min(2*pause, lastPause) {
		err := t.once(ctx, f)
		if err == nil || n >= t.again || !passing(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

func (t tries) once(ctx context.Context, f func() error) error {
	select {
	case t.threads <- struct{}{}:
		defer func() { <-t.threads }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return f()
}

// passing tells whether an error of the master may be over soon.
func passing(err error) bool { return client.Retryable(err) || errors.Is(err, client.ErrBlobSize) }
