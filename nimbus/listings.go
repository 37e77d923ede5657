package nimbus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// keysPerPage is how many keys one listBlobs call returns.
const keysPerPage = 100

// ListBlobs implements stormrpc.Nimbus. An empty session begins a listing; no keys are its end.
func (n *Nimbus) ListBlobs(_ context.Context, session string) (*stormrpc.ListBlobsResult_, error) {
	after, session, err := n.lists.take(session, n.cfg.Now())
	if err != nil {
		return nil, sessionError(err)
	}
	keys := n.keys(after, keysPerPage)
	if len(keys) > 0 {
		n.lists.put(session, keys[len(keys)-1], n.cfg.Now())
	}
	return &stormrpc.ListBlobsResult_{Keys: keys, Session: session}, nil
}

// listings are the sessions of listBlobs: where each of them goes on.
type listings struct {
	mu    *sync.Mutex
	next  int64
	after map[string]listing
}

type listing struct {
	key  string
	used time.Time
}

// maxListings bounds listings that are going on; the oldest is dropped for a new one.
const maxListings = 1024

func newListings() listings { return listings{mu: new(sync.Mutex), after: make(map[string]listing)} }

// take returns where a session goes on, and forgets it until put. An empty session is a new one.
func (l *listings) take(session string, now time.Time) (after, id string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if session == "" {
		l.next++
		return "", fmt.Sprintf("list-%d-%d", now.UnixNano(), l.next), nil
	}
	at, ok := l.after[session]
	if !ok {
		return "", "", fmt.Errorf("no listing %q: %w", session, blobstore.ErrNoSession)
	}
	delete(l.after, session)
	return at.key, session, nil
}

func (l *listings) put(session, after string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.after) >= maxListings {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(l.after)), func(a, b string) int {
			return l.after[a].used.Compare(l.after[b].used)
		})
		delete(l.after, oldest)
	}
	l.after[session] = listing{after, now}
}

func (l *listings) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.after)
}

func (l *listings) expire(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.after, func(_ string, at listing) bool { return at.used.Before(before) })
}
