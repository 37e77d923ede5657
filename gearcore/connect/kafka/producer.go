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
	opts     SinkOptions
	client   *kgo.Client
	async    *gearcore.Async
	inFlight int  // records whose end was not heard
	paused   bool // the input is
	lost     atomic.Int64
	ctx      context.Context
	cancel   context.CancelFunc
}

var (
	_ gearcore.Task         = (*Producer)(nil)
	_ gearcore.Checkpointed = (*Producer)(nil)
	_ gearcore.Holder       = (*Producer)(nil)
)

// Open implements gearcore.Task.
func (p *Producer) Open(_ *gearcore.Context, c *gearcore.Collector) (err error) {
	opts := []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.MaxBufferedRecords(2 * p.opts.MaxInFlight)}
	if p.opts.Topic != "" {
		opts = append(opts, kgo.DefaultProduceTopic(p.opts.Topic))
	}
	if p.opts.Mode == AtLeastOnce {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	p.async = c.Async()
	p.ctx, p.cancel = context.WithCancel(context.Background())
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
	p.inFlight++
	// More than fits is never buffered, so this does not block: the input is stopped before.
	p.client.TryProduce(p.ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			p.lost.Add(1)
		}
		p.async.Do(64, func(c *gearcore.Collector) { p.settle(t, err, c) }) // after the end nobody waits for it
	})
	if !p.paused && p.inFlight >= p.opts.MaxInFlight {
		p.paused = true
		c.Pause()
	}
	return nil
}

// settle acks or fails a tuple.
func (p *Producer) settle(t gearcore.Tuple, err error, c *gearcore.Collector) {
	p.inFlight--
	if err != nil {
		c.ReportError(fmt.Errorf("produce: %w", err))
		c.Fail(t)
	} else {
		c.Ack(t)
	}
	if p.paused && p.inFlight <= p.opts.MaxInFlight/2 {
		p.paused = false
		c.Resume()
	}
}

// Holding implements gearcore.Holder.
func (p *Producer) Holding() bool { return p.inFlight > 0 }

// errNotWritten fails a checkpoint that would count records which Kafka does not have.
var errNotWritten = errors.New("records since the last checkpoint could not be written")

// Freeze implements gearcore.Checkpointed: what came before is in Kafka when the checkpoint counts.
func (p *Producer) Freeze(uint64) (gearcore.Frozen, error) { return written{p}, nil }

type written struct{ p *Producer }

func (w written) Save(ctx context.Context, _ gearcore.Vault) (gearcore.Part, error) {
	if err := w.p.client.Flush(ctx); err != nil {
		return gearcore.Part{}, err
	}
	if n := w.p.lost.Load(); n > 0 {
		return gearcore.Part{}, fmt.Errorf("%w: %d", errNotWritten, n)
	}
	return gearcore.Part{Note: "all written"}, nil
}

func (w written) Drop() {}

// Restore implements gearcore.Checkpointed. What was written stays.
func (p *Producer) Restore(*gearcore.Recovery) error {
	p.lost.Store(0)
	return nil
}

// Close implements gearcore.Task.
func (p *Producer) Close() {
	if p.client != nil {
		p.cancel()
		p.client.Close()
	}
}
