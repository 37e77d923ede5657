package zk

import (
	"context"
	"errors"
	"fmt"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// takeOver begins the next epoch.
func (s *Store) takeOver(ctx context.Context, sess *session, node, name string) (cluster.Term, error) {
	if err := lock(ctx, s.writing); err != nil {
		return cluster.Term{}, err
	}
	defer unlock(s.writing)
	var won *head
	ours := nonce()
	err := s.persist(ctx, sess, func() (err error) {
		won, err = s.advance(ctx, sess, node, ours, func(h *head) (*head, error) { return h.next(name, ours), nil })
		return err
	})
	if err != nil {
		return cluster.Term{}, fmt.Errorf("begin a term: %w", err)
	}
	s.head, s.number = won, 0
	t := &term{epoch: won.Epoch, sess: sess, node: node, lost: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return cluster.Term{}, context.Cause(s.life)
	}
	if s.term != nil {
		s.term.end("a new term of the same master has begun")
	}
	s.term, s.epoch = t, won.Epoch
	s.work.Go(func() { s.guard(t) })
	s.log.Debug("term begins", "epoch", t.epoch, "candidate", name)
	return cluster.Term{Epoch: t.epoch, Lost: t.lost}, nil
}

// advance makes one attempt to replace head by one of another epoch, which has ours as Takeover, while the candidate node exists.
func (s *Store) advance(ctx context.Context, sess *session, node, ours string, next func(*head) (*head, error)) (*head, error) {
	h, err := s.readHead(ctx, sess)
	if err != nil || h.Takeover == ours { // an attempt whose answer was cut off
		return h, err
	}
	n, err := next(h)
	if err != nil {
		return nil, err
	}
	results, err := s.multi(ctx, sess, []any{&zoo.CheckVersionRequest{Path: node, Version: 0}, h.put(s.paths, n)})
	switch {
	case err == nil:
		n.version, n.session = results[1].Stat.Version, h.session
		return n, nil
	case errors.Is(err, zoo.ErrNoNode):
		err = errNoCandidate
	case errors.Is(err, zoo.ErrBadVersion): // the leader before was still writing
		err = errMoved
	}
	return nil, err
}
