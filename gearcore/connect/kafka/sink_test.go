package kafka

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// closeTimeout is short: half of the ends in these tests are the process's, of which nothing comes any more.
const closeTimeout = 20 * time.Millisecond

func checkSink(t *testing.T, brokers []string, seed uint64) {
	topic := newTopic(t, brokers, 2)
	r := newReader(t, brokers, topic)
	connecttest.SinkTest{
		New: func(t testing.TB, _ int) (gearcore.Task, func()) {
			w := &connecttest.Wire{}
			task, err := NewSink(SinkOptions{Cluster: Cluster{Brokers: brokers, Opts: []kgo.Opt{kgo.Dialer(w.Dial)}}, Topic: topic, ID: topic,
				Outbox: outbox.Options{Dir: t.TempDir(), MemoryBytes: 40, CloseTimeout: closeTimeout}})
			if err != nil {
				t.Fatal(err)
			}
			return task, func() { w.Cut(); task.Close() }
		},
		Visible: func(t testing.TB) []string { return slices.Clone(r.read(t)) },
		Steps:   60,
	}.Run(t, seed)
}

func TestSinkExactlyOnce(t *testing.T) {
	brokers := fake(t)
	for seed := range uint64(5) {
		checkSink(t, brokers, seed)
	}
}

func TestSinkExactlyOnceWithARealBroker(t *testing.T) {
	b := realBroker(t)
	for seed := range uint64(3) {
		checkSink(t, []string{b.Addr()}, 100+seed)
	}
}

func TestRecordsInTheOutbox(t *testing.T) {
	for _, r := range []*kgo.Record{
		{},
		{Key: []byte{}, Value: []byte{}},
		{Topic: "t", Key: []byte("k"), Value: []byte("v"), Partition: 7, Timestamp: time.UnixMilli(1234)},
		{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("b")}, {Key: "", Value: nil}}},
	} {
		b := appendRecord(nil, r)
		got, err := parseRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v", r, got)
		}
		for n := range len(b) {
			if _, err := parseRecord(b[:n]); err == nil {
				t.Errorf("%d of %d bytes are taken for a record", n, len(b))
			}
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(appendRecord(nil, &kgo.Record{Topic: "t", Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "a"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRecord(b); err == nil {
			if _, err := parseRecord(appendRecord(nil, r)); err != nil {
				t.Error(err)
			}
		}
	})
}

// A record that no batch of the client holds is refused; once it were part of a checkpoint that could never be published. The largest one that is taken
// is published.
func TestRecordThatNoBatchHolds(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: brokers, Opts: []kgo.Opt{kgo.ProducerBatchMaxBytes(10_000)}}, Topic: topic, ID: topic}, "message")
	s, v := task.(*Sink), connecttest.NewVault()
	if err := connecttest.Restore(s, v); err != nil {
		t.Fatal(err)
	}
	length := func(n int) int { return len(appendRecord(nil, &kgo.Record{Value: make([]byte, n)})) }
	n := s.most - length(s.most) + s.most
	if err := s.Execute(e.Tuple(make([]byte, n+1)), e.C); err == nil {
		t.Errorf("a record of %d bytes is taken", length(n+1))
	}
	if err := s.Execute(e.Tuple(make([]byte, n)), e.C); err != nil || length(n) != s.most {
		t.Errorf("a record of %d bytes: %v", length(n), err)
	}
	connecttest.Part(t, s, 1, v)
	s.Commit(1)
	for end := time.Now().Add(2 * time.Minute); s.box.Waiting() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			e.Run()
			t.Fatalf("it is not published: %v", e.Errors)
		}
	}
	if got := newReader(t, brokers, topic).read(t); len(got) != 1 || len(got[0]) != n {
		t.Errorf("%d records", len(got))
	}
}

func TestBatchesHoldRecords(t *testing.T) {
	for _, c := range []struct {
		props map[string]string
		want  int32
	}{
		{nil, usualBatch}, {map[string]string{"batch.size": "16384"}, int32(batchOf(900_000))},
		{map[string]string{"batch.size": "16384", "max.request.size": "1000"}, 16384},
		{map[string]string{"batch.size": "16384", "max.request.size": "5000000"}, usualBatch},
		{map[string]string{"batch.size": "6000000", "max.request.size": "5000000"}, 6_000_000},
	} {
		o, err := SinkProperties(c.props)
		if err != nil {
			t.Fatal(err)
		}
		o.Cluster.Brokers = []string{"a:1"}
		client, err := o.Cluster.client()
		if err != nil {
			t.Fatal(err)
		}
		if got := client.OptValue(kgo.ProducerBatchMaxBytes); got != c.want {
			t.Errorf("%v: batches of %v bytes, want %d", c.props, got, c.want)
		}
		client.Close()
	}
}
