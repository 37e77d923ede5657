package worker

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Names of loggers. A line with an attribute "component" belongs to the logger of that component's id, one with an attribute
// "logger" to the logger of that name, and all others, the worker's own, to ownLogger. Loggers inherit by their names: what is
// set for "a" goes for "a.b" too, unless that has a level of its own, and what is set for rootLogger goes for all.
const (
	rootLogger = "ROOT"
	ownLogger  = "org.apache.storm"
)

// levels are the log levels that users have changed while the worker runs. What is set holds for workers that start later too;
// the time of a level that is to be reset is that of the cluster, not of the worker's start. The zero value has none.
type levels struct {
	inForce atomic.Pointer[map[string]slog.Level] // by logger

	mu    sync.Mutex
	set   map[string]*stormrpc.LogLevel
	timer *time.Timer // for the next reset
	ended bool
	told  func(map[string]string) // of the levels in force, by logger, as users wrote them; may be nil, and does not wait
}

// tell has f told of the levels in force, now and with every change.
func (l *levels) tell(f func(map[string]string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = f
	l.applyLocked()
}

// follow takes the levels that a plan names and says whether they are others than before.
func (l *levels) follow(c *stormrpc.LogConfig) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next map[string]*stormrpc.LogLevel
	if c != nil {
		next = c.NamedLoggerLevel
	}
	if l.ended || maps.EqualFunc(next, l.set, sameLevel) {
		return false
	}
	l.set = next
	l.applyLocked()
	return true
}

// sameLevel compares all but the action, which only says whether a level is new.
func sameLevel(a, b *stormrpc.LogLevel) bool {
	return a.GetTargetLogLevel() == b.GetTargetLogLevel() && a.GetResetLogLevelTimeoutEpoch() == b.GetResetLogLevelTimeoutEpoch()
}

// applyLocked puts the levels whose time is not over in force, and itself on the clock for the next end.
func (l *levels) applyLocked() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	now, next := time.Now(), time.Time{}
	inForce, asWritten := make(map[string]slog.Level), make(map[string]string)
	for name, set := range l.set {
		if set.IsSetResetLogLevelTimeoutEpoch() {
			until := time.UnixMilli(set.GetResetLogLevelTimeoutEpoch())
			if !now.Before(until) {
				continue
			}
			if next.IsZero() || until.Before(next) {
				next = until
			}
		}
		if level, ok := compat.LogLevel(set.GetTargetLogLevel()); ok {
			if strings.EqualFold(name, rootLogger) {
				name = rootLogger
			}
			inForce[name] = level
			asWritten[name] = strings.ToUpper(set.GetTargetLogLevel())
		}
	}
	l.inForce.Store(&inForce)
	if l.told != nil {
		l.told(asWritten)
	}
	if !next.IsZero() && !l.ended {
		l.timer = time.AfterFunc(next.Sub(now), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.applyLocked()
		})
	}
}

// close ends the clock. The levels stay as they are.
func (l *levels) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// of gives the level that was set for a logger or for what it inherits from, false if none was.
func (l *levels) of(logger string) (slog.Level, bool) {
	inForce := l.inForce.Load()
	if inForce == nil || len(*inForce) == 0 {
		return 0, false
	}
	for name := logger; ; {
		if level, ok := (*inForce)[name]; ok {
			return level, true
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			break
		}
		name = name[:dot]
	}
	level, ok := (*inForce)[rootLogger]
	return level, ok
}

// handler has the lines of next follow the levels. Where none is set, next decides.
func (l *levels) handler(next slog.Handler) slog.Handler {
	return levelled{next, l, ownLogger}
}

// levelled is the handler of one logger's lines.
type levelled struct {
	slog.Handler
	levels *levels
	logger string
}

// Enabled implements slog.Handler.
func (h levelled) Enabled(ctx context.Context, level slog.Level) bool {
	if least, ok := h.levels.of(h.logger); ok {
		return level >= least
	}
	return h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == "component" || a.Key == "logger" {
			h.logger = a.Value.String()
		}
	}
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// WithGroup implements slog.Handler.
func (h levelled) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}
