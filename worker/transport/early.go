package transport

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// errEarly is told of what has waited for longer.
var errEarly = errors.New("link peer runs a version of the topology's graph that this worker has not heard of")

// early holds what came for tasks, or on streams, of a version of the graph that this worker does not have yet, and what came
// behind it for the same task. It counts as not consumed, so the senders' credit bounds it.
type early struct {
	t    *Transport
	some atomic.Bool // there is any; written with mu
	turn sync.Mutex  // of each; held over Deliver and taken before mu

	mu     sync.Mutex
	closed bool
	of     map[earlyKey][]earlyBatch // in the order in which they came; no list is empty, but while its last one is delivered
	timer  *time.Timer               // set while there is any
}

type earlyKey struct {
	s    *session
	task gearcore.TaskID
}

type earlyBatch struct {
	b     *gearcore.Batch
	until time.Time
}

// ahead reports whether the peer may know of a version of the graph that comes after g.
func (s *session) ahead(g *graph) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer.plan > g.plan || s.peer.graph > g.Version
}

// fits reports whether g has all that is in b.
func (g *graph) fits(b *gearcore.Batch) bool {
	for i := range b.Rows {
		if int(b.Rows[i].Stream) >= len(g.Layout.Streams) {
			return false
		}
	}
	return g.Layout.ComponentOf(b.Target) != ""
}

// take holds b unless it can be delivered now, which it is then made ready for.
func (h *early) take(s *session, b *gearcore.Batch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	g, k := h.t.graph.Load(), earlyKey{s, b.Target} // with mu: land comes behind a new graph
	if _, behind := h.of[k]; !behind && g.fits(b) || h.closed {
		b.Layout = g.Layout
		return false
	}
	if h.of == nil {
		h.of = map[earlyKey][]earlyBatch{}
	}
	h.of[k] = append(h.of[k], earlyBatch{b, time.Now().Add(h.t.cfg.EarlyTimeout)})
	h.some.Store(true)
	if h.timer == nil {
		h.timer = time.AfterFunc(h.t.cfg.EarlyTimeout, h.expire)
	}
	return true
}

// land delivers what the graph has by now.
func (h *early) land() {
	h.each(func(g *graph, e earlyBatch) bool { return g.fits(e.b) }, func(s *session, b *gearcore.Batch) { s.deliver(b) })
}

// expire gives up what has waited for too long.
func (h *early) expire() {
	now := time.Now()
	h.each(func(_ *graph, e earlyBatch) bool { return !now.Before(e.until) }, func(s *session, b *gearcore.Batch) { s.giveUp(b) })
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer = nil; len(h.of) > 0 && !h.closed {
		h.timer = time.AfterFunc(h.t.cfg.EarlyTimeout/2, h.expire)
	}
}

// each takes out the batches that are due, each task's from the first on, and has them handled with no lock held. What comes
// meanwhile for the same task waits behind them.
func (h *early) each(due func(*graph, earlyBatch) bool, handle func(*session, *gearcore.Batch)) {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := make([]earlyKey, 0, len(h.of))
	for k := range h.of {
		keys = append(keys, k)
	}
	for _, k := range keys {
		for g := h.t.graph.Load(); len(h.of[k]) > 0 && due(g, h.of[k][0]); {
			b := h.of[k][0].b
			h.of[k] = h.of[k][1:]
			b.Layout = g.Layout
			h.mu.Unlock()
			handle(k.s, b)
			h.mu.Lock()
		}
		if len(h.of[k]) == 0 {
			delete(h.of, k)
		}
	}
	h.some.Store(len(h.of) > 0)
}

// close drops all that is held.
func (h *early) close() {
	h.mu.Lock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	h.each(func(*graph, earlyBatch) bool { return true }, func(_ *session, b *gearcore.Batch) { b.Done(b) })
}

// giveUp fails what is in b.
func (s *session) giveUp(b *gearcore.Batch) {
	s.proxies.refuse(b)
	b.Untrack()
	s.t.lose(b, errEarly)
}
