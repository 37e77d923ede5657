package zk

import (
	"context"
	"errors"
	"sync"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// A term is given up when no answer through the ensemble's leader came for giveUpAfter of the session's timeout, counted
// from when it was asked for. Such an answer is fetched every askEvery. ZooKeeper counts from the last sign of life that a follower
// has passed on, which may be askEvery and half a tick older; with at least 4 ticks in a timeout the sum still is below 1.
const (
	giveUpAfter = 2.0 / 3
	askEvery    = 1.0 / 6
)

// term is one leadership of this store.
type term struct {
	sess *session
	node string        // the candidate's
	lost chan struct{} // Term.Lost

	epoch, next cluster.Epoch // and the one that it is about to be raised to; guarded by Store.mu

	once sync.Once
	why  string
}

// end closes Lost.
func (t *term) end(why string) {
	t.once.Do(func() {
		t.why = why
		close(t.lost)
	})
}

func (t *term) isOver() bool {
	select {
	case <-t.lost:
		return true
	default:
		return false
	}
}

// leading returns the term that this store leads, or nil.
func (s *Store) leading() *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil || s.term.isOver() {
		return nil
	}
	return s.term
}

// guard ends the term when it is over, and gives its node up unless a new term of this store has taken that over.
func (s *Store) guard(t *term) {
	t.end(s.untilLost(t))
	s.mu.Lock()
	handed, epoch := s.term != t && s.term.node == t.node, t.epoch
	s.mu.Unlock()
	if handed || s.life.Err() != nil {
		return
	}
	s.log.Warn("leadership has ended", "epoch", epoch, "reason", t.why)
	s.withdraw(t.sess, t.node)
}

// untilLost returns why the term ended.
func (s *Store) untilLost(t *term) string {
	_, timeout := t.sess.known()
	part := func(of float64) time.Duration { return time.Duration(of * float64(timeout)) }
	var removed <-chan struct{} // of the watch on the candidate node; nil while there is none
	for {
		limit, cancel := context.WithDeadlineCause(s.life, t.sess.lastProof().Add(part(giveUpAfter)), errWaited)
		var err error
		removed, err = s.confirm(limit, t, removed)
		cancel()
		if errors.Is(err, errWaited) && time.Since(t.sess.lastProof()) < part(giveUpAfter) {
			continue // a write had an answer meanwhile
		}
		if err != nil {
			return reason(err)
		}
		select {
		case <-removed:
			removed = nil
		case <-t.sess.gone:
			return reason(errGone)
		case <-t.lost:
			return t.why
		case <-time.After(time.Until(t.sess.lastProof().Add(part(askEvery)))):
		}
	}
}

var (
	errNoCandidate = errors.New("the candidate node is gone")
	errOtherEpoch  = errors.New("another epoch stands")
	errWiped       = errors.New("the cluster state is gone from ZooKeeper")
)

func reason(err error) string {
	switch {
	case errors.Is(err, errWaited):
		return "no answer from ZooKeeper for two thirds of the session timeout"
	case errors.Is(err, errGone):
		return "the ZooKeeper session is over"
	}
	return err.Error()
}

// confirm asks the ensemble whether the term stands, until there is an answer or ctx ends. It arms the watch on the
// candidate node if removed is nil.
func (s *Store) confirm(ctx context.Context, t *term, removed <-chan struct{}) (<-chan struct{}, error) {
	for {
		err := t.sess.up(ctx)
		if err == nil {
			err = s.stands(ctx, t)
		}
		if err == nil && removed == nil {
			removed, err = s.watchNode(ctx, t.sess, t.node)
			if err == nil && removed == nil {
				err = errNoCandidate
			}
		}
		switch {
		case err == nil, errors.Is(err, errOtherEpoch), errors.Is(err, errNoCandidate), errors.Is(err, errWiped):
			return removed, err
		}
		if err := t.sess.settle(ctx, err); err != nil {
			return removed, err
		}
	}
}

// stands asks whether head has the term's epoch.
func (s *Store) stands(ctx context.Context, t *term) error {
	h, err := s.readHead(ctx, t.sess)
	if errors.Is(err, zoo.ErrNoNode) {
		return errWiped
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Epoch != t.epoch && h.Epoch != t.next {
		return errOtherEpoch
	}
	return nil
}

// watchNode returns a channel that is closed when node changes or goes; nil if it is not there.
func (s *Store) watchNode(ctx context.Context, sess *session, node string) (<-chan struct{}, error) {
	fired := sess.watch(node)
	there, err := call(ctx, sess, func() (bool, error) {
		there, _, _, err := sess.conn.ExistsW(node)
		return there, err
	})
	if err != nil || !there {
		return nil, err
	}
	return fired, nil
}
