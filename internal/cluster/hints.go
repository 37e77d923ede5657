package cluster

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Hints hands merged change hints to watchers; stores embed one. The zero value is ready.
type Hints struct {
	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	prefix string
	ch     chan struct{} // room for one: more than one pending hint says nothing new
}

// Watch implements Store.Watch. It starts nothing; the watcher is forgotten when ctx ends.
func (h *Hints) Watch(ctx context.Context, prefix string) <-chan struct{} {
	w := &watcher{prefix: prefix, ch: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = make(map[*watcher]struct{})
	}
	h.watchers[w] = struct{}{}
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	})
	return w.ch
}

// Changed hints to every watcher of a key that ops wrote. It never blocks.
func (h *Hints) Changed(ops []Op) {
	h.hint(func(w *watcher) bool {
		return slices.ContainsFunc(ops, func(o Op) bool { return o.Kind != OpCheck && strings.HasPrefix(o.Key, w.prefix) })
	})
}

// All hints to every watcher: another process wrote something. It never blocks.
func (h *Hints) All() { h.hint(func(*watcher) bool { return true }) }

func (h *Hints) hint(concerns func(*watcher) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if concerns(w) {
			select {
			case w.ch <- struct{}{}:
			default:
			}
		}
	}
}
