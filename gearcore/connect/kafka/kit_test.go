package kafka

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/gearstorm/gearstorm/internal/kafkatest"
)

// shared is the real broker of all tests here, once one needed it.
var shared *kafkatest.Broker

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		shared.Stop()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// realBroker starts the real broker, or skips the test where there is none.
func realBroker(t *testing.T) *kafkatest.Broker {
	t.Helper()
	kafkatest.Need(t)
	if shared == nil {
		b, err := kafkatest.Start(t.Context(), kafkatest.Config{})
		if err != nil {
			t.Fatal(err)
		}
		shared = b
	}
	return shared
}

// fake starts a Kafka of one broker in this process.
func fake(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

var topics atomic.Int64

// newTopic makes a topic of that many partitions and returns its name.
func newTopic(t testing.TB, brokers []string, partitions int32) string {
	t.Helper()
	name := fmt.Sprintf("topic-%d", topics.Add(1))
	admin := kadm.NewClient(client(t, brokers))
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	for { // the broker knows it before it hosts it
		ends, err := admin.ListEndOffsets(t.Context(), name)
		if err == nil {
			err = ends.Error()
		}
		switch {
		case err == nil:
			return name
		case !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.LeaderNotAvailable) && !errors.Is(err, kerr.NotLeaderForPartition):
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// client makes a client that is closed at the end of the test.
func client(t testing.TB, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// reader reads the committed records of a topic, again and again, and keeps what it has.
type reader struct {
	client *kgo.Client
	admin  *kadm.Client
	topic  string
	values []string
	next   map[int32]int64
}

func newReader(t testing.TB, brokers []string, topic string) *reader {
	c := client(t, brokers, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(10*time.Millisecond),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	return &reader{client: c, admin: kadm.NewClient(c), topic: topic, next: map[int32]int64{}}
}

// read returns the values of all committed records that are there now.
func (r *reader) read(t testing.TB) []string {
	t.Helper()
	ends, err := r.admin.ListCommittedOffsets(t.Context(), r.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	for r.behind(ends) {
		fetches := r.client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			r.next[rec.Partition] = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				r.values = append(r.values, string(rec.Value))
			}
		})
	}
	return r.values
}

func (r *reader) behind(ends kadm.ListedOffsets) bool {
	behind := false
	ends.Each(func(o kadm.ListedOffset) { behind = behind || r.next[o.Partition] < o.Offset })
	return behind
}
