package nimbus

import (
	"context"
	"errors"
	"sync"
	"time"
)

// alarms are the delayed events of topologies, at most one each: arming replaces what was armed.
type alarms struct {
	mu      *sync.Mutex
	due     map[string]alarm
	changed chan struct{} // room for one: the loop looks again
}

type alarm struct {
	at    time.Time
	event eventKind
}

func newAlarms() alarms {
	return alarms{mu: new(sync.Mutex), due: make(map[string]alarm), changed: make(chan struct{}, 1)}
}

func (a *alarms) arm(topology string, at time.Time, ev eventKind) {
	a.mu.Lock()
	a.due[topology] = alarm{at, ev}
	a.mu.Unlock()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

func (a *alarms) disarm(topology string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.due, topology)
}

func (a *alarms) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.due)
}

// untilNext returns how long the loop may sleep.
func (a *alarms) untilNext(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Hour
	for _, d := range a.due {
		next = min(next, d.at.Sub(now))
	}
	return max(next, 0)
}

// takeDue removes and returns what is due.
func (a *alarms) takeDue(now time.Time) map[string]eventKind {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]eventKind)
	for id, d := range a.due {
		if !d.at.After(now) {
			out[id] = d.event
			delete(a.due, id)
		}
	}
	return out
}

// retryAfter is how long the loop waits before it tries a delayed event again that could not be done.
const retryAfter = 5 * time.Second

// ring does what is due.
func (n *Nimbus) ring(ctx context.Context) error {
	var errs []error
	for id, ev := range n.alarms.takeDue(n.cfg.Now()) {
		if t, ok := n.byID(id); ok && t.broken != nil && ev == evDoRebalance {
			n.alarms.arm(id, n.cfg.Now().Add(retryAfter), ev) // what to change may come back
			continue
		}
		if err := n.transition(ctx, id, event{kind: ev}); err != nil {
			errs = append(errs, err)
			n.alarms.arm(id, n.cfg.Now().Add(retryAfter), ev)
		}
	}
	return errors.Join(errs...)
}
