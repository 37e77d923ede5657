package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// retryPause is how long a request waits that a broker wants again later, and retryFor for how long that goes on until it is an error, of
// which somebody hears.
const (
	retryPause = 20 * time.Millisecond
	retryFor   = time.Minute
)

// marks are the offsets that remember what was published: of the identity's group, for partition 0 of a topic, the number of the newest
// batch. The group has no members.
type marks struct {
	client *kgo.Client
	topic  string
}

// producer is who a transaction belongs to.
type producer struct {
	id    int64
	epoch int16
}

// markVersions bounds the requests of marks to those that go by the names of topics and mean the same whether the cluster has
// version 2 of transactions (KIP-890) or not.
func markVersions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 7)
	v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
	v.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
	return v
}

func newMarks(c Cluster, topic string) (*marks, error) {
	client, err := c.client(kgo.MaxVersions(markVersions()))
	return &marks{client, topic}, err
}

// fetch returns an identity's number and whether there is one. It waits for the end of a transaction that is about to say so.
func (m *marks) fetch(ctx context.Context, id string) (number uint64, known bool, err error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = id, true
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = m.topic, []int32{0}
	req.Topics = append(req.Topics, topic)
	offset := int64(-1)
	err = retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
				offset = p.Offset
			}
		}
		return nil
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("fetch the offset of group %s: %w", id, err)
	}
	return uint64(max(offset, 0)), offset >= 0, nil
}

// put makes number part of the transaction that p has open, or begins one with it.
func (m *marks) put(ctx context.Context, id string, p producer, number, epoch uint64) error {
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.Group, add.ProducerID, add.ProducerEpoch = id, id, p.id, p.epoch
	err := retry(ctx, func() error {
		resp, err := add.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("add the group's offsets to the transaction: %w", err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = id, id, p.id, p.epoch, -1
	note := "epoch " + strconv.FormatUint(epoch, 10)
	part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	part.Offset, part.Metadata = int64(number), &note
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = m.topic, append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	err = retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("commit the group's offset in the transaction: %w", err)
	}
	return nil
}

// first remembers number 0, in a transaction of its own. It fails if another has claimed the identity since p did; afterwards p is
// not valid any more.
func (m *marks) first(ctx context.Context, id string, p producer, timeout time.Duration) error {
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionalID, init.TransactionTimeoutMillis = &id, int32(timeout.Milliseconds())
	init.ProducerID, init.ProducerEpoch = p.id, p.epoch
	err := retry(ctx, func() error {
		resp, err := init.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		p = producer{resp.ProducerID, resp.ProducerEpoch}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("claim the transactional id: %w", err)
	}
	return m.commit(ctx, id, p, 0, 0)
}

// commit remembers number, in a transaction of its own, or with what p has open.
func (m *marks) commit(ctx context.Context, id string, p producer, number, epoch uint64) error {
	if err := m.put(ctx, id, p, number, epoch); err != nil {
		return err
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = id, p.id, p.epoch, true
	err := retry(ctx, func() error {
		resp, err := end.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return fmt.Errorf("commit the transaction: %w", err)
	}
	return nil
}

// retry does a request again while a broker says that it may work later, which it says of a topic that was deleted, too.
func retry(ctx context.Context, f func() error) error {
	for end := time.Now().Add(retryFor); ; {
		err := f()
		if err == nil || time.Now().After(end) || !kerr.IsRetriable(err) && !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(retryPause):
		}
	}
}
