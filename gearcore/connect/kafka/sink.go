package kafka

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// NewSink returns one task's sink: a *Sink, or a *Producer in the modes Idempotent and AtLeastOnce.
func NewSink(o SinkOptions) (gearcore.Task, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if o.Mode != ExactlyOnce {
		return &Producer{opts: o, life: newLife()}, nil
	}
	return &Sink{opts: o, most: o.MaxRecordBytes}, nil
}

// Sinks returns what makes the sinks of a component's tasks.
func Sinks(o SinkOptions) func() (gearcore.Task, error) {
	return func() (gearcore.Task, error) { return NewSink(o) }
}

// Sink writes records exactly once. It implements gearcore.Task, Checkpointed, Committer and NoRetain.
type Sink struct {
	opts   SinkOptions
	prefix string
	most   int // bytes of a record
	box    *outbox.Box
	target *publisher // nil before Restore
	record kgo.Record
	entry  []byte
}

var (
	_ gearcore.Task         = (*Sink)(nil)
	_ gearcore.Checkpointed = (*Sink)(nil)
	_ gearcore.Committer    = (*Sink)(nil)
	_ gearcore.NoRetain     = (*Sink)(nil)
)

// NoRetain implements gearcore.NoRetain.
func (s *Sink) NoRetain() {}

// Open implements gearcore.Task.
func (s *Sink) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if s.prefix = s.opts.ID; s.prefix == "" {
		s.prefix = fmt.Sprintf("gearstorm-%s-%s", ctx.TopologyName, ctx.Component)
	}
	s.box = outbox.New(s.opts.Outbox, c.Async())
	return nil
}

// Execute implements gearcore.Task.
func (s *Sink) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	s.record = kgo.Record{}
	if err := s.opts.Record(t, &s.record); err != nil {
		return fmt.Errorf("make a record: %w", err)
	}
	s.entry = appendRecord(s.entry[:0], &s.record)
	s.record = kgo.Record{} // it refers to the tuple
	if len(s.entry) > s.most {
		return fmt.Errorf("a record of %d bytes is larger than %d: raise MaxRecordBytes (max.request.size), and kgo.ProducerBatchMaxBytes (batch.size) from 0.9 MB on",
			len(s.entry), s.most)
	}
	if err := s.box.Add(s.entry, c); err != nil {
		return err
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
	target, err := newPublisher(&s.opts)
	if err != nil {
		return fmt.Errorf("restore the kafka sink: %w", err)
	}
	old := s.target
	s.target, s.most = target, min(s.opts.MaxRecordBytes, target.largest())
	err = s.box.Restore(r, fmt.Sprintf("%s-%d", s.prefix, r.Index), target)
	if old != nil {
		old.close()
	}
	if err != nil {
		return fmt.Errorf("restore the kafka sink: %w", err)
	}
	return nil
}

// Close implements gearcore.Task.
func (s *Sink) Close() {
	if s.box != nil {
		s.box.Close()
	}
	if s.target != nil {
		s.target.close()
	}
}
