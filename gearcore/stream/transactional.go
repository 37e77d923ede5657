package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Transactions are what a Transactional sink is made of: values are written into a transaction, one for each checkpoint, that becomes visible
// once the checkpoint counts. A name is enough to find a prepared transaction again in another process.
type Transactions[T any] interface {
	Open(ctx *gearcore.Context) error
	// Write writes a value into the present transaction; at is the zero time if it has none.
	Write(v T, at time.Time) error
	// Prepare ends the present transaction so that it can be committed whatever happens, and returns its name, "" if there is nothing in it. It is
	// durable when Prepare returns. The next Write begins another one.
	Prepare(epoch uint64) (name string, err error)
	// Commit makes a prepared transaction visible. It may be called again for one that is visible already, by another process even, and is called by
	// another goroutine than the other methods, one transaction at a time in the order of their epochs. After an error or a panic it is called again.
	Commit(name string) error
	// Abort forgets the present transaction and all that were prepared and are not to be committed: whatever is not in keep.
	Abort(keep []string) error
	Close()
}

// Transactional returns sinks that show every value once, in a topology with checkpoints; in one without checkpoints nothing ever becomes visible.
func Transactional[T any](open func() Transactions[T]) SinkFactory[T] {
	return func() Sink[T] { return &transactional[T]{to: open()} }
}

// prepared is a transaction that waits for its checkpoint to count.
type prepared struct {
	Epoch uint64 `json:"epoch"`
	Name  string `json:"name"`
}

type transactional[T any] struct {
	to Transactions[T]
	r  *run

	running sync.Mutex // held while a transaction is committed

	mu      sync.Mutex
	waiting []prepared // by epoch
	upTo    uint64     // what may be committed
	busy    bool       // there is, or will be, something that commits
	life    int        // grows with every Restore: what began to commit before does not go on
}

// retryCommit is the pause after a commit that failed.
const retryCommit = time.Second

func (s *transactional[T]) Open(ctx *gearcore.Context) error { return s.to.Open(ctx) }

func (s *transactional[T]) Write(v T, at time.Time) error { return s.to.Write(v, at) }

func (s *transactional[T]) attach(r *run) { s.r = r }

// Freeze implements gearcore.Checkpointed.
func (s *transactional[T]) Freeze(epoch uint64) (gearcore.Frozen, error) {
	name, err := s.to.Prepare(epoch)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != "" {
		s.waiting = append(s.waiting, prepared{epoch, name})
	}
	b, err := json.Marshal(s.waiting)
	return connect.Bytes(b, fmt.Sprintf("%d transactions", len(s.waiting))), err
}

// Commit implements gearcore.Committer.
func (s *transactional[T]) Commit(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upTo = max(s.upTo, epoch)
	if s.busy || !s.dueLocked() {
		return
	}
	s.busy = true
	life := s.life
	s.r.env.Go(func() { s.commit(life) })
}

func (s *transactional[T]) dueLocked() bool {
	return len(s.waiting) > 0 && s.waiting[0].Epoch <= s.upTo
}

// commit commits what may be, until there is no more or one fails, which is tried again later.
func (s *transactional[T]) commit(life int) {
	s.running.Lock()
	defer s.running.Unlock()
	for {
		s.mu.Lock()
		if life != s.life {
			s.mu.Unlock()
			return
		}
		if !s.dueLocked() {
			s.busy = false
			s.mu.Unlock()
			return
		}
		next := s.waiting[0]
		s.mu.Unlock()
		if err := gearcore.Safely(func() error { return s.to.Commit(next.Name) }); err != nil {
			s.tell(fmt.Errorf("commit transaction %s of checkpoint %d: %w", next.Name, next.Epoch, err))
			s.r.env.Clock.AfterFunc(retryCommit, func() { s.r.env.Go(func() { s.commit(life) }) })
			return
		}
		s.mu.Lock()
		if life == s.life { // else nothing waits any more
			s.waiting = s.waiting[1:]
		}
		s.mu.Unlock()
	}
}

func (s *transactional[T]) tell(err error) {
	_ = s.r.c.Async().Do(64, func(c *gearcore.Collector) { c.ReportError(err) }) // an executor that has ended reports nothing
}

// halt lets nothing begin to commit that was asked for before, and waits for what is under way.
func (s *transactional[T]) halt() {
	s.mu.Lock()
	s.life++
	s.busy, s.waiting = false, nil
	s.mu.Unlock()
	s.running.Lock()
	defer s.running.Unlock()
}

// Restore implements gearcore.Checkpointed: what the checkpoint holds is committed, all else forgotten. Each former task's transactions go to
// one task, whatever their number was.
func (s *transactional[T]) Restore(r *gearcore.Recovery) error {
	s.halt()
	var own []prepared
	var keep []string
	for _, p := range r.Parts {
		list, err := transactionsOf(r.Vault, p.Part)
		if err != nil {
			return fmt.Errorf("read the transactions of task %d: %w", p.Task, err)
		}
		for _, t := range list {
			keep = append(keep, t.Name)
			if p.Index%r.Tasks == r.Index {
				own = append(own, t)
			}
		}
	}
	if err := s.to.Abort(keep); err != nil {
		return fmt.Errorf("abort transactions: %w", err)
	}
	for _, t := range own {
		if err := s.to.Commit(t.Name); err != nil {
			return fmt.Errorf("commit transaction %s of checkpoint %d: %w", t.Name, t.Epoch, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upTo = r.Epoch
	return nil
}

// transactionsOf reads the part of a sink. It is empty of one that was no Transactional.
func transactionsOf(from gearcore.Vault, p gearcore.Part) (list []prepared, err error) {
	b, err := connect.Content(context.Background(), from, p)
	if err == nil && len(b) > 0 {
		err = json.Unmarshal(b, &list)
	}
	return list, err
}

// Close commits what counts: nobody else does where the topology goes on without this sink.
func (s *transactional[T]) Close() {
	s.mu.Lock()
	life := s.life
	s.mu.Unlock()
	s.commit(life)
	s.halt()
	s.to.Close()
}
