package drpc

import (
	"context"
	"slices"
	"time"
)

// holdTime is how long a topology's question for a request is held. It is short, since a topology that is deactivated has to wait
// for the answer: a request that was handed out and not taken would be lost.
const holdTime = 500 * time.Millisecond

// await is fetch that waits for a request, for holdTime at most, and gives none out once ctx has ended.
func (b *book) await(ctx context.Context, name string) (id, args string, ok bool) {
	if len(name) > MaxFunctionBytes { // nobody can execute it
		return "", "", false
	}
	timer := time.NewTimer(holdTime)
	defer timer.Stop()
	for {
		w, id, args, ok := b.fetchOrWait(name)
		if ok {
			return id, args, true
		}
		select {
		case <-w:
			if ctx.Err() == nil {
				continue
			}
		case <-timer.C:
		case <-ctx.Done():
		}
		if b.leave(name, w); ctx.Err() != nil {
			return "", "", false
		}
		return b.fetch(name) // one may have come with the end of the time
	}
}

// fetchOrWait fetches, or makes a channel that is closed when there may be a request.
func (b *book) fetchOrWait(name string) (w chan struct{}, id, args string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, args, ok = b.fetchLocked(name); ok {
		return nil, id, args, true
	}
	w = make(chan struct{})
	b.waiters[name] = append(b.waiters[name], w)
	return w, "", "", false
}

// leave takes w out. If w was woken and does not fetch, the next one is.
func (b *book) leave(name string, w chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.waiters[name]
	i := slices.Index(list, w)
	if i < 0 {
		b.wakeLocked(name)
		return
	}
	b.setWaitersLocked(name, slices.Delete(list, i, i+1))
}

// wakeLocked wakes the one who has waited longest.
func (b *book) wakeLocked(name string) {
	if list := b.waiters[name]; len(list) > 0 {
		close(list[0])
		b.setWaitersLocked(name, list[1:])
	}
}

func (b *book) setWaitersLocked(name string, list []chan struct{}) {
	if len(list) == 0 {
		delete(b.waiters, name)
		return
	}
	b.waiters[name] = list
}
