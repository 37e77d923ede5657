package storm

import (
	"errors"

	"github.com/gearstorm/gearstorm/gearcore"
)

// SpoutFactory makes one Spout for each task. It is called in the process that runs the task.
type SpoutFactory func() Spout

// SpoutFunc is a spout that is only Spout.Next: it keeps no state of its own and learns nothing of acks. The same
// function is used by all tasks, at the same time.
type SpoutFunc func(c *Collector) error

// SpoutSpec is what SetSpout takes: a SpoutFactory, a SpoutFunc, a SourceFactory or a Shell.
type SpoutSpec interface {
	newSpout() (gearcore.Source, error)
}

func (f SpoutFactory) newSpout() (gearcore.Source, error) {
	s := f()
	if s == nil {
		return nil, errors.New("the factory returned nil")
	}
	if err := checkSpout(s); err != nil {
		return nil, err
	}
	src := &spoutSource{spout: s}
	src.acker, _ = s.(Acker)
	src.failer, _ = s.(Failer)
	src.activator, _ = s.(Activator)
	src.closer, _ = s.(Closer)
	if c, ok := s.(Checkpointed); ok {
		return checkpointedSpout{src, c}, nil
	}
	return src, nil
}

func (f SpoutFunc) newSpout() (gearcore.Source, error) { return &spoutSource{spout: f}, nil }

// Open does nothing.
func (f SpoutFunc) Open(*Context, *Collector) error { return nil }

// Next calls f.
func (f SpoutFunc) Next(c *Collector) error { return f(c) }

// spoutSource makes a Spout the engine's Source. What is nil the spout does not want to know.
type spoutSource struct {
	spout     Spout
	acker     Acker
	failer    Failer
	activator Activator
	closer    Closer
}

func (s *spoutSource) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	listen(s.spout, ctx, c)
	return s.spout.Open(ctx, c)
}

func (s *spoutSource) Next(c *gearcore.Collector) error { return s.spout.Next(c) }

// Direct implements gearcore.DirectSource.
func (s *spoutSource) Direct() gearcore.Nexter { return s.spout }

func (s *spoutSource) Ack(id gearcore.Value, c *gearcore.Collector) {
	if s.acker != nil {
		s.acker.Ack(id, c)
	}
}

func (s *spoutSource) Fail(id gearcore.Value, c *gearcore.Collector) {
	if s.failer != nil {
		s.failer.Fail(id, c)
	}
}

func (s *spoutSource) Activate(c *gearcore.Collector) {
	if s.activator != nil {
		s.activator.Activate(c)
	}
}

func (s *spoutSource) Deactivate(c *gearcore.Collector) {
	if s.activator != nil {
		s.activator.Deactivate(c)
	}
}

func (s *spoutSource) Close() {
	if s.closer != nil {
		s.closer.Close()
	}
}
