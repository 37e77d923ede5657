package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	maxErrorsKept   = 500 // in all, newest win
	maxErrorBytes   = 16 << 10
	maxErrorMeters  = 100_000 // tasks; beyond it the throttle's memory starts anew
	errorsTruncated = " ... (truncated)"
)

// errorLog keeps the errors that a reader has not taken yet.
type errorLog struct {
	max   int
	every time.Duration
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	meters  map[gearcore.TaskID]*throttle
	kept    []*stormrpc.WorkerError
	first   uint64 // number of kept[0]
	dropped uint64
}

// throttle lets max events through per interval, as Storm's ReportError does: an interval starts with the first event
// after the one before is over.
type throttle struct {
	start time.Time
	n     int
}

func (t *throttle) allow(now time.Time, max int, every time.Duration) bool {
	if t.n == 0 || now.Sub(t.start) > every {
		t.start, t.n = now, 0
	}
	t.n++
	return t.n <= max
}

func (l *errorLog) init(c *Config) {
	l.max, l.every, l.now, l.log, l.meters = c.MaxErrors, c.ErrorInterval, c.Now, c.Log, map[gearcore.TaskID]*throttle{}
}

func (l *errorLog) add(component string, id gearcore.TaskID, err error) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.meters[id]
	if m == nil {
		if len(l.meters) >= maxErrorMeters {
			clear(l.meters)
		}
		m = &throttle{}
		l.meters[id] = m
	}
	if !m.allow(now, l.max, l.every) {
		l.dropped++
		return
	}
	text := errorText(err)
	task := int32(id)
	if len(l.kept) >= maxErrorsKept {
		l.kept[0] = nil
		l.kept = l.kept[1:]
		l.first++
		l.dropped++
	}
	told := &stormrpc.WorkerError{Component: component, Message: text, TimeMs: now.UnixMilli(), Task: &task}
	if e, ok := errors.AsType[gearcore.LossError](err); ok {
		lost := e.Lost()
		told.Lost = &lost
	}
	if e, ok := errors.AsType[interface {
		error
		Unopened() bool
	}](err); ok {
		unopened := e.Unopened()
		told.Unopened = &unopened
	}
	l.kept = append(l.kept, told)
	l.log.Error("component error", slog.String("component", component), slog.Int("task", int(id)), slog.String("err", text))
}

// errorText is err with the stack that an engine's panic error carries, cut to maxErrorBytes.
func errorText(err error) string {
	text := fmt.Sprintf("%+v", err)
	if len(text) > maxErrorBytes {
		text = text[:maxErrorBytes-len(errorsTruncated)] + errorsTruncated
	}
	return text
}

// Errors returns the errors not dropped by DropErrors yet, oldest first, and the number to drop them with. The slice
// is the caller's, the errors are shared and not to be changed.
func (t *Table) Errors() (errs []*stormrpc.WorkerError, upTo uint64) {
	l := &t.errs
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(errs, l.kept...), l.first + uint64(len(l.kept))
}

// DropErrors forgets the errors that Errors returned with this number: they were reported.
func (t *Table) DropErrors(upTo uint64) {
	l := &t.errs
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.first < upTo && len(l.kept) > 0 {
		l.kept[0] = nil
		l.kept = l.kept[1:]
		l.first++
	}
}

// ErrorsDropped counts the errors that were throttled or pushed out.
func (t *Table) ErrorsDropped() uint64 {
	t.errs.mu.Lock()
	defer t.errs.mu.Unlock()
	return t.errs.dropped
}
