package kafka

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/connecttest"
)

// Nobody's event time goes on without a source that does not know yet what it reads.
func TestWatermarkBeforeThePlan(t *testing.T) {
	s, err := NewSource(SourceOptions{Cluster: Cluster{Brokers: []string{"127.0.0.1:1"}}, Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if w := s.Watermark(); w != 0 {
		t.Errorf("watermark %d", w)
	}
	if err := s.install(&plan{at: places{}}); err != nil {
		t.Fatal(err)
	}
	if w := s.Watermark(); w != gearcore.Idle {
		t.Errorf("watermark %d of no partitions", w)
	}
}

// Event time does not follow a record from the future, which would make all others late. It is emitted, counted and told of, but not each time.
func TestRecordsFromTheFuture(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for name, c := range map[string]struct {
		ahead time.Duration
		at    int64
		want  gearcore.Watermark
		far   int64
	}{
		"within a day":      {0, now.UnixMilli() + 86_400_000, 1_700_086_400_000, 0},
		"after a day":       {0, now.UnixMilli() + 86_500_000, 1000, 3},
		"microseconds":      {0, now.UnixMicro(), 1000, 3},
		"within an hour":    {time.Hour, now.UnixMilli() + 3_600_000, 1_700_003_600_000, 0},
		"after an hour":     {time.Hour, now.UnixMilli() + 3_700_000, 1000, 3},
		"no bound":          {-1, gearcore.MaxTime, gearcore.Watermark(gearcore.MaxTime), 0},
		"no year like that": {-1, int64(gearcore.End), 1000, 3},
		"no time":           {0, -1, 1000, 0},
	} {
		emitted := 0
		s, err := NewSource(SourceOptions{Cluster: Cluster{Brokers: []string{"127.0.0.1:1"}}, Topics: []string{"t"}, MaxAhead: c.ahead,
			Emit: func(*gearcore.Collector, gearcore.Value, *kgo.Record) { emitted++ }})
		if err != nil {
			t.Fatal(err)
		}
		e, p := connecttest.NewExecutor(0, 1), &partition{topic: "t"}
		s.Watermark() // without event time it is no error
		for i, at := range []int64{1000, c.at, c.at, c.at} {
			s.one(e.C, p, &kgo.Record{Topic: "t", Offset: int64(i), Timestamp: time.UnixMilli(at)}, now.Add(time.Duration(i)*20*time.Second))
		}
		if got := watermark([]*partition{p}, false, now, &s.opts); got != c.want || emitted != 4 || p.at.Next != 4 {
			t.Errorf("%s: watermark %d, want %d; %d emitted, at %d", name, got, c.want, emitted, p.at.Next)
		}
		if s.Figures().TooFar != c.far || len(e.Errors) != int(min(c.far, 1)) {
			t.Errorf("%s: %d counted, want %d; errors %v", name, s.Figures().TooFar, c.far, e.Errors)
		}
		if idle := watermark([]*partition{p}, true, now.Add(time.Minute), &s.opts) == gearcore.Idle; idle != (c.far > 0) {
			t.Errorf("%s: after a minute idle %v", name, idle)
		}
		s.Close()
	}
}

func TestWatermarkOfPartitions(t *testing.T) {
	at := func(newest int64, since time.Duration) *partition {
		return &partition{at: place{Newest: newest}, since: time.Unix(100, 0).Add(-since)}
	}
	o := (SourceOptions{Lateness: 10 * time.Millisecond}).withDefaults()
	for name, c := range map[string]struct {
		parts []*partition
		quiet bool
		want  gearcore.Watermark
	}{
		"none":                    {nil, true, gearcore.Idle},
		"the lowest":              {[]*partition{at(500, 0), at(400, 0)}, true, 390},
		"one unknown":             {[]*partition{at(500, 0), at(0, 0)}, true, 0},
		"one idle":                {[]*partition{at(500, 0), at(400, time.Minute)}, true, 490},
		"one that is behind":      {[]*partition{at(500, 0), at(400, time.Minute)}, false, 390},
		"one that never gave any": {[]*partition{at(500, 0), at(0, time.Minute)}, true, 490},
		"all idle":                {[]*partition{at(500, time.Hour)}, true, gearcore.Idle},
	} {
		if got := watermark(c.parts, c.quiet, time.Unix(100, 0), &o); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Partitions are added, and one task has heard of it at the checkpoint and the other not yet. What is new is read from its beginning all the same.
func TestPartitionsThatOneTaskKnows(t *testing.T) {
	brokers := fake(t)
	topic := newTopic(t, brokers, 4)
	s := open(t, SourceOptions{Cluster: Cluster{Brokers: brokers}, Topics: []string{topic}, Start: StartLatest})
	if err := s.restore(); err != nil {
		t.Fatal(err)
	}
	write(t, manual(t, brokers), topic, 4, "0", "1", "2", "3")
	id := s.topics[topic].ID
	part := func(partitions int32, at ...int32) gearcore.TaskPart {
		p := places{topic: {ID: id, Partitions: partitions, At: map[int32]place{}}}
		for _, number := range at {
			p[topic].At[number] = place{}
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return gearcore.TaskPart{Part: gearcore.Part{Inline: data}}
	}
	for _, parts := range [][]gearcore.TaskPart{{part(4, 0, 2), part(2, 1)}, {part(2, 0), part(4, 1, 3)}, {part(2, 0), part(2, 1)}} {
		if err := s.restore(parts...); err != nil {
			t.Fatal(err)
		}
		s.must("0", "1", "2", "3")
	}
}
