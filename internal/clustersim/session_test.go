package clustersim

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
)

const (
	// sessionTimeout is how long the store waits for a master that it does not hear.
	sessionTimeout = 4 * time.Second
	// ownTimeout is how long a master that does not hear the store goes on, by its own clock.
	ownTimeout = sessionTimeout * 2 / 3
)

var errCut = errors.New("connection to the store is lost")

// session is the store as one master process has it: cut off and fenced like a session of ZooKeeper.
type session struct {
	cluster.Store
	m    *master
	peer interface{ Expire() }

	mu     sync.Mutex
	cut    bool
	dead   bool
	term   cluster.Term
	lost   chan struct{} // what this process believes
	expiry *time.Timer   // ends the session
	giveUp *time.Timer   // ends the term for this process
}

func newSession(m *master) *session {
	peer := m.w.store.Peer()
	return &session{Store: peer, m: m, peer: peer}
}

// Campaign implements cluster.Store.
func (s *session) Campaign(ctx context.Context, name string) (cluster.Term, error) {
	for {
		term, err := s.Store.Campaign(ctx, name)
		if err != nil {
			return term, err
		}
		if t, ok := s.begin(term); ok {
			return t, nil
		}
		s.peer.Expire() // somebody who is cut off cannot be elected
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *session) begin(term cluster.Term) (cluster.Term, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut || s.dead {
		return term, false
	}
	s.lost = make(chan struct{})
	s.term = term
	s.m.w.journal.term(s.m.name(), int64(term.Epoch))
	told := s.lost
	s.m.w.group.Go(func() { s.tell(term.Lost, told) })
	return cluster.Term{Epoch: term.Epoch, Lost: s.lost}, true
}

// tell passes the end of a term on, unless this process is cut off and cannot hear of it.
func (s *session) tell(lost <-chan struct{}, told chan struct{}) {
	<-lost
	time.Sleep(s.newsTakes())
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cut {
		s.forgetLocked(told)
	}
}

func (s *session) forgetLocked(told chan struct{}) {
	if s.lost == told && told != nil {
		close(told)
		s.lost = nil
	}
}

func (s *session) leads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost != nil
}

// cutOff has the store not answer any more. The session ends when the store has missed it for long enough, and the
// process gives the term up before, unless it sleeps or the world has it learn such things from the store alone.
func (s *session) cutOff(asleep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return
	}
	s.cut = true
	s.expiry = time.AfterFunc(sessionTimeout, s.peer.Expire)
	if asleep || s.m.w.lateNews {
		return
	}
	lost := s.lost
	s.giveUp = time.AfterFunc(ownTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forgetLocked(lost)
	})
}

// heal undoes cutOff. Who slept for so long that the session is over hears of it now.
func (s *session) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cut || s.dead {
		return
	}
	s.cut = false
	if s.giveUp != nil {
		s.giveUp.Stop()
	}
	s.expiry.Stop()
	select {
	case <-s.term.Lost:
		lost, told := s.term.Lost, s.lost
		s.m.w.group.Go(func() { s.tell(lost, told) })
	default:
	}
}

// newsTakes is how long the store has been ahead of what a process believes.
func (s *session) newsTakes() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(int64(s.term.Epoch)*337%1000) * time.Millisecond
}

// die is the end of the process.
func (s *session) die() {
	s.cutOff(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *session) reachable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut {
		return errCut
	}
	return nil
}

// Get implements cluster.Store.
func (s *session) Get(ctx context.Context, key string) (cluster.Item, error) {
	if err := s.reachable(); err != nil {
		return cluster.Item{}, err
	}
	return s.Store.Get(ctx, key)
}

// List implements cluster.Store.
func (s *session) List(ctx context.Context, prefix string) ([]cluster.Item, error) {
	if err := s.reachable(); err != nil {
		return nil, err
	}
	return s.Store.List(ctx, prefix)
}

// Txn implements cluster.Store. It does not wait for a store that is away: who waits there holds locks of Nimbus, and
// somebody who waits for a lock keeps virtual time from going on.
func (s *session) Txn(ctx context.Context, guard cluster.Epoch, ops ...cluster.Op) error {
	if err := s.reachable(); err != nil {
		return err
	}
	newest := s.m.w.journal.newest()
	err := s.Store.Txn(ctx, guard, ops...)
	s.m.w.journal.wrote(s.m.name(), int64(guard), newest, err)
	return err
}

// Close implements cluster.Store. A process that was killed cannot say goodbye.
func (s *session) Close() error {
	s.mu.Lock()
	dead := s.dead
	if s.expiry != nil && !dead {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	if dead {
		return nil
	}
	return s.Store.Close()
}
