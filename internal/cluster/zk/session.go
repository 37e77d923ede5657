package zk

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	zoo "github.com/go-zookeeper/zk"
)

// session is one client of the library and the one ZooKeeper session that we use it for. When that is over the client is
// closed and another one made, so nothing of it (queued requests, watches) reaches the next session.
//
// Requests go out only while it is up: connected, credentials given, watches armed again. The last matters because the
// library arms them beside whatever else it sends, and reads a field then that any response writes.
type session struct {
	conn *zoo.Conn
	tls  *tls.Config
	log  *slog.Logger
	life context.Context // ends when it is over
	gone <-chan struct{} // life's end
	stop context.CancelFunc

	mu       sync.Mutex
	id       int64 // 0 before the first handshake
	timeout  time.Duration
	linked   bool // connected, watches armed
	prepared bool // credentials given
	armed    bool // the library has a watch, so it will arm it after each reconnect
	over     bool
	changed  chan struct{}            // closed and replaced when one of linked, prepared changes
	watches  map[string]chan struct{} // by node; closed, and removed, with its next event
	proof    time.Time                // when the newest request was sent that the ensemble's leader answered
	trouble  string                   // the last thing that went wrong with the connection
}

// newSession starts to connect. A goroutine of the library's lives until close.
func newSession(cfg *Config) (*session, error) {
	s := &session{tls: cfg.TLS, log: cfg.Log, changed: make(chan struct{}), watches: make(map[string]chan struct{})}
	s.life, s.stop = context.WithCancel(context.Background())
	s.gone = s.life.Done()
	ready := make(chan struct{})
	conn, _, err := zoo.Connect(cfg.Servers, cfg.SessionTimeout,
		zoo.WithHostProvider(&hosts{}), zoo.WithDialer(s.dial), zoo.WithMaxBufferSize(maxResponseBytes), zoo.WithLogger(s),
		zoo.WithLogInfo(false), zoo.WithEventCallback(func(e zoo.Event) {
			<-ready
			s.event(e)
		}))
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper: %w", err)
	}
	s.conn = conn
	close(ready)
	return s, nil
}

// Printf takes the library's log: it says why a connection failed, at every try, so it is kept for errors and told at level
// debug only. Credentials are not in it.
func (s *session) Printf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Debug("zookeeper client", "says", text)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = text
}

// event is called by the library, from its own goroutines; it must not block. Nothing is queued: what happened is merged
// into the state.
func (s *session) event(e zoo.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Type != zoo.EventSession {
		s.fireLocked(e.Path)
		return
	}
	switch e.State {
	case zoo.StateHasSession:
		s.id = s.conn.SessionID()
		if !s.armed {
			s.setLocked(true, s.prepared)
		}
	case zoo.StateDisconnected, zoo.StateConnecting:
		s.setLocked(false, s.prepared)
	case zoo.StateExpired:
		s.endLocked()
	}
}

func (s *session) setLocked(linked, prepared bool) {
	if linked == s.linked && prepared == s.prepared {
		return
	}
	s.linked, s.prepared = linked, prepared
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *session) endLocked() {
	if s.over {
		return
	}
	s.over = true
	s.setLocked(false, s.prepared)
	s.stop()
}

// end makes the session count as over, whatever ZooKeeper thinks.
func (s *session) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

// greeted is called when the server has answered the first packet, before the library reads the answer. It returns whether
// the library has watches to arm again.
func (s *session) greeted(timeout time.Duration) (arms bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if timeout > 0 { // 0 says that the session is expired
		s.timeout = timeout
	}
	return s.armed && timeout > 0
}

// watchesSent is called when the request to arm the watches again is on its way: what is sent from now on comes after it.
func (s *session) watchesSent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(!s.over, s.prepared)
}

// prepare gives the credentials and arms a watch that never fires, so that there always is one (see watchesSent).
func (s *session) prepare(ctx context.Context, digest string) error {
	for {
		if err := s.wait(ctx, func() bool { return s.linked }); err != nil {
			return err
		}
		_, err := call(ctx, s, func() (struct{}, error) {
			if digest != "" {
				if err := s.conn.AddAuth("digest", []byte(digest)); err != nil {
					return struct{}{}, err
				}
			}
			_, _, _, err := s.conn.ExistsW("/")
			return struct{}{}, err
		})
		if err == nil {
			s.mu.Lock()
			s.armed = true
			s.setLocked(s.linked, true)
			s.mu.Unlock()
			return nil
		}
		if err := s.settle(ctx, err); err != nil {
			return err
		}
	}
}

// settle returns an error if trying again is of no use: ctx or the session are over, or the server refused. Else it waits until
// the library has noticed that the connection is gone, or for a moment.
func (s *session) settle(ctx context.Context, err error) error {
	if refused(err) {
		return err
	}
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.gone:
		return errGone
	case <-changed:
	case <-time.After(retryPause):
	}
	return nil
}

// wait blocks until ok, which looks at the state under the lock, or an error.
func (s *session) wait(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		select {
		case <-s.gone:
			return errGone
		default:
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.gone:
		case <-changed:
		}
	}
}

// up waits until requests may be sent.
func (s *session) up(ctx context.Context) error {
	return s.wait(ctx, func() bool { return s.linked && s.prepared })
}

// isUp tells the state and gives a channel that is closed when it changes.
func (s *session) isUp() (up bool, changed <-chan struct{}, trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.linked && s.prepared, s.changed, s.trouble
}

// watch returns a channel that is closed with the next event of node, also when the watch is lost. Ask for it before the request
// that has the server watch: its event may come first.
func (s *session) watch(node string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watches[node] == nil {
		s.watches[node] = make(chan struct{})
	}
	return s.watches[node]
}

func (s *session) fireLocked(node string) {
	if node == "/" {
		s.armed = false // somebody wrote there
	}
	if ch := s.watches[node]; ch != nil {
		close(ch)
		delete(s.watches, node)
	}
}

// answered notes that the leader of the ensemble answered what was sent at this time.
func (s *session) answered(sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent.After(s.proof) {
		s.proof = sent
	}
}

func (s *session) lastProof() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proof
}

// known returns the session's id and negotiated timeout; it was up before.
func (s *session) known() (id int64, timeout time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id, s.timeout
}

// call runs a request of the library's, which cannot be interrupted, and returns earlier if ctx or the session end. The
// request may still be carried out then.
func call[T any](ctx context.Context, s *session, request func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := request()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), context.Cause(ctx)
	case <-s.gone:
		return *new(T), errGone
	}
}
