package redis

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// Sink writes to Redis, each command once. It implements gearcore.Task, Checkpointed, Committer and NoRetain.
type Sink struct {
	opts     SinkOptions
	prefix   string
	async    *gearcore.Async
	box      *outbox.Box
	target   *publisher // nil before Restore
	commands Commands
}

var (
	_ gearcore.Task         = (*Sink)(nil)
	_ gearcore.Checkpointed = (*Sink)(nil)
	_ gearcore.Committer    = (*Sink)(nil)
	_ gearcore.NoRetain     = (*Sink)(nil)
)

// NewSink returns one task's sink.
func NewSink(o SinkOptions) (*Sink, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Sink{opts: o.withDefaults()}, nil
}

// Sinks returns what makes the sinks of a component's tasks.
func Sinks(o SinkOptions) func() (gearcore.Task, error) {
	return func() (gearcore.Task, error) { return NewSink(o) }
}

// NoRetain implements gearcore.NoRetain.
func (s *Sink) NoRetain() {}

// Open implements gearcore.Task.
func (s *Sink) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if s.prefix = s.opts.ID; s.prefix == "" {
		s.prefix = fmt.Sprintf("gearstorm:%s:%s", ctx.TopologyName, ctx.Component)
	}
	s.async = c.Async()
	s.box = outbox.New(s.opts.Outbox, s.async)
	return nil
}

// Execute implements gearcore.Task.
func (s *Sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	s.commands.reset()
	err := s.opts.Commands(t, &s.commands)
	if err == nil {
		err = s.commands.err
	}
	if err != nil {
		return fmt.Errorf("make commands: %w", err)
	}
	from := 0
	for _, end := range s.commands.ends {
		if err := s.box.Add(s.commands.buf[from:end], c); err != nil {
			return err
		}
		from = end
	}
	c.Ack(t)
	return nil
}

// Freeze implements gearcore.Checkpointed.
func (s *Sink) Freeze(epoch uint64) (gearcore.Frozen, error) { return s.box.Freeze(epoch) }

// Commit implements gearcore.Committer.
func (s *Sink) Commit(epoch uint64) { s.box.Commit(epoch) }

// Restore implements gearcore.Checkpointed.
func (s *Sink) Restore(r *gearcore.Recovery) error {
	old := s.target
	s.target = newPublisher(&s.opts, func(err error) {
		s.async.Do(0, func(c *gearcore.Collector) { c.ReportError(err) }) // after the end nobody hears
	})
	err := s.box.Restore(r, fmt.Sprintf("%s-%d", s.prefix, r.Index), s.target)
	if old != nil {
		old.client.Close()
	}
	if err != nil {
		return fmt.Errorf("restore the redis sink: %w", err)
	}
	return nil
}

// Close implements gearcore.Task.
func (s *Sink) Close() {
	if s.box != nil {
		s.box.Close()
	}
	if s.target != nil {
		s.target.client.Close()
	}
}
