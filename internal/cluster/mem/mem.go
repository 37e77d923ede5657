// Package mem is the cluster state in memory: the twin of embed for tests and for the development mode, where a
// topology lives no longer than the process. It passes the same conformance test.
package mem

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// Store implements cluster.Store. Use New.
type Store struct {
	cluster.Hints

	mu       sync.Mutex
	items    map[string]cluster.Item
	revision int64
	epoch    cluster.Epoch
	lost     chan struct{} // of the running term
	closed   bool
}

// New returns an empty store.
func New() *Store { return &Store{items: make(map[string]cluster.Item)} }

// Campaign implements cluster.Store. It never waits: the newest caller leads.
func (s *Store) Campaign(ctx context.Context, _ string) (cluster.Term, error) {
	if err := ctx.Err(); err != nil {
		return cluster.Term{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return cluster.Term{}, cluster.ErrClosed
	}
	s.endTermLocked()
	s.epoch++
	s.lost = make(chan struct{})
	return cluster.Term{Epoch: s.epoch, Lost: s.lost}, nil
}

func (s *Store) endTermLocked() {
	if s.lost != nil {
		close(s.lost)
		s.lost = nil
	}
}

// Get implements cluster.Store.
func (s *Store) Get(ctx context.Context, key string) (cluster.Item, error) {
	if err := ctx.Err(); err != nil {
		return cluster.Item{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return cluster.Item{}, cluster.ErrClosed
	}
	it, ok := s.items[key]
	if !ok {
		return cluster.Item{}, cluster.ErrNotFound
	}
	it.Value = bytes.Clone(it.Value)
	return it, nil
}

// List implements cluster.Store.
func (s *Store) List(ctx context.Context, prefix string) ([]cluster.Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, cluster.ErrClosed
	}
	var out []cluster.Item
	for key, it := range s.items {
		if strings.HasPrefix(key, prefix) {
			it.Value = bytes.Clone(it.Value)
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b cluster.Item) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// Txn implements cluster.Store.
func (s *Store) Txn(ctx context.Context, guard cluster.Epoch, ops ...cluster.Op) error {
	if err := cluster.CheckOps(ops); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.apply(guard, ops); err != nil {
		return err
	}
	s.Changed(ops)
	return nil
}

func (s *Store) apply(guard cluster.Epoch, ops []cluster.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return cluster.ErrClosed
	}
	if guard != s.epoch || s.epoch == 0 {
		return cluster.ErrFenced
	}
	for _, o := range ops {
		if !o.Holds(s.items[o.Key].Version) {
			return cluster.ErrConflict
		}
	}
	s.revision++
	for _, o := range ops {
		switch o.Kind {
		case cluster.OpPut:
			s.items[o.Key] = cluster.Item{Key: o.Key, Value: bytes.Clone(o.Value), Version: s.revision}
		case cluster.OpDelete:
			delete(s.items, o.Key)
		}
	}
	return nil
}

// Close implements cluster.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.endTermLocked()
	return nil
}
