package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gearstorm/gearstorm/internal/pause"
)

const (
	sendStep   = 5 * time.Millisecond
	sendBatch  = 2000 // events at most in a request
	sendAhead  = 4    // requests for a partition that wait
	sendWait   = 10 * time.Second
	sendLate   = 2 * time.Second // the machine has no room for so many events
	batchBytes = 61              // of the head of a batch
)

// sender sends events at a rate, each as a record of its own, a batch for each partition every 5 ms. It writes the batches itself: a producer's
// work for each record would take a good part of what it measures.
type sender struct {
	client *kgo.Client
	broker *kgo.Broker
	topic  string
	id     [16]byte
	events *events
	queues []chan []byte
	done   sync.WaitGroup

	mu  sync.Mutex
	err error
}

func newSender(ctx context.Context, addr, topic string, partitions int, e *events) (*sender, error) {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MaxProduceRequestsInflightPerBroker(1))
	if err != nil {
		return nil, err
	}
	s := &sender{client: c, topic: topic, events: e}
	if err := s.find(ctx, partitions); err != nil {
		c.Close()
		return nil, err
	}
	for i := range partitions {
		q := make(chan []byte, sendAhead)
		s.queues = append(s.queues, q)
		s.done.Go(func() { s.pump(int32(i), q) }) // until close
	}
	return s, nil
}

// find waits until the broker knows the topic and all its partitions, a moment after it was made.
func (s *sender) find(ctx context.Context, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*sendWait)
	defer cancel()
	for {
		meta, err := kadm.NewClient(s.client).Metadata(ctx, s.topic)
		if err != nil {
			return err
		}
		t := meta.Topics[s.topic]
		if t.Err == nil && t.ID != (kadm.TopicID{}) && len(t.Partitions) == partitions && len(meta.Brokers) == 1 {
			s.broker, s.id = s.client.Broker(int(meta.Brokers[0].NodeID)), t.ID
			return nil
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("topic %s has %d of %d partitions on %d brokers: %w", s.topic, len(t.Partitions), partitions, len(meta.Brokers), errors.Join(err, t.Err))
		}
	}
}

// close waits for what is under way.
func (s *sender) close() error {
	for _, q := range s.queues {
		close(q)
	}
	s.done.Wait()
	s.client.Close()
	return s.failure()
}

func (s *sender) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// send sends events at a rate until a moment, and returns by how much the last ones were late. It gives up when that is too much.
func (s *sender) send(ctx context.Context, rate int, until time.Time, tooLate time.Duration) (late time.Duration, err error) {
	began, first := time.Now(), s.events.sent
	for {
		now := time.Now()
		end := min(now.Sub(began), until.Sub(began))
		due := int64(end.Seconds() * float64(rate))
		for s.events.sent-first < due {
			if err := s.batches(ctx, int(min(due-(s.events.sent-first), sendBatch*int64(len(s.queues))))); err != nil {
				return 0, err
			}
			if late = time.Since(now); late > tooLate {
				return late, nil
			}
		}
		if !now.Before(until) {
			return late, s.failure()
		}
		if err := pause.For(ctx, sendStep); err != nil {
			return 0, err
		}
	}
}

// batches sends n events, as many to each partition, and waits where requests have gathered.
func (s *sender) batches(ctx context.Context, n int) error {
	for i, q := range s.queues {
		share := n / len(s.queues)
		if i < n%len(s.queues) {
			share++
		}
		if share == 0 {
			continue
		}
		select {
		case q <- s.batch(share, time.Now()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s.failure()
}

// batch writes the next n events as a batch of records (version 2), with the time at which they are sent.
func (s *sender) batch(n int, now time.Time) []byte {
	buf := make([]byte, batchBytes, batchBytes+n*eventBuffer)
	var event [eventBuffer]byte
	for i := range n {
		value := s.events.next(event[:0], now)
		var head [2 * binary.MaxVarintLen64]byte
		h := append(head[:0], 0, 0)          // attributes, later than the batch by nothing
		h = binary.AppendVarint(h, int64(i)) // offset in the batch
		h = binary.AppendVarint(h, -1)       // no key
		h = binary.AppendVarint(h, int64(len(value)))
		buf = binary.AppendVarint(buf, int64(len(h)+len(value)+1))
		buf = append(append(append(buf, h...), value...), 0) // no headers
	}
	be := binary.BigEndian
	be.PutUint32(buf[8:], uint32(len(buf)-12)) // of what follows; the first offset is the broker's
	be.PutUint32(buf[12:], 1<<32-1)            // leader's epoch: any
	buf[16] = 2
	be.PutUint32(buf[23:], uint32(n-1))
	be.PutUint64(buf[27:], uint64(now.UnixMilli()))
	be.PutUint64(buf[35:], uint64(now.UnixMilli()))
	be.PutUint64(buf[43:], 1<<64-1) // no producer's id, epoch and number
	be.PutUint16(buf[51:], 1<<16-1)
	be.PutUint32(buf[53:], 1<<32-1)
	be.PutUint32(buf[57:], uint32(n))
	be.PutUint32(buf[17:], crc32.Checksum(buf[21:], castagnoli))
	return buf
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pump sends the batches of one partition, one after the other.
func (s *sender) pump(partition int32, batches <-chan []byte) {
	for b := range batches {
		if s.failure() != nil {
			continue
		}
		if err := s.produce(partition, b); err != nil {
			s.mu.Lock()
			s.err = errors.Join(s.err, fmt.Errorf("send events to partition %d: %w", partition, err))
			s.mu.Unlock()
		}
	}
}

// produce sends a batch, again where the broker cannot take it yet: a topic is known a moment before its partitions are.
func (s *sender) produce(partition int32, batch []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), sendWait)
	defer cancel()
	for {
		err := s.try(ctx, partition, batch)
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		if pause.For(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}

func (s *sender) try(ctx context.Context, partition int32, batch []byte) error {
	req := kmsg.NewProduceRequest()
	req.Acks, req.TimeoutMillis = 1, int32(sendWait.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = s.topic, s.id
	t.Partitions = []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch}}
	req.Topics = append(req.Topics, t)
	resp, err := s.broker.RetriableRequest(ctx, &req)
	if err != nil {
		return err
	}
	for _, t := range resp.(*kmsg.ProduceResponse).Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
