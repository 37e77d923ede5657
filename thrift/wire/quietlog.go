package wire

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quietLog logs at most perSecond records a second, so that who sends garbage cannot fill the disk. The next record that
// passes says how many did not.
type quietLog struct {
	log *slog.Logger

	mu      sync.Mutex
	second  time.Time
	passed  int
	dropped int
}

const perSecond = 50

func (q *quietLog) write(level slog.Level, msg string, attrs ...slog.Attr) {
	dropped, ok := q.admit(time.Now())
	if !ok {
		return
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Int("suppressed", dropped))
	}
	q.log.LogAttrs(context.Background(), level, msg, attrs...)
}

// admit returns whether a record may pass at now, and how many were dropped before it.
func (q *quietLog) admit(now time.Time) (dropped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now.Sub(q.second) >= time.Second {
		q.second, q.passed = now, 0
	}
	if q.passed >= perSecond {
		q.dropped++
		return 0, false
	}
	q.passed++
	dropped, q.dropped = q.dropped, 0
	return dropped, true
}
