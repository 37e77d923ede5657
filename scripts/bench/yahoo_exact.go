package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// view is a view of an advertisement of a campaign, when it happened.
type view struct {
	Campaign string
	At       int64
}

// counted is how many views a campaign had in a window so far.
type counted = stream.Pane[string, int64]

// yahooExact is the benchmark in the typed API, with checkpoints: windows of event time, which say what they have every tenth of a
// second, and when late events come.
func yahooExact(w yahooWork) *stream.Topology {
	t := stream.New("yahoo").Set("gearstorm.checkpoint.interval.ms", 1000)
	source := kafka.SourceOptions{Cluster: kafka.Cluster{Brokers: []string{w.Kafka}}, Topics: []string{w.Topic}, PartitionsEvery: time.Hour}
	events := stream.FromSource(t, "ads", kafka.Sources(source), readEvent, stream.Parallelism(w.Tasks),
		stream.Times(func(e ad) time.Time { return time.UnixMilli(timeOf(e)) }, stream.Bounded(time.Second)))
	views := stream.Filter(events, "filter", func(e ad) bool { return e.Event == eventTypes[0] })
	find := &campaignsOf{addr: w.Redis}
	joined := stream.FlatMap(views, "join", func(e ad, emit func(view)) {
		if c, err := find.of(e.Ad); err == nil && c != "" {
			emit(view{c, timeOf(e)})
		}
	})
	byCampaign := stream.KeyBy(joined, "by-campaign", func(v view) string { return v.Campaign })
	windows := stream.Window(byCampaign, window.Tumbling(windowMs*time.Millisecond), stream.Accumulating(), stream.EarlyEvery(yahooFlush), stream.Lateness(2*lateMs*time.Millisecond))
	counts := stream.Count(windows, "count", stream.Parallelism(w.Tasks))
	// One task writes: with several, an older count of a window might be written after a newer one.
	stream.To(counts, "redis", stream.SinkFactory[counted](func() stream.Sink[counted] { return &redisCounts{addr: w.Redis} }), stream.Parallelism(1))
	return t
}

func timeOf(e ad) int64 {
	at, err := strconv.ParseInt(e.Time, 10, 64)
	if err != nil {
		return 0
	}
	return at
}

// readEvent reads the value of a record of Kafka, the second of its fields.
func readEvent(fields []gearcore.Value) (ad, time.Time, error) {
	a, err := readAd(fields[1].Str())
	return a, time.Time{}, err
}

// redisCounts writes the counts of windows to Redis as they are: writing one again changes nothing, and after a rollback what is
// counted again takes the place of what was. A window that is complete says its count once more; if that is what is there already, it is no news.
type redisCounts struct {
	addr    string
	redis   *redis.Client
	written map[seenIn]int64 // of windows that may change still
	newest  int64
}

func (s *redisCounts) Open(*gearcore.Context) error {
	s.redis, s.written = redis.NewClient(&redis.Options{Addr: s.addr}), map[seenIn]int64{}
	return nil
}

func (s *redisCounts) Write(p counted, _ time.Time) error {
	w := seenIn{p.Key, p.Start().UnixMilli()}
	if n, ok := s.written[w]; ok && n == p.Value {
		return nil
	}
	now := time.Now().UnixMilli()
	if err := s.redis.HSet(context.Background(), fmt.Sprintf("window:%s:%d", w.campaign, w.begin), "seen", p.Value, "updated", now).Err(); err != nil {
		return err
	}
	w.campaign = strings.Clone(w.campaign)
	s.written[w] = p.Value
	if w.begin > s.newest {
		s.newest = w.begin
		maps.DeleteFunc(s.written, func(w seenIn, _ int64) bool { return w.begin < s.newest-4*windowMs })
	}
	return nil
}

func (s *redisCounts) Close() { s.redis.Close() }
