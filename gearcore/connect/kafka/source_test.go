package kafka

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// value returns the value of a record as emit sends it.
func value(vals []gearcore.Value) string { return vals[1].Text() }

// write produces records to a topic, their partitions by turns of the number of values.
func write(t testing.TB, c *kgo.Client, topic string, partitions int, values ...string) {
	t.Helper()
	for i, v := range values {
		r := &kgo.Record{Topic: topic, Value: []byte(v), Partition: int32(i % partitions), Timestamp: time.UnixMilli(1000 + int64(i))}
		if err := c.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func manual(t testing.TB, brokers []string) *kgo.Client {
	return client(t, brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// grow makes a topic have n partitions.
func grow(t testing.TB, brokers []string, topic string, n int) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, brokers)).UpdatePartitions(t.Context(), n, topic); err != nil {
		t.Fatal(err)
	}
}

func checkSource(t *testing.T, brokers []string, seed uint64) {
	topic, other := newTopic(t, brokers, 3), newTopic(t, brokers, 1)
	c := manual(t, brokers)
	n := 0
	connecttest.SourceTest{
		New: func(t testing.TB, _ int) (gearcore.Source, func()) {
			w := &connecttest.Wire{}
			s, err := NewSource(SourceOptions{Cluster: Cluster{Brokers: brokers, Opts: []kgo.Opt{kgo.Dialer(w.Dial), kgo.MetadataMinAge(50 * time.Millisecond)}},
				Topics: []string{topic, other}, Batch: 3, Group: topic, PartitionsEvery: 20 * time.Millisecond, Start: StartEarliest})
			if err != nil {
				t.Fatal(err)
			}
			return s, func() { w.Cut(); s.commits.loop.Stop(); s.Close() }
		},
		Produce: func(t testing.TB, text string) {
			if n++; n == 30 {
				grow(t, brokers, topic, 5)
				c = manual(t, brokers) // which knows them
			}
			r := &kgo.Record{Topic: topic, Value: []byte(text), Partition: int32(n % 3)}
			if n%4 == 0 {
				r.Topic, r.Partition = other, 0
			} else if n > 40 {
				r.Partition = int32(n % 5)
			}
			if err := c.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		},
		Text: value,
	}.Run(t, seed)
}

func TestSourceExactlyOnce(t *testing.T) {
	brokers := fake(t)
	for seed := range uint64(4) {
		checkSource(t, brokers, seed)
	}
}

func TestSourceExactlyOnceWithARealBroker(t *testing.T) {
	b := realBroker(t)
	for seed := range uint64(2) {
		checkSource(t, []string{b.Addr()}, 100+seed)
	}
}

// source is one under test, the only task.
type source struct {
	*Source
	e *connecttest.Executor
	t *testing.T
}

func open(t *testing.T, o SourceOptions) source {
	t.Helper()
	s, err := NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	e := connecttest.NewExecutor(0, 1)
	if err := s.Open(e.Context, e.C); err != nil {
		t.Fatal(err)
	}
	return source{s, e, t}
}

// restore goes on from parts.
func (s source) restore(parts ...gearcore.TaskPart) error {
	return s.Restore(&gearcore.Recovery{Parts: parts, Tasks: 1, Vault: connecttest.NewVault()})
}

// freeze makes a checkpoint.
func (s source) freeze(epoch uint64) gearcore.TaskPart {
	s.t.Helper()
	return connecttest.Part(s.t, s, epoch, connecttest.NewVault())
}

// await calls Next until n records were emitted since the last time or Next returned an error, and returns the values.
func (s source) await(n int) ([]string, error) {
	s.t.Helper()
	if err := s.wait(n); err != nil {
		return nil, err
	}
	var out []string
	for _, vals := range s.e.Emitted {
		out = append(out, value(vals))
	}
	s.e.Emitted, s.e.IDs = nil, nil
	return out, nil
}

func (s source) wait(n int) error {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); len(s.e.Emitted) < n; s.e.Run() {
		if err := s.Next(s.e.C); err != nil && !errors.Is(err, gearcore.ErrIdle) {
			return err
		}
		if time.Now().After(end) {
			s.t.Fatalf("%d of %d records were emitted; errors %v", len(s.e.Emitted), n, s.e.Errors)
		}
	}
	return nil
}

// must is await without an error.
func (s source) must(want ...string) {
	s.t.Helper()
	got, err := s.await(len(want))
	if err != nil {
		s.t.Fatal(err)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		s.t.Errorf("emitted %q, want %q", got, want)
	}
}

func commitOf(t *testing.T, brokers []string, group, topic string) (int64, bool) {
	t.Helper()
	o, err := kadm.NewClient(client(t, brokers)).FetchOffsets(t.Context(), group)
	if err != nil {
		return 0, false
	}
	at, ok := o.Lookup(topic, 0)
	return at.At, ok && at.Err == nil
}

// awaitCommit calls Next until the group is at want.
func (s source) awaitCommit(brokers []string, group, topic string, want int64) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; s.Next(s.e.C) {
		at, ok := commitOf(s.t, brokers, group, topic)
		if ok && at == want {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("the group is at %d (%v), not %d", at, ok, want)
		}
	}
}

func TestWhereASourceStarts(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	c := manual(t, brokers)
	write(t, c, topic, 1, "a", "b", "c")
	group := kadm.Offsets{}
	group.AddOffset(topic, 0, 1, -1)
	if err := kadm.NewClient(c).CommitAllOffsets(t.Context(), "committed", group); err != nil {
		t.Fatal(err)
	}
	late := time.UnixMilli(1002)
	for _, s := range []struct {
		start Start
		group string
		want  string
	}{
		{"", "", "a b c d"}, {"EARLIEST", "", "a b c d"}, {StartLatest, "", "d"}, {StartTimestamp, "", "c d"},
		{"", "committed", "b c d"}, {"", "other", "a b c d"}, {"UNCOMMITTED_LATEST", "other", "d"}, {StartGroupLatest, "committed", "b c d"},
		{StartGroupTimestamp, "other", "c d"},
	} {
		src := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Start: s.start, Group: s.group, StartTime: late})
		if err := src.restore(); err != nil {
			t.Fatal(err)
		}
		part := src.freeze(1) // where it began is settled before anything came
		write(t, c, topic, 1, "d")
		if err := src.restore(part); err != nil {
			t.Fatal(err)
		}
		src.must(strings.Fields(s.want)...)
		if at, err := kadm.NewClient(c).DeleteRecords(t.Context(), kadm.Offsets{}); err != nil || len(at) > 0 {
			t.Fatal(at, err)
		}
		topic = newTopic(t, brokers, 1)
		write(t, c, topic, 1, "a", "b", "c")
		group := kadm.Offsets{}
		group.AddOffset(topic, 0, 1, -1)
		if err := kadm.NewClient(c).CommitAllOffsets(t.Context(), "committed", group); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsThatAreGone(t *testing.T) {
	brokers := fake(t)
	for policy, want := range map[Policy]struct {
		values string
		err    error
		count  int64
	}{Fail: {"", ErrOutOfRange, 0}, Earliest: {"c d", nil, 1}, Latest: {"d", nil, 1}} {
		topic := newTopic(t, brokers, 1)
		c := manual(t, brokers)
		write(t, c, topic, 1, "a", "b", "c")
		o := SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, OutOfRange: policy}
		s := open(t, o)
		if err := s.restore(); err != nil {
			t.Fatal(err)
		}
		part := s.freeze(1)
		trim(t, c, topic, 2)
		err := s.restore(part)
		if !errors.Is(err, want.err) {
			t.Fatalf("%s: error %v", policy, err)
		}
		if err != nil {
			continue
		}
		write(t, c, topic, 1, "d")
		s.must(strings.Fields(want.values)...)
		if got := s.Figures().OutOfRange; got != want.count {
			t.Errorf("%s: %d counted", policy, got)
		}
		s.reported(ErrOutOfRange, string(policy))
	}
}

// reported checks that one error was reported, which is want and has the text.
func (s source) reported(want error, text string) {
	s.t.Helper()
	if len(s.e.Errors) != 1 || !errors.Is(s.e.Errors[0], want) || !strings.Contains(s.e.Errors[0].Error(), text) {
		s.t.Errorf("errors %v, want %v with %q", s.e.Errors, want, text)
	}
}

// The oldest records are deleted faster than a source reads.
func TestRecordsThatGoWhileASourceReads(t *testing.T) {
	brokers := fake(t)
	for policy, want := range map[Policy]error{Fail: ErrOutOfRange, Earliest: nil} {
		topic := newTopic(t, brokers, 1)
		c := manual(t, brokers)
		write(t, c, topic, 1, "a", "b", "c", "d", "e", "f", "g", "h")
		s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, OutOfRange: policy, PartitionBytes: 1})
		if err := s.restore(); err != nil {
			t.Fatal(err)
		}
		s.must("a")
		trim(t, c, topic, 6)
		var got []string
		var err error
		for err == nil && (len(got) == 0 || got[len(got)-1] != "h") {
			var more []string
			more, err = s.await(1)
			got = append(got, more...)
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v after %q", policy, err, got)
		}
		if want == nil && (s.Figures().OutOfRange != 1 || !slices.Contains(got, "g") || slices.Contains(got, "f")) {
			t.Errorf("%s: %q, %d counted", policy, got, s.Figures().OutOfRange)
		}
	}
}

// trim deletes the records of partition 0 before offset.
func trim(t *testing.T, c *kgo.Client, topic string, offset int64) {
	t.Helper()
	o := kadm.Offsets{}
	o.AddOffset(topic, 0, offset, -1)
	answer, err := kadm.NewClient(c).DeleteRecords(t.Context(), o)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A topic is deleted and made again, with as many partitions or fewer.
func TestTopicThatIsAnotherOne(t *testing.T) {
	brokers := fake(t)
	for _, partitions := range []int32{1, 3} {
		for policy, want := range map[Policy]error{Fail: ErrLost, Earliest: nil} {
			topic := newTopic(t, brokers, partitions)
			write(t, manual(t, brokers), topic, int(partitions), "a", "b", "c")
			s := open(t, losing(brokers, topic, policy))
			if err := s.restore(); err != nil {
				t.Fatal(err)
			}
			s.must("a", "b", "c")
			part := s.freeze(1)
			deleteTopic(t, brokers, topic)
			makeTopic(t, brokers, topic)
			write(t, manual(t, brokers), topic, 1, "x")
			got, err := s.await(1)
			if !errors.Is(err, want) || want == nil && !slices.Equal(got, []string{"x"}) {
				t.Errorf("%d partitions, %s: %q, error %v", partitions, policy, got, err)
			}
			if want == nil && s.Figures().Lost != int64(partitions) {
				t.Errorf("%d of %d partitions counted", s.Figures().Lost, partitions)
			}
			if want == nil {
				s.reported(ErrLost, fmt.Sprintf("%d in all", partitions))
			}
			// the same from a checkpoint, by another process
			next := open(t, losing(brokers, topic, policy))
			if err := next.restore(part); !errors.Is(err, want) {
				t.Errorf("%d partitions, %s: restored with error %v", partitions, policy, err)
			} else if want == nil {
				next.must("x")
			}
		}
	}
}

// A topic is gone for good, or for a while.
func TestTopicThatIsGone(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 2)
	write(t, manual(t, brokers), topic, 2, "a", "b")
	strict, patient := open(t, losing(brokers, topic, Fail)), open(t, losing(brokers, topic, Earliest))
	for _, s := range []source{strict, patient} {
		if err := s.restore(); err != nil {
			t.Fatal(err)
		}
		s.must("a", "b")
	}
	deleteTopic(t, brokers, topic)
	if _, err := strict.await(1); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), topic+"/") {
		t.Errorf("error %v, want one that names a partition of %s", err, topic)
	}
	for end := time.Now().Add(2 * time.Minute); patient.Figures().Lost < 2; patient.e.Run() {
		if err := patient.Next(patient.e.C); !errors.Is(err, gearcore.ErrIdle) {
			t.Fatalf("error %v", err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d partitions were counted as lost", patient.Figures().Lost)
		}
	}
	o := losing(brokers, topic, Earliest)
	o.Start = StartLatest // which is for topics that nothing was known of
	next := open(t, o)
	if err := next.restore(patient.freeze(1)); err != nil {
		t.Fatalf("restored while the topic is gone: %v", err)
	}
	makeTopic(t, brokers, topic)
	write(t, manual(t, brokers), topic, 1, "x")
	patient.must("x")
	next.must("x")
}

// A task that had none of the partitions does not go on with another topic of that name either.
func TestTopicThatIsAnotherOneForAll(t *testing.T) {
	p := &planner{opts: &SourceOptions{Lost: Fail}, index: 1, tasks: 2}
	out := &plan{at: places{"t": {ID: "new", Partitions: 2, At: map[int32]place{}}}}
	if err := p.topic(out, 0, "t", &topicPlace{ID: "old", Partitions: 1}, nil); !errors.Is(err, ErrLost) {
		t.Errorf("error %v", err)
	}
}

// losing are options of a source that finds out soon what is gone.
func losing(brokers []string, topic string, policy Policy) SourceOptions {
	return SourceOptions{Cluster: Cluster{Brokers: brokers, Opts: []kgo.Opt{kgo.MetadataMinAge(20 * time.Millisecond)}}, Topics: []string{topic},
		Lost: policy, LostAfter: 200 * time.Millisecond, PartitionsEvery: 10 * time.Millisecond}
}

func deleteTopic(t *testing.T, brokers []string, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, brokers)).DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
}

// makeTopic makes a topic of one partition.
func makeTopic(t *testing.T, brokers []string, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, brokers)).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

// A version with other topics keeps in mind how far those before were read: the next one that reads them goes on there.
func TestSourceWithOtherTopics(t *testing.T) {
	brokers := fake(t)
	a, b := newTopic(t, brokers, 1), newTopic(t, brokers, 1)
	c := manual(t, brokers)
	var parts []gearcore.TaskPart
	for i, step := range []struct{ topics, want []string }{
		{[]string{a, b}, []string{"a0", "b0"}}, {[]string{b}, []string{"b1"}}, {[]string{b}, []string{"b2"}}, {[]string{a, b}, []string{"a1", "a2", "a3", "b3"}},
	} {
		write(t, c, a, 1, fmt.Sprint("a", i))
		write(t, c, b, 1, fmt.Sprint("b", i))
		s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: step.topics})
		if err := s.restore(parts...); err != nil {
			t.Fatal(err)
		}
		s.must(step.want...)
		part := s.freeze(1)
		if at, err := Offsets(t.Context(), connecttest.NewVault(), part.Part); err != nil || len(at) != len(step.topics) {
			t.Errorf("its offsets are %v, it reads %v (%v)", at, step.topics, err)
		}
		parts = []gearcore.TaskPart{part}
	}
}

func TestUnreadTopicsAreBounded(t *testing.T) {
	at := map[int32]place{}
	for i := range int32(maxUnread) {
		at[i] = place{}
	}
	all := places{"a": {}, "large": {At: at}, "read": {}, "z": {}}
	if got := slices.Sorted(maps.Keys(all.unread([]string{"read"}))); !slices.Equal(got, []string{"a", "z"}) {
		t.Errorf("kept are %q", got)
	}
}

func TestNoSuchTopic(t *testing.T) {
	s := open(t, SourceOptions{Cluster: Cluster{Brokers: fake(t)}, Topics: []string{"missing"}})
	if err := s.restore(); !errors.Is(err, ErrNoTopic) {
		t.Errorf("error %v", err)
	}
}

func TestGroupGetsWhatCounts(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 1)
	write(t, manual(t, brokers), topic, 1, "a", "b", "c")
	s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Group: "lag"})
	if err := s.restore(); err != nil {
		t.Fatal(err)
	}
	s.must("a", "b", "c")
	part := s.freeze(1)
	if part.Note != topic+"/0@3" {
		t.Errorf("note %q", part.Note)
	}
	if at, err := Offsets(t.Context(), connecttest.NewVault(), part.Part); err != nil || len(at) != 1 || len(at[topic]) != 1 || at[topic][0] != 3 {
		t.Errorf("its offsets are %v (%v)", at, err)
	}
	if at, err := Offsets(t.Context(), connecttest.NewVault(), gearcore.Part{Inline: []byte("{")}); err == nil {
		t.Errorf("the offsets of a part that is none are %v", at)
	}
	if _, ok := commitOf(t, brokers, "lag", topic); ok {
		t.Error("committed before the checkpoint counts")
	}
	s.Commit(1)
	s.awaitCommit(brokers, "lag", topic, 3)
}

func TestOptionsRefused(t *testing.T) {
	ok := Cluster{Brokers: []string{"localhost:9092"}}
	for i, o := range []interface{ Validate() error }{
		SourceOptions{}, SourceOptions{Cluster: ok}, SourceOptions{Cluster: ok, Topics: []string{"a", "a"}},
		SourceOptions{Cluster: ok, Topics: []string{"a"}, Start: "middle"}, SourceOptions{Cluster: ok, Topics: []string{"a"}, Start: StartGroup},
		SourceOptions{Cluster: ok, Topics: []string{"a"}, Start: StartTimestamp}, SourceOptions{Cluster: ok, Topics: []string{"a"}, OutOfRange: "skip"},
		SourceOptions{Cluster: ok, Topics: []string{"a"}, MaxRetries: -1}, SourceOptions{Cluster: ok, Topics: []string{"a"}, Batch: -1},
		SinkOptions{}, SinkOptions{Cluster: ok}, SinkOptions{Cluster: ok, Topic: "a", Mode: "twice"},
		SinkOptions{Cluster: ok, Topic: "a", TransactionTimeout: time.Millisecond}, SinkOptions{Cluster: Cluster{Brokers: []string{""}}, Topic: "a"},
		SinkOptions{Cluster: ok, Topic: "a", MaxInFlight: -1},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%d is taken: %+v", i, o)
		}
	}
	if err := (SourceOptions{Cluster: ok, Topics: []string{"a"}, Start: "UNCOMMITTED_EARLIEST", Group: "g"}).Validate(); err != nil {
		t.Error(err)
	}
	// What the mode sets goes over the options of the cluster, where it is looked at too.
	ok.Opts = []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck())}
	if err := (SinkOptions{Cluster: ok, Topic: "a", Mode: Idempotent}).Validate(); err != nil {
		t.Error(err)
	}
	ok.Opts = []kgo.Opt{kgo.MaxProduceRequestsInflightPerBroker(7)}
	if err := (SinkOptions{Cluster: ok, Topic: "a", Mode: AtLeastOnce}).Validate(); err != nil {
		t.Error(err)
	}
}
