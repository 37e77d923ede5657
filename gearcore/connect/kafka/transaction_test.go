package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// transact writes a value in a transaction of its own.
func transact(t *testing.T, brokers []string, topic, value string) {
	t.Helper()
	c := client(t, brokers, kgo.TransactionalID(topic))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
}

// passes has s come to an offset of partition 0.
func (s source) passes(topic string, next int64) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); s.places()[topic].At[0].Next < next; s.Next(s.e.C) {
		if time.Now().After(end) {
			s.t.Fatalf("it does not come to offset %d", next)
		}
	}
}

// The end of a transaction is no sign of life of a partition, or one with aborted ones alone would keep back event time for ever.
func TestEndOfATransactionIsNoEvent(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	transact(t, brokers, topic, "a")
	s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Batch: 1})
	if err := s.restore(); err != nil {
		t.Fatal(err)
	}
	s.passes(topic, 1)
	since := s.all[0].since.Add(-time.Hour)
	s.all[0].since = since
	s.passes(topic, 2)
	if got := s.all[0].since; !got.Equal(since) {
		t.Errorf("the partition gave something %v later", got.Sub(since))
	}
}

// Where a topic ends with the end of a transaction, and all of it was read and then deleted, nothing is gone.
func TestNothingIsGoneBehindATransaction(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	transact(t, brokers, topic, "a")
	s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Group: "g"})
	if err := s.restore(); err != nil {
		t.Fatal(err)
	}
	s.must("a")
	s.passes(topic, 2)
	part := s.freeze(1)
	trim(t, client(t, brokers), topic, 2)
	if err := s.restore(part); err != nil {
		t.Fatal(err)
	}
	transact(t, brokers, topic, "b")
	s.must("b")
}

// The offset that is committed passes the end of a transaction when all before it is acked.
func TestCommitBehindATransaction(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	transact(t, brokers, topic, "a")
	transact(t, brokers, topic, "b")
	s := begin(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Group: "g", CommitEvery: time.Millisecond})
	ids := s.ids(t, 2)
	s.Ack(ids["b"], s.e.C)
	s.awaitCommit(brokers, "g", topic, 0)
	s.Ack(ids["a"], s.e.C)
	s.awaitCommit(brokers, "g", topic, 4)
}
