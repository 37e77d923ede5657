package stream

import (
	"errors"

	"github.com/gearstorm/gearstorm/gearcore"
)

// newSource returns the task of a source: a gearcore.Source that knows event time and, if src does, takes part in checkpoints.
func newSource[T any](r *run, src Source[T], push emit[T]) gearcore.Source {
	s := &sourceTask[T]{r: r, src: src, out: Out[T]{r, push}}
	if cp, ok := src.(gearcore.Checkpointed); ok {
		return &checkpointedSource[T]{s, cp}
	}
	return s
}

// sourceTask is a Source as the engine runs it.
type sourceTask[T any] struct {
	r     *run
	src   Source[T]
	out   Out[T]
	ended bool
}

func (s *sourceTask[T]) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if err := s.r.open(ctx, c); err != nil {
		return err
	}
	return s.src.Open(ctx)
}

func (s *sourceTask[T]) Next(*gearcore.Collector) error {
	if s.ended {
		return gearcore.ErrIdle
	}
	err := s.src.Next(&s.out)
	if errors.Is(err, ErrEnd) {
		s.ended, err = true, nil
	}
	if wrong := s.r.take(); wrong != nil {
		return wrong
	}
	return err
}

// Watermark implements gearcore.Timed.
func (s *sourceTask[T]) Watermark() gearcore.Watermark {
	if s.ended {
		return gearcore.End
	}
	return s.r.watermark()
}

func (s *sourceTask[T]) Close() {
	s.src.Close()
	s.r.close()
}

func (*sourceTask[T]) Ack(gearcore.Value, *gearcore.Collector)  {}
func (*sourceTask[T]) Fail(gearcore.Value, *gearcore.Collector) {}
func (*sourceTask[T]) Activate(*gearcore.Collector)             {}
func (*sourceTask[T]) Deactivate(*gearcore.Collector)           {}

// watermark is that of a source's task: the least of those that give times in it; Idle if there are none.
func (r *run) watermark() gearcore.Watermark {
	low := gearcore.Idle
	for _, g := range r.generators {
		low = min(low, g.watermark())
	}
	return low
}

// checkpointedSource is the sourceTask of a source that takes part in checkpoints. Beside the source's position it keeps what
// the watermarks are made of: without it an event that was late would not be after a rollback.
type checkpointedSource[T any] struct {
	*sourceTask[T]
	inner gearcore.Checkpointed
}

// Freeze implements gearcore.Checkpointed.
func (s *checkpointedSource[T]) Freeze(epoch uint64) (gearcore.Frozen, error) {
	s.r.frozen(epoch)
	inner, err := s.inner.Freeze(epoch)
	if err != nil {
		return nil, err
	}
	return wrapped{inner, s.r.freezeTimes()}, nil
}

// Restore implements gearcore.Checkpointed.
func (s *checkpointedSource[T]) Restore(rec *gearcore.Recovery) error {
	s.ended = false
	inner, times, err := unwrap(rec)
	if err != nil {
		return err
	}
	s.r.restoreTimes(times, rec.Index, rec.Tasks)
	return s.inner.Restore(inner)
}
