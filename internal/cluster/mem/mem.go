// Package mem is the cluster state in memory: the twin of embed for tests and for the development mode, where a
// topology lives no longer than the process. It passes the same conformance test.
package mem

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// Store implements cluster.Store. Use New; Peer gives another process's view of the same state.
type Store struct {
	*cell
	lost   chan struct{} // of the running term; nil while this one does not lead
	closed bool
}

// cell is the state that peers share.
type cell struct {
	cluster.Hints

	mu       sync.Mutex // guards what follows and the fields of every peer
	items    map[string]cluster.Item
	revision int64
	epoch    cluster.Epoch
	leader   *Store        // nil while nobody leads
	vacant   chan struct{} // closed and replaced when the leader goes
}

// New returns an empty store.
func New() *Store {
	return &Store{cell: &cell{items: make(map[string]cluster.Item), vacant: make(chan struct{})}}
}

// Peer returns another candidate's store of the same state, to be closed on its own.
func (s *Store) Peer() *Store { return &Store{cell: s.cell} }

// Expire ends the term, if any, as the loss of a session does: another candidate may lead at once, and this one may
// campaign again.
func (s *Store) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endTermLocked()
}

// Campaign implements cluster.Store. It waits while a peer leads; a leader that campaigns again begins a new term.
func (s *Store) Campaign(ctx context.Context, _ string) (cluster.Term, error) {
	for {
		if err := ctx.Err(); err != nil {
			return cluster.Term{}, err
		}
		term, vacant, err := s.tryLead()
		if err != nil || vacant == nil {
			return term, err
		}
		select {
		case <-vacant:
		case <-ctx.Done():
		}
	}
}

// tryLead begins a term, or returns the channel that is closed when it is worth trying again.
func (s *Store) tryLead() (cluster.Term, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return cluster.Term{}, nil, cluster.ErrClosed
	}
	if s.leader != nil && s.leader != s {
		return cluster.Term{}, s.vacant, nil
	}
	s.endTermLocked()
	s.epoch++
	s.lost, s.leader = make(chan struct{}), s
	return cluster.Term{Epoch: s.epoch, Lost: s.lost}, nil, nil
}

// RaiseEpoch implements cluster.Raiser.
func (s *Store) RaiseEpoch(ctx context.Context, guard, to cluster.Epoch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return cluster.ErrClosed
	case guard != s.epoch || s.leader != s:
		return cluster.ErrFenced
	case to <= guard:
		return fmt.Errorf("raise epoch %d to %d", guard, to)
	}
	s.epoch = to
	return nil
}

func (s *Store) endTermLocked() {
	if s.lost == nil {
		return
	}
	close(s.lost)
	s.lost, s.leader = nil, nil
	close(s.vacant)
	s.vacant = make(chan struct{})
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

// Close implements cluster.Store. Peers go on.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.endTermLocked()
	close(s.vacant) // a campaign of this one ends
	s.vacant = make(chan struct{})
	return nil
}
