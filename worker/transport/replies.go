package transport

import "time"

// quickResults is how many results are written by who brings them.
const quickResults = 16

// nowWriter is a stream that says how much of p it takes at once, and writes that.
type nowWriter interface {
	writeNow(p []byte) (int, error)
}

// replies is the writing half of a session: grants and results. pen is held by who composes and writes them, which is the
// session's own goroutine unless an executor or a link brings few results and that goroutine waits for work.
type replies struct {
	conn   stream
	now    nowWriter // conn while it may be written to without waiting, else nil
	buf    []byte
	rest   []byte // of buf, what is not written yet
	grants []grant
}

// writeReplies writes what is signalled until stop is closed or the connection breaks.
func (s *session) writeReplies(conn stream, stop chan struct{}) {
	r := &s.replies
	s.pen.Lock()
	r.conn, r.rest = conn, nil
	r.now, _ = conn.Conn.(nowWriter)
	s.pen.Unlock()
	defer func() {
		s.pen.Lock()
		r.now = nil
		s.pen.Unlock()
	}()
	s.signal()
	for {
		select {
		case <-stop:
			return
		case <-s.wake:
		}
		s.pen.Lock()
		err := s.writeAll(r)
		s.pen.Unlock()
		if err != nil {
			return
		}
	}
}

// writeAll writes what a quick one left, and what there is to tell.
func (s *session) writeAll(r *replies) error {
	r.conn.SetWriteDeadline(time.Now().Add(s.t.cfg.IdleTimeout))
	defer r.conn.SetWriteDeadline(time.Time{}) // it would hold for quick writes too
	if len(r.rest) > 0 {
		if _, err := r.conn.Write(r.rest); err != nil {
			return err
		}
	}
	s.compose(r)
	_, err := r.conn.Write(r.rest)
	r.rest = nil
	return err
}

// compose makes rest of all that there is to tell. It was empty.
func (s *session) compose(r *replies) {
	r.buf = r.buf[:0]
	for more := true; more; {
		var received uint64
		received, r.grants, more = s.grants(r.grants[:0])
		r.buf = appendGrants(r.buf, received, r.grants)
	}
	r.buf = s.proxies.tell(r.buf)
	if r.conn.summed {
		sum(r.buf)
	}
	r.rest = r.buf
}

// tellQuick writes what there is to tell from the goroutine that has brought it, if the session's own one has nothing to do
// and the socket takes it at once: at low rates a wake-up for every tuple would cost ten times as much. Otherwise that
// goroutine looks after it, and after the rest.
func (s *session) tellQuick() {
	if !s.writeQuick() {
		s.signal()
	}
}

func (s *session) writeQuick() bool {
	if !s.pen.TryLock() {
		return false
	}
	defer s.pen.Unlock()
	r := &s.replies
	if r.now == nil || len(r.rest) > 0 {
		return false
	}
	s.compose(r)
	n, err := r.now.writeNow(r.rest)
	r.rest = r.rest[n:]
	return err == nil && len(r.rest) == 0 // the session's goroutine meets the same error
}
