package kafka

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
)

// begin activates a source without checkpoints.
func begin(t *testing.T, o SourceOptions) source {
	t.Helper()
	s := open(t, o)
	s.Activate(s.e.C)
	return s
}

// ids returns the ids of what was emitted since the last time, by value.
func (s source) ids(t *testing.T, n int) map[string]gearcore.Value {
	t.Helper()
	s.wait(n)
	out := map[string]gearcore.Value{}
	for i, vals := range s.e.Emitted {
		out[value(vals)] = s.e.IDs[i]
	}
	s.e.Emitted, s.e.IDs = nil, nil
	return out
}

func TestAckedRecordsAreCommitted(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	write(t, manual(t, brokers), topic, 1, "a", "b", "c", "d")
	o := SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Group: "g", CommitEvery: time.Millisecond}
	s := begin(t, o)
	ids := s.ids(t, 4)
	s.Ack(ids["b"], s.e.C)
	s.Ack(ids["a"], s.e.C)
	s.Ack(ids["d"], s.e.C) // c is missing
	s.awaitCommit(brokers, "g", topic, 2)
	s.Ack(ids["c"], s.e.C)
	s.Ack(ids["c"], s.e.C)
	s.Close()
	if at, _ := commitOf(t, brokers, "g", topic); at != 4 {
		t.Errorf("the group is at %d after the end", at)
	}
	write(t, manual(t, brokers), topic, 1, "e")
	next := begin(t, o)
	if ids := next.ids(t, 1); ids["e"].IsNull() {
		t.Errorf("the next one begins with %v", ids)
	}
}

func TestFailedRecordsComeAgain(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	write(t, manual(t, brokers), topic, 1, "a", "b")
	var given []string
	s := begin(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Group: "g", CommitEvery: time.Millisecond,
		RetryFirst: time.Millisecond, RetryMost: 2 * time.Millisecond, MaxRetries: 2,
		GiveUp: func(_ *gearcore.Collector, r *kgo.Record) { given = append(given, string(r.Value)) }})
	ids := s.ids(t, 2)
	s.Ack(ids["b"], s.e.C)
	for range 2 {
		s.Fail(ids["a"], s.e.C)
		if !s.Holding() {
			t.Error("nothing is held")
		}
		ids = s.ids(t, 1)
	}
	s.Fail(ids["a"], s.e.C)
	s.awaitCommit(brokers, "g", topic, 2)
	if !slices.Equal(given, []string{"a"}) || s.Figures().GivenUp != 1 || len(s.e.Errors) != 1 || s.Holding() {
		t.Errorf("given up %q, %+v, errors %v", given, s.Figures(), s.e.Errors)
	}
}

// A partition of which too much is under way leaves the other one alone.
func TestPartitionThatIsFull(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 2)
	c := manual(t, brokers)
	write(t, c, topic, 1, "a", "b", "c", "d", "e")
	s := begin(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, MaxUncommitted: 2})
	full := s.ids(t, 2)
	write(t, c, topic, 2, "f", "x", "g", "y", "h", "z")
	others := s.ids(t, 2)
	if others["x"].IsNull() || others["y"].IsNull() {
		t.Errorf("the other partition gave %v", others)
	}
	for _, ids := range []map[string]gearcore.Value{full, others} {
		for _, id := range ids {
			s.Ack(id, s.e.C)
		}
	}
	got := map[string]bool{}
	for range 7 {
		for v, id := range s.ids(t, 1) {
			if got[v] {
				t.Errorf("%q came twice", v)
			}
			got[v] = true
			s.Ack(id, s.e.C)
		}
		if len(got) == 7 {
			break
		}
	}
	if len(got) != 7 {
		t.Errorf("came %v", got)
	}
}

// What is under way when partitions are added is neither lost nor emitted again.
func TestNewPartitionsWhileRecordsAreUnderWay(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	write(t, manual(t, brokers), topic, 1, "a", "b")
	s := begin(t, SourceOptions{Cluster: Cluster{Brokers: brokers, Opts: []kgo.Opt{kgo.MetadataMinAge(20 * time.Millisecond)}}, Topics: []string{topic}, Group: "g",
		CommitEvery: time.Millisecond, PartitionsEvery: 10 * time.Millisecond})
	ids := s.ids(t, 2)
	grow(t, brokers, topic, 2)
	write(t, manual(t, brokers), topic, 2, "c", "d")
	more := s.ids(t, 2)
	if more["c"].IsNull() || more["d"].IsNull() {
		t.Errorf("came %v", more)
	}
	for _, v := range []string{"a", "b"} {
		s.Ack(ids[v], s.e.C)
	}
	s.Ack(more["c"], s.e.C)
	s.awaitCommit(brokers, "g", topic, 3)
}
