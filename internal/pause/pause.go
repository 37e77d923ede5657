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

// Growing is how long to wait before something is asked again that has been waited for so long: a quarter of that, so the answer is late by no
// more, within bounds.
func Growing(waited, least, most time.Duration) time.Duration { return min(max(waited/4, least), most) }
