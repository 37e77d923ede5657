package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// planTimeout bounds one try to find out what to read; LostAfter comes to it.
const planTimeout = time.Minute

// errorPause is how long a source rests after an error before it tries the same again.
const errorPause = time.Second

// Source reads topics. It implements gearcore.Source, Checkpointed, Committer, Timed and Holder.
type Source struct {
	opts    SourceOptions
	index   int
	tasks   int
	admin   *kgo.Client
	tracked bool // no checkpoints: records have ids
	phase   phase

	client *kgo.Client // fetches; nil where there is nothing to
	parts  map[string]map[int32]*partition
	all    []*partition
	queue  []run
	topics places // what the plan knows of the topics; the offsets are in parts
	unread places // of topics that former versions read, in task 0
	clock  gearcore.Watermark
	rest   time.Time // nothing is tried before

	flown   map[int64]*flown // by id
	ids     int64
	retry   retries
	figures Figures
	told    Figures // those that were told of as errors
	aloud   connect.Rarely
	timed   bool // somebody asks for event time

	work    sync.WaitGroup
	closing sync.WaitGroup     // of clients that are not used any more
	cancel  context.CancelFunc // ends work
	planned atomic.Pointer[planned]
	stale   atomic.Bool // the topics changed
	commits committer
}

// phase is what a source is at.
type phase int

const (
	resting  phase = iota // nothing was asked for yet
	planning              // work is done on a plan
	reading
)

// Figures are what a source counted.
type Figures struct {
	OutOfRange int64 // partitions whose next record was gone
	Lost       int64 // partitions that were gone
	GivenUp    int64 // records that failed too often
	TooFar     int64 // records whose time is not believed: SourceOptions.MaxAhead
}

// planned is the end of the work on a plan.
type planned struct {
	plan *plan
	err  error
}

var (
	_ gearcore.Source       = (*Source)(nil)
	_ gearcore.Checkpointed = (*Source)(nil)
	_ gearcore.Committer    = (*Source)(nil)
	_ gearcore.Timed        = (*Source)(nil)
	_ gearcore.Holder       = (*Source)(nil)
)

// NewSource returns one task's source.
func NewSource(o SourceOptions) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Source{opts: o.withDefaults(), flown: map[int64]*flown{}}, nil
}

// Sources returns what makes the sources of a component's tasks.
func Sources(o SourceOptions) func() (gearcore.Source, error) {
	return func() (gearcore.Source, error) { return NewSource(o) }
}

// Open implements gearcore.Source.
func (s *Source) Open(ctx *gearcore.Context, c *gearcore.Collector) (err error) {
	s.index, s.tasks = ctx.Index, len(ctx.Tasks)
	if s.admin, err = s.opts.Cluster.client(); err != nil {
		return fmt.Errorf("open the kafka source: %w", err)
	}
	s.commits.open(s.admin, s.opts.Group, c.Async())
	return nil
}

// Activate implements gearcore.Source. Without a checkpoint to go on from it begins to look for its partitions.
func (s *Source) Activate(*gearcore.Collector) {
	if s.phase == resting {
		s.tracked = true
		s.begin(places{})
	}
}

// Deactivate implements gearcore.Source.
func (s *Source) Deactivate(*gearcore.Collector) { s.commitDone() }

// Close implements gearcore.Source.
func (s *Source) Close() {
	s.commitDone()
	s.commits.close()
	s.stop()
	s.closing.Wait()
	if s.admin != nil {
		s.admin.Close()
	}
}

// Figures returns what was counted. It is for the executor's goroutine.
func (s *Source) Figures() Figures { return s.figures }

// begin starts to work on a plan that goes on from at. Nothing is emitted until it is there.
func (s *Source) begin(at places) {
	s.stop()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.phase = cancel, planning
	p := newPlanner(&s.opts, s.admin, s.index, s.tasks)
	s.work.Go(func() {
		try, done := context.WithTimeout(ctx, planTimeout+p.opts.LostAfter)
		defer done()
		made, err := p.make(try, at)
		s.planned.Store(&planned{made, err})
	})
}

// stop ends what goes on elsewhere, and forgets what was fetched.
func (s *Source) stop() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	s.work.Wait()
	s.planned.Store(nil)
	s.stale.Store(false)
	if s.client != nil {
		s.closing.Go(closer(s.client, s.parts))
		s.client = nil
	}
	s.queue = nil
	for _, p := range s.all {
		p.held = nil
	}
}

// closer returns what closes a client that fetches parts, which takes a while if Kafka does not answer. It gives the partitions
// back first: a client that learns of its brokers while it is closed would begin to fetch.
func closer(client *kgo.Client, parts map[string]map[int32]*partition) func() {
	all := map[string][]int32{}
	for topic, ps := range parts {
		all[topic] = slices.Collect(maps.Keys(ps))
	}
	return func() {
		client.RemoveConsumePartitions(all)
		client.Close()
	}
}

// install begins to fetch as planned and to look for changes.
func (s *Source) install(p *plan) error {
	old := s.parts
	s.topics, s.parts, s.all, s.phase = p.at, map[string]map[int32]*partition{}, nil, reading
	s.figures.OutOfRange += p.outOfRange
	s.figures.Lost += p.lost
	now := time.Now()
	from := map[string]map[int32]kgo.Offset{}
	for name, t := range p.at {
		s.parts[name] = map[int32]*partition{}
		if len(t.At) > 0 {
			from[name] = map[int32]kgo.Offset{}
		}
		for number, at := range t.At {
			part := old[name][number]
			if part == nil || part.at != at { // else what is under way of it goes on
				part = &partition{topic: name, number: number, at: at, since: now, flight: flight{next: at.Next}}
			}
			s.parts[name][number] = part
			s.all = append(s.all, part)
			from[name][number] = kgo.NewOffset().At(at.Next)
		}
	}
	if len(s.all) > 0 {
		client, err := s.opts.Cluster.client(append(s.opts.fetching(), kgo.ConsumePartitions(from))...)
		if err != nil {
			return err
		}
		s.client = client
	}
	s.watch()
	return nil
}

// watch looks for changes of the topics now and then.
func (s *Source) watch() {
	if s.cancel != nil {
		s.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	p := newPlanner(&s.opts, s.admin, s.index, s.tasks)
	known := s.topics
	s.work.Go(func() {
		tick := time.NewTicker(s.opts.PartitionsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if changed, err := p.changed(ctx, known); err == nil && changed {
				s.stale.Store(true)
				return
			}
		}
	})
}

// ready reports whether there is a plan that holds, and takes care that there will be one.
func (s *Source) ready() (bool, error) {
	switch s.phase {
	case reading:
		if !s.stale.Load() {
			return true, nil
		}
		s.begin(s.places())
	case planning:
		p := s.planned.Swap(nil)
		if p == nil {
			return false, nil
		}
		if p.err == nil {
			p.err = s.install(p.plan)
		}
		if p.err != nil {
			s.begin(s.places())
			return false, p.err
		}
		return true, nil
	}
	return false, nil
}

// places are where the source is now.
func (s *Source) places() places {
	out := places{}
	for name, t := range s.topics {
		out[name] = &topicPlace{ID: t.ID, Partitions: t.Partitions, At: map[int32]place{}}
		for number, p := range s.parts[name] {
			out[name].At[number] = p.at
		}
	}
	return out
}

// Freeze implements gearcore.Checkpointed.
func (s *Source) Freeze(epoch uint64) (gearcore.Frozen, error) {
	at := s.places()
	all := maps.Clone(at)
	maps.Copy(all, s.unread)
	data, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("freeze: %w", err)
	}
	s.commits.freeze(epoch, at)
	return connect.Bytes(data, at.String()), nil
}

// Commit implements gearcore.Committer: the group gets the offsets.
func (s *Source) Commit(epoch uint64) { s.commits.commit(epoch) }

// Restore implements gearcore.Checkpointed. It finds out where every partition begins that the checkpoint does not know, so that all later
// returns find the same.
func (s *Source) Restore(r *gearcore.Recovery) error {
	s.stop()
	s.commits.forget()
	s.index, s.tasks, s.tracked = r.Index, r.Tasks, false
	s.clock, s.rest, s.parts, s.all, s.topics, s.unread = 0, time.Time{}, nil, nil, nil, nil
	all := places{}
	for _, part := range r.Parts {
		was, err := placesOf(context.Background(), r.Vault, part.Part)
		if err != nil {
			return fmt.Errorf("restore the kafka source from the part of task %d: %w", part.Task, err)
		}
		all.merge(was)
	}
	if r.Index == 0 {
		s.unread = all.unread(s.opts.Topics)
	}
	ctx, cancel := context.WithTimeout(context.Background(), planTimeout+s.opts.LostAfter)
	defer cancel()
	p, err := newPlanner(&s.opts, s.admin, s.index, s.tasks).make(ctx, all)
	if err == nil {
		err = s.install(p)
	}
	if err != nil {
		return fmt.Errorf("restore the kafka source: %w", err)
	}
	return nil
}

// Watermark implements gearcore.Timed.
func (s *Source) Watermark() gearcore.Watermark {
	s.timed = true
	if s.topics == nil {
		return s.clock // it is not known yet what there is to read
	}
	quiet := len(s.queue) == 0 && (s.client == nil || s.client.BufferedFetchRecords() == 0)
	w := watermark(s.all, quiet, time.Now(), &s.opts)
	if w == gearcore.Idle {
		return w
	}
	s.clock = max(s.clock, w)
	return s.clock
}

// moved reports whether err means that the source has to find out anew where to read.
func moved(err error) bool {
	var loss *kgo.ErrDataLoss
	return errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) ||
		errors.As(err, &loss)
}
