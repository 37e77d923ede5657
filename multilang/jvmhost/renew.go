package jvmhost

import (
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// In a topology with checkpoints a component in Java begins with a Restore, and each generation of the topology has a process of its
// own: whatever that of another one still does comes to nothing, with its threads and static fields. The first Restore of a
// generation ends the process, unless no component has begun in it yet; all of them wait until theirs is prepared in the next one.

var (
	errRenewed    = errors.New("the topology begins again")
	errSuperseded = errors.New("the topology has begun again meanwhile")
	errStopped    = fmt.Errorf("the Java process is not started any more: %w", gearcore.ErrClosed)
)

// Stop ends all waiting for the process, now and later: the worker ends.
func (h *Host) Stop() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	h.news.Broadcast()
}

// renew returns a channel with a new component behind it that has that state, in a process of that generation, when it is prepared. It fails when the process,
// or the component, was lost before that, and does not wait beyond ended: a component may never be prepared.
func (h *Host) renew(t *task, generation uint64, state []byte, ended <-chan struct{}) (*channel, error) {
	done := make(chan struct{})
	defer close(done)
	go h.wakeAt(ended, done)
	h.mu.Lock()
	defer h.mu.Unlock()
	if generation > h.generation {
		h.generation = generation
		h.retireLocked()
		h.news.Broadcast()
	}
	losses := 0
	if a := h.tasks[t.id]; a != nil {
		losses = a.losses
	}
	var ch *channel
	for {
		a := h.tasks[t.id]
		switch {
		case h.stopped || a == nil:
			return nil, errStopped
		case closed(ended):
			return nil, gearcore.ErrClosed
		case generation < h.generation:
			return nil, errSuperseded
		case a.losses != losses:
			return nil, a.last
		case ch == nil && h.now != nil && a.ch != nil && a.ch.begin(state):
			ch, h.now.used = a.ch, true
			continue
		case ch != nil && ch.has(&ch.ready):
			return ch, nil
		}
		h.news.Wait()
	}
}

// wakeAt has who waits for the process look again when ended is closed, unless done is before.
func (h *Host) wakeAt(ended, done <-chan struct{}) {
	select {
	case <-ended:
		h.mu.Lock() // or who looks at ended at this moment misses it
		h.news.Broadcast()
		h.mu.Unlock()
	case <-done:
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// retireLocked ends the process if a component has begun in it. Its channels are nobody's from now on.
func (h *Host) retireLocked() {
	l := h.now
	if l == nil || !l.used {
		return
	}
	h.now = nil
	for _, a := range h.tasks {
		a.ch, a.told = nil, time.Time{}
	}
	l.kill(errRenewed)
}

// Restore implements gearcore.Checkpointed: the component begins anew, in a process of the generation, with the state that it had if it
// keeps one.
func (b *Bolt) Restore(r *gearcore.Recovery) error {
	state, err := stateIn(b.ctx.Component, r)
	if err != nil {
		return err
	}
	ch, err := b.host.renew(&b.task, r.Generation, state, r.Ended)
	if err != nil {
		return err
	}
	if b.keeps = ch.has(&ch.keeps); len(state) > 0 && !b.keeps {
		return misfit("component %s had a state at checkpoint %d, and its bolt in Java is none that keeps one: give it another id", b.ctx.Component, r.Epoch)
	}
	b.freeze = freezing{}
	b.hs.lose(len(b.hs.list), func(gearcore.Tuple) {}) // what was sent before does not count
	b.cur, b.full = ch, false
	b.begun.Store(true)
	return nil
}
