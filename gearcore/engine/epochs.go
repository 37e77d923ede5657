package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// epochs is what the executors of a timed topology share: the coordinator's order, and what has come of it so far.
type epochs struct {
	cfg       *Timing
	ctx       context.Context // ends with the engine
	cancel    context.CancelFunc
	order     atomic.Pointer[checkpoint.Order] // written with mu
	saving    chan struct{}                    // a place for each that saves at the same time
	restoring chan struct{}

	reporting sync.Mutex // over Report

	mu        sync.Mutex
	gates     map[gearcore.TaskID]*gate // guarded by mu
	epoch     uint64                    // guarded by mu: the newest checkpoint that was begun here in the generation of order
	parts     []gearcore.TaskPart       // guarded by mu: of epoch
	failure   string                    // guarded by mu: of epoch
	brokenIn  uint64                    // guarded by mu: the generation that reason is about
	reason    string                    // guarded by mu: why another generation is needed
	lost      uint64                    // guarded by mu: the checkpoint of which something is gone or damaged, if that is the reason
	recovered map[component]parts       // guarded by mu
}

// component is one in a checkpoint, and parts gets what it has there.
type (
	component struct {
		epoch uint64
		name  string
	}
	parts func() ([]gearcore.TaskPart, error)
)

func newEpochs(cfg *Timing) *epochs {
	s := &epochs{
		cfg: cfg, gates: map[gearcore.TaskID]*gate{}, recovered: map[component]parts{},
		saving: make(chan struct{}, savesAtOnce), restoring: make(chan struct{}, restoresAtOnce),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.order.Store(&checkpoint.Order{})
	return s
}

// obey makes o the order and says whether it is another one than before. mine is the version of the graph here.
func (s *epochs) obey(o checkpoint.Order, mine int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.order.Load()
	switch {
	case o.Generation < was.Generation || o.Generation > was.Generation && o.Go && !awaited(&o, mine):
		return false
	case o.Generation > was.Generation:
		s.epoch, s.parts, s.failure, s.lost = 0, nil, "", 0
		clear(s.recovered)
	default:
		o.Restore = was.Restore
		o.Go = o.Go || was.Go
		o.Cut, o.Dropped, o.Committed = max(o.Cut, was.Cut), max(o.Dropped, was.Dropped), max(o.Committed, was.Committed)
		o.Version = max(o.Version, was.Version)
		if b := was.Birth; o.Birth.Version < b.Version {
			o.Birth = b
		} else if o.Birth.Version == b.Version {
			o.Birth.Done = o.Birth.Done || b.Done
		}
		if o == *was {
			return false
		}
	}
	s.order.Store(&o)
	return true
}

// awaited says whether tasks that know one graph only may still come in the generation of o: with its birth.
func awaited(o *checkpoint.Order, mine int64) bool {
	return o.Version != 0 && (o.Version < mine || o.Version == mine && o.Birth.Version == mine && !o.Birth.Done)
}

// changed tells the agent that there is something new to report.
func (s *epochs) changed() {
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}

// begunLocked makes k the newest checkpoint, and says whether it is: what is said about it counts.
func (s *epochs) begunLocked(generation, k uint64) bool {
	if generation != s.order.Load().Generation || k < s.epoch {
		return false
	}
	if k > s.epoch {
		s.epoch, s.parts, s.failure = k, nil, ""
	}
	return true
}

// begun notes that a task has got a marker of checkpoint k, or was told to begin it.
func (s *epochs) begun(generation, k uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begunLocked(generation, k)
}

// saved notes that a part of checkpoint k is durable.
func (s *epochs) saved(generation, k uint64, p gearcore.TaskPart) {
	s.mu.Lock()
	news := s.begunLocked(generation, k)
	if news {
		s.parts = append(s.parts, p)
	}
	s.mu.Unlock()
	if news {
		s.changed()
	}
}

// failed notes why a task here cannot contribute to checkpoint k. The first reason counts.
func (s *epochs) failed(generation, k uint64, err error) {
	s.mu.Lock()
	news := s.begunLocked(generation, k) && s.failure == ""
	if news {
		s.failure = err.Error()
	}
	s.mu.Unlock()
	if news {
		s.changed()
	}
}

// broken notes why that generation cannot go on. The first reason counts. What a task adds to a checkpoint after it lost
// something is never reported without that.
func (s *epochs) broken(generation uint64, reason string) {
	s.mu.Lock()
	news := s.cfg.Checkpoints && generation >= s.order.Load().Generation && generation > s.brokenIn
	if news {
		s.brokenIn, s.reason = generation, reason
	}
	s.mu.Unlock()
	if news {
		s.changed()
	}
}

// unreadable notes that a task cannot be restored from that checkpoint.
func (s *epochs) unreadable(generation, k uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation == s.order.Load().Generation {
		s.lost = k
	}
}

var errTupleFailed = errors.New("it failed a tuple")

// broken says that the task has lost something, or may be in any state.
func (c *timed) broken(err error) {
	c.in.broken(c.generation, fmt.Sprintf("task %d of %s: %v", c.t.id, c.x.component, err))
}

// Lost says that something that was sent, or may have been, will not arrive, so that the topology has to go back to its last
// checkpoint. Without checkpoints it does nothing. A receiver that gets rows from behind a gap notices that by itself.
func (e *Engine) Lost(reason string) {
	if s := e.epochs; s != nil {
		s.broken(s.order.Load().Generation, reason)
	}
}
