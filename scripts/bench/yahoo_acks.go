package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
)

// yahooFlush is how often counts go to Redis while events come, as in Count.java.
const yahooFlush = 100 * time.Millisecond

// yahooAcks is the twin of what Main.java of the benchmark builds: every event is acked once it is counted in Redis.
func yahooAcks(b *storm.TopologyBuilder, w yahooWork) {
	source := kafka.SourceOptions{
		Cluster: kafka.Cluster{Brokers: []string{w.Kafka}}, Topics: []string{w.Topic}, MaxUncommitted: 100_000, PartitionsEvery: time.Hour,
		Emit: func(c *gearcore.Collector, id gearcore.Value, r *kgo.Record) { c.EmitID(id, r.Value) },
	}
	ads := storm.RecordOf[ad]()
	view := storm.RecordOf[seen]()
	b.SetSpout("ads", storm.SourceFactory(kafka.Sources(source)), w.Tasks).Fields("event")
	b.SetBolt("read", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		a, err := readAd(string(t.Bytes(0)))
		if err != nil {
			return fmt.Errorf("%w: %w", storm.ErrFailed, err)
		}
		ads.EmitAnchored(out.Collector(), t, a)
		return nil
	}), w.Tasks).LocalOrShuffleGrouping("ads").Fields(ads.Fields()...).NoRetain()
	b.SetBolt("filter", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		if t.String(4) == eventTypes[0] {
			out.Forward()
		}
		return nil
	}), w.Tasks).LocalOrShuffleGrouping("read").Fields(ads.Fields()...).NoRetain()
	b.SetBolt("project", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		out.Emit(t.String(2), t.String(5))
		return nil
	}), w.Tasks).LocalOrShuffleGrouping("filter").Fields("ad", "time").NoRetain()
	find := &campaignsOf{addr: w.Redis}
	b.SetBolt("join", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		campaign, err := find.of(t.String(0))
		if err != nil || campaign == "" {
			return err
		}
		view.EmitAnchored(out.Collector(), t, seen{campaign, t.String(1)})
		return nil
	}), w.Tasks).LocalOrShuffleGrouping("project").Fields(view.Fields()...).NoRetain()
	b.SetBolt("count", storm.BoltFactory(func() storm.Bolt { return &adCounter{addr: w.Redis} }), w.Tasks).
		FieldsGrouping("join", "campaign").TickEvery(time.Second)
}

// seen is a view of an advertisement of a campaign.
type seen struct{ Campaign, Time string }

// campaignsOf finds campaigns of advertisements in Redis, each once. It is safe for concurrent use.
type campaignsOf struct {
	addr   string
	once   sync.Once
	client *redis.Client
	known  sync.Map
}

func (f *campaignsOf) of(id string) (string, error) {
	if c, ok := f.known.Load(id); ok {
		return c.(string), nil
	}
	f.once.Do(func() { f.client = redis.NewClient(&redis.Options{Addr: f.addr}) })
	c, err := f.client.Get(context.Background(), "ad:"+id).Result()
	if err == redis.Nil {
		c, err = "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the campaign of %s: %w", id, err)
	}
	f.known.Store(string([]byte(id)), c)
	return c, nil
}

// adCounter counts views by campaign and window, adds what is new to Redis now and then, and acks what is in it. It is the twin of
// Count.java.
type adCounter struct {
	addr    string
	redis   *redis.Client
	fresh   map[seenIn]int64
	held    []storm.Tuple
	flushed time.Time
	calls   int
}

// seenIn is a window of a campaign.
type seenIn struct {
	campaign string
	begin    int64
}

func (b *adCounter) Prepare(*storm.Context, *storm.Collector) error {
	b.redis, b.fresh, b.flushed = redis.NewClient(&redis.Options{Addr: b.addr}), map[seenIn]int64{}, time.Now()
	return nil
}

func (b *adCounter) Execute(t storm.Tuple, c *storm.Collector) error {
	at, err := strconv.ParseInt(t.String(1), 10, 64)
	if err != nil {
		return err
	}
	b.fresh[seenIn{t.String(0), at / windowMs * windowMs}]++
	b.held = append(b.held, t)
	if b.calls++; b.calls%64 == 0 && time.Since(b.flushed) > yahooFlush {
		return b.flush(c)
	}
	return nil
}

// Tick implements storm.Ticker.
func (b *adCounter) Tick(c *storm.Collector) error { return b.flush(c) }

func (b *adCounter) flush(c *storm.Collector) error {
	b.flushed = time.Now()
	ctx, now := context.Background(), b.flushed.UnixMilli()
	p := b.redis.Pipeline()
	for w, n := range b.fresh {
		key := fmt.Sprintf("window:%s:%d", w.campaign, w.begin)
		p.HIncrBy(ctx, key, "seen", n)
		p.HSet(ctx, key, "updated", now)
	}
	if len(b.fresh) > 0 {
		if _, err := p.Exec(ctx); err != nil {
			return fmt.Errorf("count in Redis: %w", err)
		}
	}
	clear(b.fresh)
	for _, t := range b.held {
		c.Ack(t)
	}
	clear(b.held)
	b.held = b.held[:0]
	return nil
}

// Close implements storm.Closer.
func (b *adCounter) Close() { b.redis.Close() }
