package kafka

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
	"github.com/gearstorm/gearstorm/internal/kafkatest"
)

// level returns which version of a feature a cluster works by.
func level(t *testing.T, brokers []string, feature string) int16 {
	t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "gearstorm", "0"
	resp, err := req.RequestWith(t.Context(), client(t, brokers))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == feature {
			return f.MaxVersionLevel
		}
	}
	return 0
}

// Records are there once with version 1 of transactions as with version 2 (KIP-890), where each end of one bumps the producer's epoch.
func TestTransactionVersions(t *testing.T) {
	latest := realBroker(t)
	older := kafkatest.New(t, kafkatest.Config{Features: []string{"transaction.version=1"}})
	for version, b := range map[int16]*kafkatest.Broker{1: older, 2: latest} {
		brokers := []string{b.Addr()}
		if got := level(t, brokers, "transaction.version"); got != version {
			t.Fatalf("the cluster has version %d of transactions, want %d", got, version)
		}
		checkSink(t, brokers, uint64(200+version))
		topic := newTopic(t, brokers, 1)
		err := connecttest.Replaced(t, func(v gearcore.Vault, parts ...gearcore.TaskPart) (connecttest.TwoPhase, *connecttest.Executor) {
			return sinkOf(t, brokers, topic, v, parts...)
		}, "a")
		if !errors.Is(err, outbox.ErrFenced) {
			t.Errorf("version %d: error %v", version, err)
		}
		if got := newReader(t, brokers, topic).read(t); !slices.Equal(got, []string{"a"}) {
			t.Errorf("version %d: written %q", version, got)
		}
		checkRefresh(t, brokers)
	}
}

// checkRefresh has Kafka forget the number of a sink, as it does when nothing is published for a week, and hear it again.
func checkRefresh(t *testing.T, brokers []string) {
	t.Helper()
	topic, v := newTopic(t, brokers, 1), connecttest.NewVault()
	id := topic + "-0"
	s, e := sinkOf(t, brokers, topic, v)
	s.Execute(e.Tuple("a"), e.C)
	connecttest.Part(t, s, 1, v)
	s.Commit(1)
	for end := time.Now().Add(2 * time.Minute); s.box.Waiting() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	s.box.Close() // from here on nobody else uses its target
	i := s.target.ids[id]
	known := func(want uint64) {
		t.Helper()
		if n, known, err := s.target.marks.fetch(t.Context(), id); err != nil || n != want || known != (want > 0) {
			t.Fatalf("Kafka knows the number %d (%v), want %d: %v", n, known, want, err)
		}
	}
	for number := uint64(1); number < 4; number++ {
		known(number)
		if _, err := kadm.NewClient(client(t, brokers)).DeleteGroup(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		known(0)
		i.told = time.Time{}
		if err := s.target.Refresh(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		known(number)
		if err := i.client.BeginTransaction(); err != nil { // as in Publish
			t.Fatal(err)
		}
		if err := i.client.ProduceSync(t.Context(), kgo.StringRecord("b")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		pid, epoch, err := i.client.ProducerID(t.Context())
		if err == nil {
			err = s.target.marks.put(t.Context(), id, producer{pid, epoch}, number+1, 1)
		}
		if err == nil {
			err = i.client.EndTransaction(t.Context(), kgo.TryCommit)
		}
		if err != nil {
			t.Fatal(err)
		}
		i.tells(number+1, 1)
	}
	if got := newReader(t, brokers, topic).read(t); !slices.Equal(got, []string{"a", "b", "b", "b"}) {
		t.Errorf("written %q", got)
	}
}
