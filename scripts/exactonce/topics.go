package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topics, and how many partitions each has.
const (
	inTopic, outTopic           = "in", "out"
	inPartitions, outPartitions = 4, 2
)

// makeTopics makes both.
func makeTopics(ctx context.Context, broker string) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer c.Close()
	admin := kadm.NewClient(c)
	if _, err := admin.CreateTopic(ctx, inPartitions, 1, nil, inTopic); err != nil {
		return err
	}
	_, err = admin.CreateTopic(ctx, outPartitions, 1, nil, outTopic)
	return err
}

// writer writes records 0, 1, 2 and so on at a rate.
type writer struct {
	client *kgo.Client
	sent   atomic.Int64
	stop   context.CancelFunc
	ended  chan error
}

// writeEvery is how often it writes some.
const writeEvery = 20 * time.Millisecond

func newWriter(broker string, rate int) (*writer, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(inTopic))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &writer{client: c, stop: stop, ended: make(chan error, 1)}
	go func() { w.ended <- w.run(ctx, rate) }()
	return w, nil
}

// run writes until ctx ends. What it began to write is written then.
func (w *writer) run(ctx context.Context, rate int) error {
	began, tick := time.Now(), time.NewTicker(writeEvery)
	defer tick.Stop()
	for n := 0; ; {
		var some []*kgo.Record
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			some = append(some, &kgo.Record{Key: []byte(keyOf(n)), Value: []byte(strconv.Itoa(n))})
		}
		if err := w.client.ProduceSync(context.WithoutCancel(ctx), some...).FirstErr(); err != nil {
			return fmt.Errorf("write record %d or one before: %w", n, err)
		}
		w.sent.Store(int64(n))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// finish ends the writing and returns how many records there are.
func (w *writer) finish() (int, error) {
	w.stop()
	err := <-w.ended
	w.ended <- err // for who asks again
	w.client.Close()
	return int(w.sent.Load()), err
}

// reader reads the committed records of the topic that the topology writes.
type reader struct {
	client *kgo.Client
	admin  *kadm.Client
	next   map[int32]int64
}

func newReader(broker string) (*reader, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(outTopic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(10*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return &reader{c, kadm.NewClient(c), map[int32]int64{}}, nil
}

// read adds the records to l that are there now and were not read before.
func (r *reader) read(ctx context.Context, l *ledger) error {
	ends, err := r.admin.ListCommittedOffsets(ctx, outTopic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("ask for the end of topic %s: %w", outTopic, err)
	}
	for r.behind(ends) {
		fetches := r.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read topic %s: %w", outTopic, err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			r.next[rec.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				l.add(string(rec.Key), string(rec.Value))
			}
		})
	}
	return nil
}

func (r *reader) behind(ends kadm.ListedOffsets) (behind bool) {
	ends.Each(func(o kadm.ListedOffset) { behind = behind || r.next[o.Partition] < o.Offset })
	return behind
}
