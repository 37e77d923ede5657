package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/compat/conf"
)

// How long the parts of a rung of the ladder take.
const (
	yahooWarm  = 20 * time.Second // a JVM is fast only then
	yahooTime  = 31 * time.Second // measured: some windows from end to end
	yahooDrain = 15 * time.Second // at most, until everything is counted
	yahooP99   = time.Second      // the goal, and what the ladder looks for
	yahooStep  = 5 * time.Millisecond
)

// yahooSystem is one who is measured.
type yahooSystem struct {
	name   string
	start  func(ctx context.Context, name string, w yahooWork) error
	stop   func(ctx context.Context) error
	errors func() string
}

// yahooWork is what a topology works with, and how it is told (configuration key "yahoo" in Java).
type yahooWork struct {
	Kafka string `json:"kafka"`
	Topic string `json:"topic"`
	Redis string `json:"redis"`
	Tasks int    `json:"tasks"`
}

// rung is what a rate gave.
type rung struct {
	rate          int
	p50, p99, max time.Duration
	windows       int
	wrong         int           // windows with another count than the sequential computation
	behind        time.Duration // until everything was counted
	sent          int64
	failed        string
	first         string // of the wrong windows
}

// sustained says whether the system kept up.
func (r *rung) sustained() bool {
	return r.failed == "" && r.wrong == 0 && r.p99 <= yahooP99
}

func (r *rung) String() string {
	if r.failed != "" {
		return r.failed
	}
	return fmt.Sprintf("p50=%v p99=%v max=%v windows=%d wrong=%d behind=%v events=%d", r.p50, r.p99, r.max, r.windows, r.wrong, r.behind.Round(10*time.Millisecond), r.sent)
}

// climb doubles the rate from the first one on until a system does not keep up, then looks twice in between. It returns the
// highest rate that it kept up with.
func climb(ctx context.Context, s *services, sys yahooSystem, first, tasks int, out io.Writer) (best *rung, err error) {
	low, high := 0, 0
	for rate := first; high == 0 || high*4 > low*5; {
		r, err := s.measure(ctx, sys, rate, tasks)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "yahoo %s rate=%d %v\n", sys.name, rate, r)
		if r.sustained() {
			low, best = rate, r
		} else {
			high = rate
		}
		switch {
		case high == 0:
			rate *= 2
		case low == 0:
			return nil, nil
		default:
			rate = (low + high) / 2
		}
	}
	return best, nil
}

// measure runs a system at a rate.
func (s *services) measure(ctx context.Context, sys yahooSystem, rate, tasks int) (r *rung, err error) {
	topic := fmt.Sprintf("ads-%s-%d-%d", sys.name, rate, time.Now().UnixMilli())
	if err := s.prepare(ctx, topic, tasks); err != nil {
		return nil, err
	}
	if err := sys.start(ctx, topic, yahooWork{Kafka: s.kafka.Addr(), Topic: topic, Redis: s.redis.Addr(), Tasks: tasks}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sys.stop(ctx), s.drop(ctx, topic)) }()
	r = &rung{rate: rate}
	e := newEvents(uint64(rate))
	c, err := s.producer(topic)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := s.wake(ctx, c, e, tasks); err != nil {
		return nil, fmt.Errorf("%w: %s", err, sys.errors())
	}
	began := time.Now()
	if late, err := send(ctx, c, e, rate, tasks); err != nil {
		return nil, err
	} else if late > time.Second {
		r.failed = fmt.Sprintf("events were sent %v too late", late)
		return r, nil
	}
	r.sent = e.sent
	ended := time.Now()
	got, err := s.settle(ctx, e)
	if err != nil {
		return nil, err
	}
	r.behind = time.Since(ended)
	r.judge(e, got, began.Add(yahooWarm).UnixMilli(), ended.UnixMilli())
	if r.wrong > 0 {
		r.failed = fmt.Sprintf("%v;%s %s", r, r.first, sys.errors())
	}
	return r, nil
}

func (s *services) producer(topic string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(s.kafka.Addr()), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(yahooStep), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(200_000))
}

// wake sends an event now and then until the first one was counted: then the topology runs.
func (s *services) wake(ctx context.Context, c *kgo.Client, e *events, partitions int) error {
	for end := time.Now().Add(startLimit); ; {
		r := &kgo.Record{Value: e.next(nil, time.Now()), Partition: int32(e.sent % int64(partitions))}
		if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
		got, err := s.outcomes(ctx)
		if err != nil || len(got) > 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("nothing was counted within %v", startLimit)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// send sends events at a rate and returns by how much the last ones were late.
func send(ctx context.Context, c *kgo.Client, e *events, rate, partitions int) (late time.Duration, err error) {
	var failed error
	first := e.sent
	total := int64(float64(rate) * (yahooWarm + yahooTime).Seconds())
	began := time.Now()
	for e.sent-first < total {
		now := time.Now()
		due := int64(now.Sub(began).Seconds() * float64(rate))
		for e.sent-first < min(due, total) {
			r := &kgo.Record{Value: e.next(make([]byte, 0, eventBuffer), now), Partition: int32(e.sent % int64(partitions))}
			c.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil {
					failed = err
				}
			})
		}
		if err := pause(ctx, yahooStep); err != nil {
			return 0, err
		}
	}
	late = time.Since(began) - yahooWarm - yahooTime
	return late, errors.Join(c.Flush(ctx), failed)
}

// settle waits until all views are counted, or for as long as it is given.
func (s *services) settle(ctx context.Context, e *events) (map[adWindow]outcome, error) {
	var want int64
	for _, n := range e.views {
		want += n
	}
	for end := time.Now().Add(yahooDrain); ; {
		got, err := s.outcomes(ctx)
		if err != nil {
			return nil, err
		}
		var sum int64
		for _, o := range got {
			sum += o.seen
		}
		if sum >= want || time.Now().After(end) {
			return got, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// judge compares what came out with the sequential computation, and takes the latency of the windows that ended between two
// times: from when the last of a window's views was sent until it was counted.
func (r *rung) judge(e *events, got map[adWindow]outcome, from, to int64) {
	var took []time.Duration
	for w, n := range e.views {
		o := got[w]
		if o.seen != n {
			if r.wrong++; r.wrong <= 3 {
				r.first += fmt.Sprintf(" campaign %d at %+v: %d, not %d;", w.campaign, time.Duration(w.begin-from)*time.Millisecond, o.seen, n)
			}
		}
		if w.begin >= from && w.begin+windowMs <= to {
			took = append(took, time.Duration(o.updated-e.last[w])*time.Millisecond)
		}
	}
	for w := range got {
		if e.views[w] == 0 {
			r.wrong++
		}
	}
	slices.Sort(took)
	r.windows = len(took)
	if len(took) > 0 {
		r.p50, r.p99, r.max = took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
	}
}

// yahooOn is the benchmark in Java, on the real Storm or on gearstorm.
func yahooOn(name, jar string, sys system, j javaClient, at func(conf.Conf) conf.Conf) yahooSystem {
	return yahooSystem{name: name, stop: sys.kill, errors: sys.said, start: func(ctx context.Context, topology string, w yahooWork) error {
		c := conf.Conf{"topology.workers": 1, "topology.acker.executors": w.Tasks, "topology.max.spout.pending": 20_000}
		maps.Copy(c, tuned)
		c["yahoo"] = w
		return j.submit(ctx, jar, "yahoo.Main", topology, at(c))
	}}
}

// yahooIn is the benchmark in Go.
func yahooIn(name, kind string, our *ours) yahooSystem {
	return yahooSystem{name: name, stop: our.kill, errors: our.said, start: func(ctx context.Context, topology string, w yahooWork) error {
		c := conf.Conf{"topology.workers": 1, "topology.acker.executors": w.Tasks}
		return our.submit(ctx, topology, shape{Kind: kind, Yahoo: &w}, c)
	}}
}

// runYahoo measures all systems and prints a line for each rung, and one with the ratio.
func runYahoo(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseYahoo(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "yahoo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startServices(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	options, err := setUpJava(ctx, o.gearstorm, o.storm, dir)
	if err != nil {
		return err
	}
	storm, err := startTheirs(ctx, o.storm, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, storm.stop()) }()
	our, err := startOurs(ctx, o.gearstorm, dir, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, our.stop()) }()
	jar := &ownJar{our, o.storm}
	same := func(c conf.Conf) conf.Conf { return c }
	for _, sys := range []yahooSystem{
		yahooOn("storm", o.jar, storm, storm.client(), same),
		yahooOn("gearstorm-java", o.jar, jar, jar.client(), jar.at),
		yahooIn("gearstorm", kindYahoo, our),
		yahooIn("gearstorm-exact", kindYahooExact, our),
	} {
		if !o.only.MatchString(sys.name) {
			continue
		}
		best, err := climb(ctx, s, sys, o.rate, o.tasks, out)
		if err != nil {
			return fmt.Errorf("yahoo %s: %w", sys.name, err)
		}
		if best != nil {
			fmt.Fprintf(out, "yahoo-%s %d events/s p99=%v\n", sys.name, best.rate, best.p99)
		}
	}
	return nil
}

type yahooOptions struct {
	gearstorm, storm, jar string
	only                  *regexp.Regexp
	rate, tasks           int
}

func parseYahoo(args []string) (o yahooOptions, err error) {
	fs := flag.NewFlagSet("bench yahoo", flag.ContinueOnError)
	fs.StringVar(&o.gearstorm, "gearstorm", "bin/gearstorm", "the gearstorm `binary` to measure")
	fs.StringVar(&o.storm, "storm", ".tools/storm-cluster", "the `folder` with the real Storm")
	fs.StringVar(&o.jar, "jar", ".tools/yahoo/build/yahoo.jar", "the benchmark in Java")
	fs.IntVar(&o.rate, "rate", 20_000, "events a second to begin with")
	fs.IntVar(&o.tasks, "tasks", 2, "tasks of each component, and partitions of the topic")
	only := fs.String("only", "", "measure the systems that match this `regexp`")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}
