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
