package zk

import (
	"context"
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// RaiseEpoch makes to the newest epoch; the term of guard goes on under it. It is a fenced write like Txn, with the same errors;
// an epoch that is not above guard is an error too.
func (s *Store) RaiseEpoch(ctx context.Context, guard, to cluster.Epoch) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	patient, done := s.patience(ctx)
	defer done()
	if err := lock(patient, s.writing); err != nil {
		return s.explain(err)
	}
	defer unlock(s.writing)
	t := s.leading()
	switch {
	case t == nil || !s.won(guard):
		return cluster.ErrFenced
	case to <= guard:
		return fmt.Errorf("raise epoch %d to %d", guard, to)
	}
	s.mu.Lock()
	t.next = to // or its guard would take it for another master's
	s.mu.Unlock()
	ours := nonce()
	raised := func(h *head) (*head, error) {
		if h.Epoch != guard {
			return nil, cluster.ErrFenced
		}
		n := h.next(h.Leader, ours)
		n.Epoch = to
		return n, nil
	}
	var h *head
	err := s.persist(patient, t.sess, func() (err error) {
		h, err = s.advance(patient, t.sess, t.node, ours, raised)
		return err
	})
	s.head = h
	switch {
	case errors.Is(err, cluster.ErrFenced), errors.Is(err, errNoCandidate):
		return cluster.ErrFenced
	case err != nil:
		return fmt.Errorf("%w: %w", cluster.ErrUncertain, s.explain(err))
	}
	s.number = 0
	s.mu.Lock()
	defer s.mu.Unlock()
	t.epoch, s.epoch = to, to
	return nil
}
