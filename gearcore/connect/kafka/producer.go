package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Producer writes records at least once and acks a tuple when Kafka has its record. It implements gearcore.Task, Checkpointed and
// Holder.
type Producer struct {
	opts   SinkOptions
	client *kgo.Client
	async  *gearcore.Async
	life   *life
	paused bool // the input is
}

// life is what a producer has under way since it was opened or restored. What becomes of records of an earlier one counts no more: what was
// posted of them may have been forgotten, and their tuples come again.
type life struct {
	ctx      context.Context
	end      context.CancelFunc
	inFlight int          // records whose end was not heard
	lost     atomic.Int64 // records that Kafka did not take
}

func newLife() *life {
	l := &life{}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

var (
	_ gearcore.Task         = (*Producer)(nil)
	_ gearcore.Checkpointed = (*Producer)(nil)
	_ gearcore.Holder       = (*Producer)(nil)
)

// Open implements gearcore.Task.
func (p *Producer) Open(_ *gearcore.Context, c *gearcore.Collector) (err error) {
	opts := append(p.opts.modeOpts(), kgo.MaxBufferedRecords(2*p.opts.MaxInFlight))
	if p.opts.Topic != "" {
		opts = append(opts, kgo.DefaultProduceTopic(p.opts.Topic))
	}
	p.async = c.Async()
	if p.client, err = p.opts.Cluster.client(opts...); err != nil {
		return fmt.Errorf("open the kafka sink: %w", err)
	}
	return nil
}

// Execute implements gearcore.Task.
func (p *Producer) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	r := &kgo.Record{}
	if err := p.opts.Record(t, r); err != nil {
		return fmt.Errorf("make a record: %w", err)
	}
	l := p.life
	l.inFlight++
	// More than fits is never buffered, so this does not block: the input is stopped before.
	p.client.TryProduce(l.ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			l.lost.Add(1)
		}
		p.async.Do(64, func(c *gearcore.Collector) { p.settle(l, t, err, c) }) // after the end nobody waits for it
	})
	if !p.paused && l.inFlight >= p.opts.MaxInFlight {
		p.paused = true
		c.Pause()
	}
	return nil
}

// settle acks or fails a tuple of a life.
func (p *Producer) settle(l *life, t gearcore.Tuple, err error, c *gearcore.Collector) {
	if l != p.life {
		return
	}
	l.inFlight--
	if err != nil {
		c.ReportError(fmt.Errorf("produce: %w", err))
		c.Fail(t)
	} else {
		c.Ack(t)
	}
	if p.paused && l.inFlight <= p.opts.MaxInFlight/2 {
		p.paused = false
		c.Resume()
	}
}

// Holding implements gearcore.Holder.
func (p *Producer) Holding() bool { return p.life.inFlight > 0 }

// errNotWritten fails a checkpoint that would count records which Kafka does not have.
var errNotWritten = errors.New("records since the last checkpoint could not be written")

// Freeze implements gearcore.Checkpointed: what came before is in Kafka, or lost, since the task holds nothing (Holding). A flush would
// wait for what comes meanwhile as well, for ever under load.
func (p *Producer) Freeze(uint64) (gearcore.Frozen, error) { return written{p.life}, nil }

type written struct{ *life }

func (w written) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	if n := w.lost.Load(); n > 0 {
		return gearcore.Part{}, fmt.Errorf("%w: %d", errNotWritten, n)
	}
	return gearcore.Part{Note: "all written"}, nil
}

func (w written) Drop() {}

// Restore implements gearcore.Checkpointed. What was written stays.
func (p *Producer) Restore(*gearcore.Recovery) error {
	p.life.end()
	p.life, p.paused = newLife(), false // as the input is after a rollback
	return nil
}

// Close implements gearcore.Task.
func (p *Producer) Close() {
	if p.client != nil {
		p.life.end()
		p.client.Close()
	}
}
