package zk

import "context"

// Watch implements cluster.Store. Hints of what this store writes name the prefix; what another master writes is a hint
// to every watcher.
func (s *Store) Watch(ctx context.Context, prefix string) <-chan struct{} {
	s.mu.Lock()
	if !s.watched && s.life.Err() == nil {
		s.watched = true
		s.work.Go(s.followHead)
	}
	s.mu.Unlock()
	return s.Hints.Watch(ctx, prefix)
}

// followHead hints to watchers when head was replaced by another store.
func (s *Store) followHead() {
	var seen int64 // zxid of the head that was seen last
	for s.life.Err() == nil {
		if t := s.leading(); t != nil {
			select { // nobody else writes
			case <-t.lost:
			case <-s.life.Done():
			}
			continue
		}
		sess, err := s.session(s.life)
		if err != nil {
			return
		}
		_, changed, _ := sess.isUp()
		fired := sess.watch(s.paths.head())
		written, err := s.watchHead(sess)
		if err != nil {
			if err := sess.settle(s.life, err); refused(err) {
				s.log.Error("changes of the cluster state cannot be watched", "err", s.explain(err))
				return
			}
			continue
		}
		if written != seen {
			seen = written
			s.All()
		}
		s.awaitHead(sess, fired, changed, &seen)
	}
}

// awaitHead returns when the watch that fired tells of is spent. After each cut of the connection, in which an event may be
// lost, it looks once without a watch.
func (s *Store) awaitHead(sess *session, fired <-chan struct{}, changed <-chan struct{}, seen *int64) {
	for {
		select {
		case <-fired:
			return
		case <-sess.gone:
			return
		case <-s.life.Done():
			return
		case <-changed:
		}
		_, changed, _ = sess.isUp()
		if sess.up(s.life) != nil {
			return
		}
		if h, err := s.readHeadHere(s.life, sess); err == nil && h.written != *seen {
			*seen = h.written
			s.All()
		}
	}
}

// watchHead has the server tell of the next change of head, and returns the zxid of the newest it knows; 0 if there is none.
func (s *Store) watchHead(sess *session) (int64, error) {
	return call(s.life, sess, func() (int64, error) {
		_, stat, _, err := sess.conn.ExistsW(s.paths.head())
		if err != nil {
			return 0, err
		}
		return stat.Mzxid, nil
	})
}
