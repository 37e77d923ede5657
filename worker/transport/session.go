package transport

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// grantBytes is how much may be received before the sender is told, even if nothing was processed.
const grantBytes = 128 << 10

type sessionKey struct {
	worker  string
	session uint64
}

// session is the receiving side of a link. It outlives its connections.
type session struct {
	t    *Transport
	id   uint64
	busy chan struct{} // holds a token while a connection is served
	wake chan struct{} // one token: there is something to grant
	done func(*gearcore.Batch)

	process uint64 // of the peer
	proxies proxies

	pen     sync.Mutex // held while replies are composed and written; taken before mu and proxies.mu
	replies replies    // guarded by pen

	warned atomic.Bool    // a batch was not delivered
	texts  gearcore.Chunk // owned by the goroutine that reads
	notes  noteReader     // the same

	mu        sync.Mutex
	used      uint64 // Transport.tick when last connected; guarded by Transport.mu
	users     int    // connections that serve it or wait to; guarded by Transport.mu
	conn      net.Conn
	left      time.Time // when conn ended
	peer      identity  // as it said on conn; its plan is kept up
	received  uint64
	failures  int // frames after received that could not be read, in a row
	processed map[gearcore.TaskID]*tally
	dirty     []*tally
	parcels   []*parcel   // at most maxParcels, for reuse
	late      *time.Timer // signals
	armed     bool        // late is set
}

// tally counts the frames of one target.
type tally struct {
	grant
	arrived uint64
	told    uint64 // processed as told last
	lent    int    // parcels under way whose texts are used again
	dirty   bool
}

// session returns the session a peer asks for, and whether it was known. It stays until leave gives it back. The least
// recently connected one that is not in use makes way for a new one when there are too many; if all are in use, there is
// none.
func (t *Transport) session(id *identity) (s *session, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tick++
	key := sessionKey{id.worker, id.session}
	if s = t.sessions[key]; s != nil {
		s.used = t.tick
		s.users++
		return s, true
	}
	t.forgetFormerLocked(id)
	if len(t.sessions) >= t.cfg.MaxSessions && !t.forgetLocked() {
		return nil, false
	}
	s = &session{t: t, id: id.session, process: id.process, left: time.Now(), used: t.tick, users: 1, busy: make(chan struct{}, 1), wake: make(chan struct{}, 1), processed: map[gearcore.TaskID]*tally{}}
	s.done = func(b *gearcore.Batch) { s.finish(b.Target, b.Size, nil) }
	s.late = time.AfterFunc(time.Hour, s.grantLate)
	s.late.Stop()
	s.proxies = proxies{t: t, signal: s.signal, quick: s.tellQuick}
	t.sessions[key] = s
	t.stats.Sessions.Store(int64(len(t.sessions)))
	return s, false
}

// leave follows session. Between the two nothing forgets s, also before its connection is the one that is served.
func (t *Transport) leave(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.users--
}

// forgetLocked makes room for a session.
func (t *Transport) forgetLocked() bool {
	var oldest sessionKey
	var at *session
	for k, s := range t.sessions {
		if s.users == 0 && (at == nil || s.used < at.used) {
			oldest, at = k, s
		}
	}
	if at != nil {
		delete(t.sessions, oldest)
		at.proxies.close()
	}
	return at != nil
}

// forgetFormerLocked forgets the sessions of former lives of the worker that id is of.
func (t *Transport) forgetFormerLocked(id *identity) {
	for k, s := range t.sessions {
		if k.worker == id.worker && s.process != id.process && s.users == 0 {
			delete(t.sessions, k)
			s.proxies.close()
		}
	}
}

// forgetAfter is how many times PeerTimeout a session lasts without a connection. Its peer has given up by then what it holds; mostly it is a worker that
// was started again, under another id.
const forgetAfter = 4

// forgetGone forgets the sessions whose peers have been away for long.
func (t *Transport) forgetGone(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, s := range t.sessions {
		if s.users == 0 && s.goneFor(now) >= forgetAfter*t.cfg.PeerTimeout {
			delete(t.sessions, k)
			s.proxies.close()
		}
	}
	t.stats.Sessions.Store(int64(len(t.sessions)))
}

// keepBooks forgets what nobody will settle or wait for, until ctx ends.
func (t *Transport) keepBooks(ctx context.Context) {
	sweep := time.NewTicker(t.cfg.PeerTimeout)
	defer sweep.Stop()
	var rotate <-chan time.Time // never, without a timeout
	if t.cfg.MessageTimeout > 0 {
		tick := time.NewTicker(t.cfg.MessageTimeout)
		defer tick.Stop()
		rotate = tick.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-rotate:
			t.eachEnd(func(l *link) { l.dues.rotate() }, func(s *session) { s.proxies.rotate() })
		case now := <-sweep.C:
			t.eachEnd(nil, func(s *session) {
				if s.goneFor(now) >= t.cfg.PeerTimeout {
					s.proxies.clear()
				}
			})
			t.forgetGone(now)
		}
	}
}

// eachEnd calls the functions for all links and sessions of this moment.
func (t *Transport) eachEnd(sending func(*link), receiving func(*session)) {
	t.mu.Lock()
	links, sessions := slices.Collect(maps.Values(t.links)), slices.Collect(maps.Values(t.sessions))
	t.mu.Unlock()
	if sending != nil {
		for _, l := range links {
			sending(l)
		}
	}
	for _, s := range sessions {
		receiving(s)
	}
}

// goneFor returns how long the session has had no connection.
func (s *session) goneFor(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return 0
	}
	return now.Sub(s.left)
}

// acquire makes conn the session's only connection: one that it replaces is closed and waited for.
func (s *session) acquire(conn net.Conn, peer *identity, timeout time.Duration) bool {
	s.cut(func(*identity) bool { return true })
	select {
	case s.busy <- struct{}{}:
	case <-time.After(timeout):
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.peer = conn, *peer
	s.dirty = s.dirty[:0]
	for _, c := range s.processed {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
	return true
}

func (s *session) release() {
	s.mu.Lock()
	s.conn, s.left = nil, time.Now()
	s.parcels = nil // a peer whose link has ended in order does not come back to this session
	s.mu.Unlock()
	s.proxies.disconnected()
	<-s.busy
}

// cut closes the connection of a peer that off says is off.
func (s *session) cut(off func(*identity) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && off(&s.peer) {
		s.conn.Close()
	}
}

// knows notes the version of the plan that the peer knows.
func (s *session) knows(plan uint64) {
	s.mu.Lock()
	s.peer.plan = max(s.peer.plan, plan)
	s.mu.Unlock()
}

// maxFailures is how often a frame may come that cannot be read. The first times it was perhaps damaged on its way; then
// it is the sender's, and would come for ever.
const maxFailures = 3

// progress returns the number of the last frame received, and whether the next one is refused.
func (s *session) progress() (received uint64, refused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received, s.failures >= maxFailures
}

// advance notes what was received, and the error that ended it if any.
func (s *session) advance(received uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if received != s.received {
		s.received, s.failures = received, 0
	}
	if errors.Is(err, ErrFrame) {
		s.failures++
	}
}

// end forgets the session, so that the sender starts a new one and gives up what it has not told to be received.
func (s *session) end() {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	for k, other := range s.t.sessions {
		if other == s {
			delete(s.t.sessions, k)
			s.proxies.close()
		}
	}
	s.t.stats.Sessions.Store(int64(len(s.t.sessions)))
}

func (s *session) tallyLocked(task gearcore.TaskID) *tally {
	c := s.processed[task]
	if c == nil {
		c = &tally{grant: grant{task: task}}
		s.processed[task] = c
	}
	return c
}

// arrived counts a batch with rows and returns by which plan it was sent.
func (s *session) arrived(task gearcore.TaskID) (plan uint64) {
	s.mu.Lock()
	s.tallyLocked(task).arrived++
	plan = s.peer.plan
	s.mu.Unlock()
	return plan
}

// lateGrant is how long the sender may wait to be told of a batch that it does not wait for. Setting and stopping a
// timer for each would wake a thread for many of them.
const lateGrant = 50 * time.Millisecond

// finish follows the end of a batch with rows of that size: p, if it can be used again. The sender is told once half of
// what it knows to be under way is done, so that a busy target costs few messages and never runs dry; whoever is told
// takes along what there is for others. What stays below a target's own credit keeps nobody waiting, and goes with the
// results of its tuples, or late.
func (s *session) finish(task gearcore.TaskID, size int, p *parcel) {
	s.mu.Lock()
	c := s.tallyLocked(task)
	c.processed++
	if !c.dirty {
		c.dirty = true
		s.dirty = append(s.dirty, c)
	}
	untold, left := c.processed-c.told, c.arrived-c.processed
	tell := untold >= left
	if left == 0 && untold < uint64(s.t.cfg.ExclusiveBatches) && size < s.t.cfg.TargetBytes/4 {
		tell = false
		if !s.armed {
			s.armed = true
			s.late.Reset(lateGrant)
		}
	}
	if p != nil {
		s.takeBackLocked(task, p)
	}
	s.mu.Unlock()
	if tell {
		s.signal()
	}
}

// grantLate is the end of lateGrant. What it was set for may have been told by now.
func (s *session) grantLate() {
	s.mu.Lock()
	s.armed = false
	tell := len(s.dirty) > 0
	s.mu.Unlock()
	if tell {
		s.signal()
	}
}

func (s *session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// grants moves what is to be granted, at most one frame's worth, to dst.
func (s *session) grants(dst []grant) (received uint64, gs []grant, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.dirty), grantsPerFrame)
	for _, c := range s.dirty[:n] {
		c.dirty, c.told = false, c.processed
		dst = append(dst, c.grant)
	}
	s.dirty = append(s.dirty[:0], s.dirty[n:]...)
	return s.received, dst, len(s.dirty) > 0
}
