package kafka

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
	"github.com/gearstorm/gearstorm/gearcore/connect/outbox"
)

// sinkOf is a sink of one task, restored from parts.
func sinkOf(t *testing.T, brokers []string, topic string, v gearcore.Vault, parts ...gearcore.TaskPart) (*Sink, *connecttest.Executor) {
	t.Helper()
	task, e := openSink(t, SinkOptions{Cluster: Cluster{Brokers: brokers}, Topic: topic, ID: topic}, "message")
	s := task.(*Sink)
	if err := connecttest.Restore(s, v, parts...); err != nil {
		t.Fatal(err)
	}
	return s, e
}

// A task that was replaced and hears of its checkpoint late publishes nothing.
func TestReplacedSinkIsFenced(t *testing.T) {
	b := realBroker(t)
	for name, brokers := range map[string][]string{"fake": fake(t), "real": {b.Addr()}} {
		topic := newTopic(t, brokers, 1)
		err := connecttest.Replaced(t, func(v gearcore.Vault, parts ...gearcore.TaskPart) (connecttest.TwoPhase, *connecttest.Executor) {
			return sinkOf(t, brokers, topic, v, parts...)
		}, "a")
		if !errors.Is(err, outbox.ErrFenced) {
			t.Errorf("%s: error %v", name, err)
		}
		if got := newReader(t, brokers, topic).read(t); !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s: written %q", name, got)
		}
	}
}

// The broker is killed while epochs are published, and comes back.
func TestBrokerThatIsAway(t *testing.T) {
	b := realBroker(t)
	brokers := []string{b.Addr()}
	topic, v := newTopic(t, brokers, 2), connecttest.NewVault()
	s, e := sinkOf(t, brokers, topic, v)
	want := []string{}
	var part gearcore.TaskPart
	for epoch := range uint64(6) {
		for i := range 50 {
			value := string(rune('a'+epoch)) + string(rune('0'+i))
			want = append(want, value)
			if err := s.Execute(e.Tuple(value), e.C); err != nil {
				t.Fatal(err)
			}
		}
		part = connecttest.Part(t, s, epoch+1, v)
		s.Commit(epoch + 1)
		if epoch == 2 {
			b.Kill()
		}
	}
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); s.box.Waiting() > 0; time.Sleep(time.Millisecond) {
		if _, err := s.Freeze(7); err != nil { // Kafka took its place away: the coordinator returns to the checkpoint
			t.Logf("restored after %v", err)
			if err := s.Restore(&gearcore.Recovery{Epoch: 6, Parts: []gearcore.TaskPart{part}, Tasks: 1, Vault: v}); err != nil {
				t.Fatal(err)
			}
		}
		if time.Now().After(end) {
			e.Run()
			t.Fatalf("%d batches wait; errors %v", s.box.Waiting(), e.Errors)
		}
	}
	got := slices.Clone(newReader(t, brokers, topic).read(t))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}
