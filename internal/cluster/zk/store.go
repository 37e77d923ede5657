package zk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	zoo "github.com/go-zookeeper/zk"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

// Store implements cluster.Store. Use Open.
type Store struct {
	cluster.Hints

	cfg   Config
	paths paths
	acl   []zoo.ACL
	log   *slog.Logger

	life context.Context // ends with Close, with cause cluster.ErrClosed
	end  context.CancelCauseFunc
	work sync.WaitGroup // every goroutine of the store's

	asked sync.Once // a server for its release

	campaigning chan struct{} // room for one: held by Campaign
	writing     chan struct{} // room for one: held by a transaction or takeover; taken after campaigning

	// Guarded by writing.
	head   *head // nil when it must be read before the next write
	number int64 // last transaction number handed out in the term
	// folders are those of sub that exist for sure.
	folders map[string]bool

	mu      sync.Mutex // guards what follows; nothing slow is done under it
	current *session
	renewed chan struct{} // closed and replaced when current changes
	term    *term         // that this store leads, or led last
	epoch   cluster.Epoch // that this store won last
	watched bool          // followHead runs
}

// Open makes a store and begins to connect; it does not wait for ZooKeeper, and needs it only once a method is called.
// Campaign waits for it for as long as its context allows, the others for Config.ConnectTimeout.
func Open(cfg Config) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p, err := newPaths(cfg.Root)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, paths: p, acl: cfg.acl(), log: cfg.Log,
		campaigning: make(chan struct{}, 1), writing: make(chan struct{}, 1),
		renewed: make(chan struct{}), folders: make(map[string]bool)}
	s.life, s.end = context.WithCancelCause(context.Background())
	first, err := newSession(&s.cfg)
	if err != nil {
		return nil, err
	}
	s.current = first
	s.work.Go(func() { s.keepConnected(first) })
	return s, nil
}

// nonce is a random name.
func nonce() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x", b)
}

// keepConnected watches over the sessions, one after the other, until the store is closed.
func (s *Store) keepConnected(sess *session) {
	for {
		s.attend(sess)
		s.work.Go(sess.conn.Close) // it may take seconds if ZooKeeper is away
		if s.life.Err() != nil {
			return
		}
		next, err := newSession(&s.cfg)
		if err != nil {
			s.log.Error("ZooKeeper client cannot be made", "err", err) // it could, with the same configuration
			return
		}
		sess = next
		s.mu.Lock()
		s.current = sess
		close(s.renewed)
		s.renewed = make(chan struct{})
		s.mu.Unlock()
	}
}

const (
	firstComplaint = time.Second
	mostComplaints = time.Minute
)

// attend tells the log how the session is until that is over.
func (s *Store) attend(sess *session) {
	s.work.Go(func() {
		if err := sess.prepare(s.life, s.cfg.Digest); refused(err) {
			s.log.Error("ZooKeeper refuses the credentials", "err", s.explain(err))
		}
	})
	servers := strings.Join(s.cfg.Servers, ",")
	since, pause := time.Now(), firstComplaint
	complaint := time.NewTimer(pause)
	defer complaint.Stop()
	for was := false; ; {
		up, changed, trouble := sess.isUp()
		if up != was {
			was, since, pause = up, time.Now(), firstComplaint
			if up {
				id, timeout := sess.known()
				if s.cfg.TLS == nil {
					s.asked.Do(func() { s.work.Go(func() { s.warnIfOld(sess.conn.Server()) }) })
				}
				s.log.Info("connected to ZooKeeper", "server", sess.conn.Server(), "session", fmt.Sprintf("%#x", id), "timeout", timeout)
			}
			complaint.Reset(pause)
		}
		select {
		case <-changed:
		case <-complaint.C:
			if !up {
				s.log.Warn("waiting for ZooKeeper", "servers", servers, "for", time.Since(since).Round(time.Second), "err", trouble)
				pause = min(2*pause, mostComplaints)
				complaint.Reset(pause)
			}
		case <-sess.gone:
			if s.life.Err() == nil {
				s.log.Warn("ZooKeeper session is over, making a new one", "servers", servers)
			}
			return
		case <-s.life.Done():
			sess.end()
			return
		}
	}
}

// session returns the current session once requests may be sent.
func (s *Store) session(ctx context.Context) (*session, error) {
	for {
		s.mu.Lock()
		sess, renewed := s.current, s.renewed
		s.mu.Unlock()
		err := sess.up(ctx)
		if !errors.Is(err, errGone) {
			return sess, err
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// trouble is what is wrong with the connection.
func (s *Store) trouble() string {
	s.mu.Lock()
	sess := s.current
	s.mu.Unlock()
	_, _, text := sess.isUp()
	return text
}

// lock takes a channel with room for one as a lock that can be waited for with a context.
func lock(ctx context.Context, ch chan struct{}) error {
	select {
	case ch <- struct{}{}:
		return nil
	default:
	}
	select {
	case ch <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func unlock(ch chan struct{}) { <-ch }

// Close implements cluster.Store. It ends the session, so that another candidate leads at once, which takes up to some seconds
// when ZooKeeper is away.
func (s *Store) Close() error {
	s.mu.Lock()
	if t := s.term; t != nil {
		t.end("the store is closed")
	}
	s.mu.Unlock()
	s.end(cluster.ErrClosed)
	s.work.Wait()
	return nil
}
