package kafka

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

func openSink(t *testing.T, o SinkOptions, fields ...string) (gearcore.Task, *connecttest.Executor) {
	t.Helper()
	task, err := NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(task.Close)
	e := connecttest.NewExecutor(0, 1, fields...)
	if err := task.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	return task, e
}

// settle runs what is posted until n tuples are acked or failed.
func settle(t *testing.T, e *connecttest.Executor, n int) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); len(e.Acked)+len(e.Failed) < n; e.Run() {
		if time.Now().After(end) {
			t.Fatalf("%d acked, %d failed of %d; errors %v", len(e.Acked), len(e.Failed), n, e.Errors)
		}
	}
}

func TestProducerAcksWhatKafkaHas(t *testing.T) {
	brokers := fake(t)
	for _, mode := range []Mode{Idempotent, AtLeastOnce} {
		topic := newTopic(t, brokers, 1)
		task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: brokers}, Topic: topic, Mode: mode, MaxInFlight: 3}, "key", "message")
		p := task.(*Producer)
		for _, v := range []string{"a", "b", "c"} {
			if err := p.Execute(e.Tuple("k", v), e.C); err != nil {
				t.Fatal(err)
			}
		}
		if !e.Paused || !p.Holding() {
			t.Errorf("%s: paused %v, holding %v", mode, e.Paused, p.Holding())
		}
		settle(t, e, 3)
		if e.Paused || p.Holding() || len(e.Acked) != 3 {
			t.Errorf("%s: paused %v, holding %v, %d acked", mode, e.Paused, p.Holding(), len(e.Acked))
		}
		if got := newReader(t, brokers, topic).read(t); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("%s: written %q", mode, got)
		}
		f, err := p.Freeze(1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Save(t.Context(), connecttest.NewVault()); err != nil {
			t.Error(err)
		}
	}
}

// A record that Kafka does not take fails its tuple and the checkpoint.
func TestProducerFails(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: brokers}, Topic: topic, Mode: Idempotent}, "message")
	p := task.(*Producer)
	p.Execute(e.Tuple(strings.Repeat("x", 2<<20)), e.C)
	settle(t, e, 1)
	if len(e.Failed) != 1 || len(e.Errors) != 1 {
		t.Errorf("%d failed, errors %v", len(e.Failed), e.Errors)
	}
	f, _ := p.Freeze(1)
	if _, err := f.Save(t.Context(), nil); !errors.Is(err, errNotWritten) {
		t.Errorf("save: %v", err)
	}
	p.Restore(nil)
	f, _ = p.Freeze(2)
	if _, err := f.Save(t.Context(), nil); err != nil {
		t.Errorf("save: %v", err)
	}
}

// What becomes of records from before a rollback is nobody's affair: what was posted of them is forgotten, as the engine does.
func TestProducerAfterARollback(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: brokers}, Topic: topic, Mode: Idempotent, MaxInFlight: 1}, "message")
	p := task.(*Producer)
	p.Execute(e.Tuple("before"), e.C)
	if err := p.client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Forget()
	e.Resume()
	p.Restore(nil)
	if p.Holding() {
		t.Error("it holds what the rollback undid")
	}
	late := p.life
	p.Restore(nil)
	late.lost.Add(1)
	p.settle(late, e.Tuple("late"), errors.New("not written"), e.C)
	p.Execute(e.Tuple("after"), e.C)
	if !e.Paused || !p.Holding() {
		t.Errorf("paused %v, holding %v", e.Paused, p.Holding())
	}
	settle(t, e, 1)
	if e.Paused || p.Holding() || len(e.Acked) != 1 || len(e.Errors) > 0 {
		t.Errorf("paused %v, holding %v, %d acked, errors %v", e.Paused, p.Holding(), len(e.Acked), e.Errors)
	}
	f, _ := p.Freeze(1)
	if _, err := f.Save(t.Context(), nil); err != nil {
		t.Errorf("save: %v", err)
	}
}

// A checkpoint waits for nothing that came after it.
func TestProducerSavesUnderLoad(t *testing.T) {
	task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: []string{"127.0.0.1:1"}}, Topic: "t", Mode: Idempotent}, "message")
	p := task.(*Producer)
	f, _ := p.Freeze(1)
	p.Execute(e.Tuple("after"), e.C) // as nobody is there this record waits for ever
	if _, err := f.Save(t.Context(), nil); err != nil || !p.Holding() {
		t.Errorf("save: %v, holding %v", err, p.Holding())
	}
}

func TestRecordOfATuple(t *testing.T) {
	for _, c := range []struct {
		fields     []string
		values     []any
		key, value string
	}{
		{[]string{"message", "key"}, []any{"v", "k"}, "k", "v"},
		{[]string{"message", "other"}, []any{"v", "k"}, "", "v"},
		{[]string{"a", "b", "c"}, []any{"x", 7, []byte("v")}, "7", "v"},
		{[]string{"a"}, []any{nil}, "", ""},
		{[]string{"a"}, []any{[]byte(nil)}, "", ""},
	} {
		e := connecttest.NewExecutor(0, 1, c.fields...)
		var r kgo.Record
		if err := recordOf(e.Tuple(c.values...), &r); err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != c.key || string(r.Value) != c.value || (c.values[0] == nil) != (r.Value == nil) {
			t.Errorf("%v: %q, %q", c.values, r.Key, r.Value)
		}
	}
	e := connecttest.NewExecutor(0, 1)
	if err := recordOf(e.Tuple(), &kgo.Record{}); !errors.Is(err, gearcore.ErrFailed) {
		t.Errorf("error %v", err)
	}
}
