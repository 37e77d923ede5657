// Package pause waits for a time or until nobody wants to any more.
package pause

import (
	"context"
	"time"
)

// For waits for d. It returns ctx's error if ctx has ended, at once when it does.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err()
}
