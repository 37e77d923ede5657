package invocations

import (
	"context"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	tries     = 3 // as Storm's components
	tryPause  = 100 * time.Millisecond
	drainTime = time.Second // for what is still to be told when the task ends
)

// verdict is what became of a request.
type verdict struct {
	id     string
	result string
	failed bool
	why    *stormrpc.DRPCExecutionException // of a failure; nil is Storm's "Request failed"
	told   func(error)                      // called once the server knows, or cannot be told; may be nil
}

// sender tells one server what became of requests, in order.
type sender struct {
	link link
	more chan struct{} // holds a token while there may be something in queue

	mu    sync.Mutex
	queue []verdict
	ended bool // nothing more comes
}

func newSender(addr string, c conf.Conf) (*sender, error) {
	l, err := newLink(addr, c)
	if err != nil {
		return nil, err
	}
	return &sender{link: l, more: make(chan struct{}, 1)}, nil
}

// add queues a verdict and never waits.
func (s *sender) add(v verdict) {
	s.mu.Lock()
	s.queue = append(s.queue, v)
	s.mu.Unlock()
	s.wake()
}

// end lets run return once all is told.
func (s *sender) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

func (s *sender) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

func (s *sender) take() (batch []verdict, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue = s.queue, nil
	return batch, s.ended
}

// run tells until end was called and the queue is empty, or ctx ends.
func (s *sender) run(ctx context.Context) {
	defer s.link.close()
	for range s.more {
		batch, ended := s.take()
		for _, v := range batch {
			err := s.tell(ctx, v)
			if v.told != nil {
				v.told(err)
			}
		}
		if ended && len(batch) == 0 || ctx.Err() != nil {
			return
		}
		if ended {
			s.wake() // something may have come meanwhile
		}
	}
}

func (s *sender) tell(ctx context.Context, v verdict) (err error) {
	for try := range tries {
		if try > 0 && pause.For(ctx, tryPause) != nil {
			return err
		}
		err = s.link.call(ctx, func(ctx context.Context, c *stormrpc.DistributedRPCInvocationsClient) error {
			switch {
			case v.why != nil:
				return c.FailRequestV2(ctx, v.id, v.why)
			case v.failed:
				return c.FailRequest(ctx, v.id)
			}
			return c.Result_(ctx, v.id, v.result)
		})
		if err == nil || !lost(err) {
			return err
		}
	}
	return err
}

// crew runs senders and ends them.
type crew struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	members []*sender
}

func newCrew() *crew {
	c := &crew{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *crew) start(s *sender) {
	c.members = append(c.members, s)
	c.running.Go(func() { s.run(c.ctx) })
}

// close gives the senders some time for what they have, and waits for their end.
func (c *crew) close() {
	defer c.cancel()
	timer := time.AfterFunc(drainTime, c.cancel)
	defer timer.Stop()
	for _, s := range c.members {
		s.end()
	}
	c.running.Wait()
}
