package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// publisher is the outbox.Target: batches become visible as transactions.
type publisher struct {
	opts  *SinkOptions
	marks *marks
	ids   map[string]*identity // that are claimed
}

// identity is one that is claimed: its client, and what Kafka was told of it last.
type identity struct {
	client        *kgo.Client
	number, epoch uint64
	told          time.Time
}

func (i *identity) tells(number, epoch uint64) { i.number, i.epoch, i.told = number, epoch, time.Now() }

func newPublisher(o *SinkOptions) (*publisher, error) {
	m, err := newMarks(o.Cluster, o.Topic)
	if err != nil {
		return nil, err
	}
	return &publisher{opts: o, marks: m, ids: map[string]*identity{}}, nil
}

// Claim implements outbox.Target: a new epoch of the transactional id ends what a former producer has open.
func (p *publisher) Claim(ctx context.Context, id string, first bool) (uint64, bool, error) {
	own, err := p.begin(ctx, id)
	if err != nil {
		return 0, false, err
	}
	number, known, err := p.marks.fetch(ctx, id)
	if err != nil || known || !first {
		p.ids[id].tells(number, 0)
		return number, known, err
	}
	if err := p.marks.first(ctx, id, own, p.opts.TransactionTimeout); err != nil {
		return 0, false, err
	}
	if _, err := p.begin(ctx, id); err != nil {
		return 0, false, err
	}
	// Another may have claimed it and have published in between.
	number, _, err = p.marks.fetch(ctx, id)
	p.ids[id].tells(number, 0)
	return number, false, err
}

// refreshEvery is how often Kafka is told the number of an identity that has nothing to publish. Brokers forget it, and the transactional id, when
// they hear nothing for 7 days, if nobody set another time.
const refreshEvery = time.Hour

// Refresh implements outbox.Refresher. What a failure leaves open the next transaction takes in.
func (p *publisher) Refresh(ctx context.Context, id string) error {
	i := p.ids[id]
	if time.Since(i.told) < refreshEvery {
		return nil
	}
	pid, epoch, err := i.client.ProducerID(ctx)
	if err == nil {
		err = p.marks.commit(ctx, id, producer{pid, epoch}, i.number, i.epoch)
	}
	if err != nil {
		return fencedBy(fmt.Errorf("have Kafka keep in mind what was published: %w", err))
	}
	i.tells(i.number, i.epoch)
	return nil
}

// usualBatch is what a batch of franz-go holds where nothing else is said, in bytes.
const usualBatch = 1_000_012

// batchOf returns how large a batch has to be, at most, for the record of an entry of that many bytes. A record that no batch holds is never published.
func batchOf(entry int) int { return entry + entry/32 + 256 }

// largest is how many bytes an entry may have whose record a batch holds.
func (p *publisher) largest() int {
	batch, _ := p.marks.client.OptValue(kgo.ProducerBatchMaxBytes).(int32)
	return (int(batch) - 256) * 32 / 33
}

// begin makes a client for an identity that has its producer epoch. The client gets it now and not with the first record: a task that
// was replaced before would then fence the one that replaced it.
func (p *publisher) begin(ctx context.Context, id string) (producer, error) {
	p.Release(id)
	client, err := p.opts.Cluster.client(kgo.TransactionalID(id), kgo.TransactionTimeout(p.opts.TransactionTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DefaultProduceTopic(p.opts.Topic))
	if err != nil {
		return producer{}, err
	}
	p.ids[id] = &identity{client: client}
	for {
		pid, epoch, err := client.ProducerID(ctx)
		if err == nil {
			return producer{pid, epoch}, nil
		}
		if ctx.Err() != nil || !kerr.IsRetriable(err) && !errors.Is(err, kerr.ConcurrentTransactions) {
			return producer{}, fmt.Errorf("claim the transactional id %s: %w", id, err)
		}
	}
}

// Publish implements outbox.Target.
func (p *publisher) Publish(ctx context.Context, id string, b outbox.Batch) error {
	i := p.ids[id]
	client := i.client
	if err := client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	if err := produce(ctx, client, b); err != nil {
		return err
	}
	pid, epoch, err := client.ProducerID(ctx)
	if err != nil {
		return err
	}
	if err := p.marks.put(ctx, id, producer{pid, epoch}, b.Number, b.Epoch); err != nil {
		return err
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit the transaction: %w", err)
	}
	// The client aborts instead, without an error, where it believes that nothing was written. The offset knows.
	number, _, err := p.marks.fetch(ctx, id)
	if err == nil && number < b.Number {
		err = errAborted
	}
	if err == nil {
		i.tells(b.Number, b.Epoch)
	}
	return err
}

// errAborted says that a transaction was ended otherwise than asked for.
var errAborted = errors.New("the transaction was not committed")

// produce writes the records of a batch and waits until Kafka has them all.
func produce(ctx context.Context, client *kgo.Client, b outbox.Batch) error {
	var mu sync.Mutex
	var failed error
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
		}
	}
	first := func() error {
		mu.Lock()
		defer mu.Unlock()
		return failed
	}
	err := b.Read(func(data []byte) error {
		rec, err := parseRecord(slices.Clone(data))
		if err != nil {
			return err
		}
		client.Produce(ctx, rec, done)
		return first()
	})
	if err == nil {
		err = client.Flush(ctx)
	}
	if err = errors.Join(err, first()); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}

// Settle implements outbox.Target. The client aborts what it has open under the epoch that it has; if a newer one was given out since, it is refused.
func (p *publisher) Settle(ctx context.Context, id string) (uint64, error) {
	i := p.ids[id]
	client := i.client
	if err := client.AbortBufferedRecords(ctx); err != nil {
		return 0, err
	}
	err := client.EndTransaction(ctx, kgo.TryAbort)
	if err == nil {
		_, _, err = client.ProducerID(ctx)
	}
	if err != nil {
		return 0, fencedBy(err)
	}
	number, _, err := p.marks.fetch(ctx, id)
	if err == nil {
		i.number = max(i.number, number)
	}
	return number, err
}

// fencedBy returns err as outbox.ErrFenced if the producer cannot go on.
func fencedBy(err error) error {
	for _, fatal := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.FencedInstanceID,
		kerr.TransactionCoordinatorFenced, kerr.InvalidTxnState, kerr.UnknownProducerID} {
		if errors.Is(err, fatal) {
			return errors.Join(outbox.ErrFenced, err)
		}
	}
	return err
}

// Release implements outbox.Target.
func (p *publisher) Release(id string) {
	if i := p.ids[id]; i != nil {
		i.client.Close()
		delete(p.ids, id)
	}
}

func (p *publisher) close() {
	for id := range p.ids {
		p.Release(id)
	}
	p.marks.client.Close()
}
