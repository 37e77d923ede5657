package transport

import (
	"context"
	"time"
)

// retirement is the end of a link to a worker that no task of interest is in any more. What was sent is still to be
// received, executed or passed on, and settled there.
type retirement struct{ _ byte } // not empty: two are different

// retireCheck is how often a link that ends is looked at.
const retireCheck = 5 * time.Millisecond

// retireLocked lets l end: when all that it sent is settled, when its peer is away, or after PeerTimeout.
func (t *Transport) retireLocked(l *link) {
	if l.retired != nil {
		return
	}
	l.retired = new(retirement)
	if t.ctx == nil || l.addr == "" {
		t.dropLocked(l)
		return
	}
	mine := l.retired
	ctx := t.ctx
	t.wg.Go(func() { t.retire(ctx, l, mine) })
}

func (t *Transport) retire(ctx context.Context, l *link, mine *retirement) {
	tick := time.NewTicker(retireCheck)
	defer tick.Stop()
	end := time.Now().Add(t.cfg.PeerTimeout)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			idle := l.idle() || now.After(end)
			t.mu.Lock()
			if l.retired != mine || idle {
				if l.retired == mine {
					t.dropLocked(l)
				}
				t.mu.Unlock()
				return
			}
			t.mu.Unlock()
		}
	}
}

// dropLocked ends l.
func (t *Transport) dropLocked(l *link) {
	delete(t.links, l.addr)
	if l.cancel != nil {
		l.cancel()
	}
}

// idle reports whether the peer of l has received and settled all that was sent, or is away.
func (l *link) idle() bool { return !l.isUp() || l.settled() }

// settled reports whether the peer of l has received and settled all that was sent.
func (l *link) settled() bool {
	if !l.pen.TryLock() {
		return false
	}
	seq, pending := l.ring.seq, len(l.ring.pending())
	l.pen.Unlock()
	l.mu.Lock()
	acked := l.acked
	l.mu.Unlock()
	return pending == 0 && acked >= seq && l.dues.none()
}

// Quiet reports whether nothing is under way from or to this worker: its outlets are empty, what they sent is settled, and no
// peer is connected. A worker that ends in order waits for it. A link that is down counts with what it still holds: a peer that
// heard first of the plan by which this worker leaves has cut it, and takes it up again when this worker knows that plan too.
func (t *Transport) Quiet() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.sessions {
		if s.goneFor(time.Now()) == 0 {
			return false
		}
	}
	for _, o := range t.outlets {
		l := o.lock()
		n := o.queue.len()
		l.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	for _, l := range t.links {
		if l.addr != "" && !l.settled() {
			return false
		}
	}
	return true
}
