package stream

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
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
	// another goroutine than the other methods, one transaction at a time in the order of their epochs.
	Commit(name string) error
	// Abort forgets the present transaction and all that were prepared and are not to be committed: whatever is not in keep.
	Abort(keep []string) error
	Close()
}

// Transactional returns sinks that show every value once, in a topology with checkpoints; in one without checkpoints nothing ever becomes visible.
func Transactional[T any](open func() Transactions[T]) SinkFactory[T] {
	return func() Sink[T] { return &transactional[T]{to: open(), halted: make(chan struct{})} }
}

// prepared is a transaction that waits for its checkpoint to count.
type prepared struct {
	Epoch uint64 `json:"epoch"`
	Name  string `json:"name"`
}

type transactional[T any] struct {
	to      Transactions[T]
	async   *gearcore.Async
	commits sync.WaitGroup
	halted  chan struct{} // closed when no commit may begin

	mu      sync.Mutex
	waiting []prepared // by epoch
	upTo    uint64     // what may be committed
	busy    bool       // a goroutine commits
}

// retryCommit is the pause after a commit that failed.
const retryCommit = time.Second

func (s *transactional[T]) Open(ctx *gearcore.Context) error { return s.to.Open(ctx) }

func (s *transactional[T]) Write(v T, at time.Time) error { return s.to.Write(v, at) }

// report lets the sink report errors of commits.
func (s *transactional[T]) report(c *gearcore.Collector) { s.async = c.Async() }

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
	return position{b, fmt.Sprintf("%d transactions", len(s.waiting))}, err
}

// Commit implements gearcore.Committer.
func (s *transactional[T]) Commit(epoch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upTo = max(s.upTo, epoch)
	if s.busy || s.closedLocked() || !s.dueLocked() {
		return
	}
	s.busy = true
	s.commits.Go(s.commit)
}

func (s *transactional[T]) closedLocked() bool {
	select {
	case <-s.halted:
		return true
	default:
		return false
	}
}

func (s *transactional[T]) dueLocked() bool {
	return len(s.waiting) > 0 && s.waiting[0].Epoch <= s.upTo
}

// commit commits what may be, until there is no more.
func (s *transactional[T]) commit() {
	for {
		s.mu.Lock()
		if s.closedLocked() || !s.dueLocked() {
			s.busy = false
			s.mu.Unlock()
			return
		}
		next := s.waiting[0]
		s.mu.Unlock()
		if err := s.to.Commit(next.Name); err != nil {
			s.tell(fmt.Errorf("commit transaction %s of checkpoint %d: %w", next.Name, next.Epoch, err))
			if !s.pause() {
				return
			}
			continue
		}
		s.mu.Lock()
		s.waiting = s.waiting[1:]
		s.mu.Unlock()
	}
}

// pause waits a little, and says whether commits may go on.
func (s *transactional[T]) pause() bool {
	s.mu.Lock()
	halted := s.halted
	s.mu.Unlock()
	t := time.NewTimer(retryCommit)
	defer t.Stop()
	select {
	case <-halted:
		return false
	case <-t.C:
		return true
	}
}

func (s *transactional[T]) tell(err error) {
	if s.async != nil {
		_ = s.async.Do(64, func(c *gearcore.Collector) { c.ReportError(err) }) // an executor that has ended reports nothing
	}
}

// Restore implements gearcore.Checkpointed: what the checkpoint holds is committed, all else forgotten. Each former task's transactions go to
// one task, whatever their number was.
func (s *transactional[T]) Restore(r *gearcore.Recovery) error {
	s.halt()
	var own []prepared
	var keep []string
	for _, p := range r.Parts {
		var list []prepared
		if err := json.Unmarshal(p.Inline, &list); err != nil {
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
	s.waiting, s.upTo, s.busy, s.halted = nil, r.Epoch, false, make(chan struct{})
	return nil
}

// halt lets no commit begin, and waits for the one under way.
func (s *transactional[T]) halt() {
	s.mu.Lock()
	if !s.closedLocked() {
		close(s.halted)
	}
	s.mu.Unlock()
	s.commits.Wait()
}

func (s *transactional[T]) Close() {
	s.halt()
	s.to.Close()
}
