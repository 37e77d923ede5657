package zk

import (
	"context"
	"errors"
	"fmt"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// mostSurprises is how often a transaction looks at its keys again because ZooKeeper found them otherwise, though nothing but
// this package should write them.
const mostSurprises = 5

// write is a transaction on its way.
type write struct {
	guard  cluster.Epoch
	number int64 // of this transaction within the epoch
	ops    []cluster.Op

	sent      bool // a request that would apply it may be under way
	surprises int
}

// Txn implements cluster.Store; package zk says what its errors mean.
func (s *Store) Txn(ctx context.Context, guard cluster.Epoch, ops ...cluster.Op) error {
	if err := cluster.CheckOps(ops); err != nil {
		return err
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	patient, done := s.patience(ctx)
	defer done()
	if err := lock(patient, s.writing); err != nil {
		return s.explain(err)
	}
	defer unlock(s.writing)
	if !s.won(guard) {
		return cluster.ErrFenced
	}
	s.number++
	w := &write{guard: guard, number: s.number, ops: ops}
	told := false
	err := s.insist(patient, func(sess *session) (over bool, err error) {
		told, err = s.try(patient, sess, w)
		return told, err
	})
	if told {
		return s.finish(w, err)
	}
	return s.give(w, err)
}

// won tells whether this store has the epoch from Campaign. Another store's epoch is none to write under: two writers would
// number their transactions alike.
func (s *Store) won(epoch cluster.Epoch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return epoch != 0 && epoch == s.epoch
}

// finish is the end of a transaction whose fate is known.
func (s *Store) finish(w *write, err error) error {
	switch {
	case err == nil:
		s.Changed(w.ops)
	case errors.Is(err, cluster.ErrFenced):
		s.mu.Lock()
		if t := s.term; t != nil && t.epoch == w.guard {
			t.end("another epoch stands")
		}
		s.mu.Unlock()
	}
	return s.explain(err)
}

// give is the end of a transaction that is given up.
func (s *Store) give(w *write, err error) error {
	s.head = nil
	err = s.explain(err)
	if w.sent {
		return fmt.Errorf("%w: %w", cluster.ErrUncertain, err)
	}
	return err
}

// try makes one attempt. over says that the fate is known: err, or applied if that is nil. Else err says why it is not.
func (s *Store) try(ctx context.Context, sess *session, w *write) (over bool, err error) {
	h, err := s.headIn(ctx, sess)
	if err != nil {
		return !w.sent && (answered(err) || errors.Is(err, errForeign)), err
	}
	switch f := h.fate(w.guard, w.number); {
	case h.Epoch < w.guard:
		return true, s.give(w, fmt.Errorf("ZooKeeper has epoch %d, which is before ours: its state was put back", h.Epoch))
	case f == applied:
		return true, nil
	case f == never, h.Epoch > w.guard && !w.sent:
		return true, cluster.ErrFenced
	case f == forgotten:
		return true, s.give(w, fmt.Errorf("%d epochs have passed", h.Epoch-w.guard))
	}
	stats, err := s.look(ctx, sess, h, w.ops)
	if err != nil {
		s.head = nil
		return false, err
	}
	for i, o := range w.ops {
		if !o.Holds(version(stats[i])) {
			return s.conflict(ctx, sess, h, w)
		}
	}
	return s.apply(ctx, sess, h, w, stats)
}

// headIn returns head as sess knows it.
func (s *Store) headIn(ctx context.Context, sess *session) (*head, error) {
	if id, _ := sess.known(); s.head != nil && s.head.session == id {
		return s.head, nil
	}
	h, err := s.readHead(ctx, sess)
	if err == nil {
		s.head = h
	}
	return h, err
}

// look reads what stands at the keys of ops; nil where nothing does. It is what stood there with head h, or later.
func (s *Store) look(ctx context.Context, sess *session, h *head, ops []cluster.Op) ([]*zoo.Stat, error) {
	stats := make([]*zoo.Stat, len(ops))
	err := many(len(ops), func(i int) error {
		node, _ := s.paths.key(ops[i].Key)
		stat, err := exists(ctx, sess, node)
		stats[i] = stat
		return err
	})
	if err == nil && sess.conn.SessionID() != h.session {
		err = errGone // another session may have read what is older than h
	}
	return stats, err
}

// exists returns nil if node is not there.
func exists(ctx context.Context, sess *session, node string) (*zoo.Stat, error) {
	return call(ctx, sess, func() (*zoo.Stat, error) {
		ok, stat, err := sess.conn.Exists(node)
		if err != nil || !ok {
			return nil, err
		}
		return stat, nil
	})
}

// version is that of an item: the zxid of its last write, which no later write of any key repeats.
func version(stat *zoo.Stat) int64 {
	if stat == nil {
		return 0
	}
	return stat.Mzxid
}

// conflict says ErrConflict if head is still h, so that the keys were read as they stand under it.
func (s *Store) conflict(ctx context.Context, sess *session, h *head, w *write) (bool, error) {
	if w.sent { // under the same head the conditions held before
		return false, errMoved
	}
	_, err := s.multi(ctx, sess, []any{&zoo.CheckVersionRequest{Path: s.paths.head(), Version: h.version}})
	if err == nil {
		return true, cluster.ErrConflict
	}
	s.head = nil
	return false, err
}

// apply sends the request that writes.
func (s *Store) apply(ctx context.Context, sess *session, h *head, w *write, stats []*zoo.Stat) (bool, error) {
	next := h.after(w.number)
	request, err := s.request(ctx, sess, h.put(s.paths, next), w.ops, stats)
	if err != nil {
		return false, err
	}
	if n := size(request); n > maxRequestBytes {
		return true, fmt.Errorf("transaction of %d bytes in one request to ZooKeeper, allowed are %d: split it", n, maxRequestBytes)
	}
	before := w.sent
	w.sent = true
	results, err := s.multi(ctx, sess, request)
	if err == nil {
		next.version, next.session = results[0].Stat.Version, h.session
		s.head = next
		return true, nil
	}
	s.head = nil
	if !answered(err) {
		return false, err
	}
	w.sent = before
	if refused(err) && !before {
		return true, err
	}
	if !moved(results) {
		clear(s.folders)
		if w.surprises++; w.surprises >= mostSurprises && !before {
			return true, fmt.Errorf("ZooKeeper has other nodes than it tells of below %s: %w", s.paths.root, err)
		}
	}
	return false, err
}

// moved tells whether a request failed because head was replaced.
func moved(results []zoo.MultiResponse) bool {
	return len(results) > 0 && errors.Is(results[0].Error, zoo.ErrBadVersion)
}
