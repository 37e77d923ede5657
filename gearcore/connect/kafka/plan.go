package kafka

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Errors of a source.
var (
	ErrNoTopic    = errors.New("there is no such topic")
	ErrOutOfRange = errors.New("the record to go on with is gone")
	ErrLost       = errors.New("a partition that was read is gone")
)

// planner finds out which partitions are a task's and where to read them.
type planner struct {
	opts   *SourceOptions
	admin  *kadm.Client
	index  int
	tasks  int
	topics []string // sorted
}

// plan is what a source reads from where.
type plan struct {
	at         places // with an offset for each partition of the task
	outOfRange int64  // partitions that were moved for that
	lost       int64
}

func newPlanner(o *SourceOptions, client *kgo.Client, index, tasks int) *planner {
	return &planner{opts: o, admin: kadm.NewClient(client), index: index, tasks: tasks, topics: slices.Sorted(slices.Values(o.Topics))}
}

// mine reports whether a partition of the i-th topic is this task's.
func (p *planner) mine(i int, partition int32) bool { return (int(partition)+i)%p.tasks == p.index }

// metadata returns what there is of the topics: all positions are without offsets. A topic that is not there is left out.
func (p *planner) metadata(ctx context.Context) (places, error) {
	details, err := p.admin.ListTopics(ctx, p.topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	now := places{}
	for _, d := range details {
		if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if d.Err != nil {
			return nil, fmt.Errorf("list topic %s: %w", d.Topic, d.Err)
		}
		now[d.Topic] = &topicPlace{ID: base64.RawStdEncoding.EncodeToString(d.ID[:]), Partitions: int32(len(d.Partitions)), At: map[int32]place{}}
	}
	return now, nil
}

// changed reports whether the topics are other than at knows.
func (p *planner) changed(ctx context.Context, at places) (bool, error) {
	now, err := p.metadata(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range p.topics {
		a, b := now[name], at[name]
		if a == nil && b.isGone() {
			continue
		}
		if (a == nil) != (b == nil) || a != nil && (a.ID != b.ID || a.Partitions != b.Partitions) {
			return true, nil
		}
	}
	return false, nil
}

// lostPause is how long it takes until brokers are asked again whether something is gone.
const lostPause = 50 * time.Millisecond

// settled is metadata that does not miss anything of at, or still does after LostAfter: brokers, and clients, that have not
// heard of the newest change tell of what was.
func (p *planner) settled(ctx context.Context, at places) (places, error) {
	for end := time.Now().Add(p.opts.LostAfter); ; {
		now, err := p.metadata(ctx)
		if err != nil || !p.misses(now, at) || time.Now().After(end) {
			return now, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lostPause):
		}
	}
}

// misses reports whether partitions that at knows are not in now.
func (p *planner) misses(now, at places) bool {
	for _, name := range p.topics {
		if at[name].goneFrom(now[name]) && !at[name].isGone() {
			return true
		}
	}
	return false
}

// goneFrom reports whether now, of the topic of the same name, is without partitions that t knows.
func (t *topicPlace) goneFrom(now *topicPlace) bool {
	return t != nil && (now == nil || t.ID != now.ID || t.Partitions > now.Partitions)
}

// make makes a plan that goes on from at, which may know partitions of other tasks, too.
func (p *planner) make(ctx context.Context, at places) (*plan, error) {
	now, err := p.settled(ctx, at)
	if err != nil {
		return nil, err
	}
	out := &plan{at: now}
	open := map[Start]kadm.TopicsSet{} // partitions whose offset has to be asked for
	for i, name := range p.topics {
		if err := p.topic(out, i, name, at[name], open); err != nil {
			return nil, err
		}
	}
	for start, set := range open {
		if err := p.resolve(ctx, out, start, set); err != nil {
			return nil, err
		}
	}
	return out, p.checkRange(ctx, out)
}

// topic takes over what is known of one topic into the plan, and adds to open what is not.
func (p *planner) topic(out *plan, i int, name string, was *topicPlace, open map[Start]kadm.TopicsSet) error {
	now := out.at[name]
	ask := func(start Start, partition int32) {
		set := open[start]
		set.Add(name, partition)
		open[start] = set
	}
	if was.goneFrom(now) {
		if err := p.gone(out, i, name, was); err != nil {
			return err
		}
		if now == nil {
			out.at[name] = &topicPlace{At: map[int32]place{}}
			return nil
		}
		for partition := range now.Partitions {
			if p.mine(i, partition) {
				ask(Start(p.opts.Lost), partition)
			}
		}
		return nil
	}
	if now == nil {
		return fmt.Errorf("%w: %s", ErrNoTopic, name)
	}
	for partition := range now.Partitions {
		if !p.mine(i, partition) {
			continue
		}
		switch known := was != nil; {
		case known && has(was.At, partition):
			now.At[partition] = was.At[partition]
		case known && partition >= was.Partitions:
			ask(StartEarliest, partition)
		default:
			ask(p.opts.Start, partition)
		}
	}
	return nil
}

func has(m map[int32]place, k int32) bool { _, ok := m[k]; return ok }

// gone deals with a topic of which partitions are gone, of this task or of others.
func (p *planner) gone(out *plan, i int, name string, was *topicPlace) error {
	for partition := range was.At {
		if !p.mine(i, partition) {
			continue
		}
		if p.opts.Lost == Fail {
			return fmt.Errorf("%w: %s/%d at %d", ErrLost, name, partition, was.At[partition].Next)
		}
		out.lost++
	}
	if p.opts.Lost == Fail {
		return fmt.Errorf("%w: %s", ErrLost, name)
	}
	return nil
}

// resolve sets the offsets of the partitions in set.
func (p *planner) resolve(ctx context.Context, out *plan, start Start, set kadm.TopicsSet) error {
	how := starts[start]
	if how.group {
		found, err := p.admin.FetchOffsetsForTopics(ctx, p.opts.Group, set.Topics()...)
		if err == nil {
			err = found.Error()
		}
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return fmt.Errorf("fetch the offsets of group %s: %w", p.opts.Group, err)
		}
		for topic, partitions := range set {
			for partition := range partitions {
				if o, ok := found.Lookup(topic, partition); ok && o.At >= 0 {
					out.at[topic].At[partition] = place{Next: o.At}
					set.Delete(topic, partition)
				}
			}
		}
	}
	return p.list(ctx, how.from, set, func(topic string, partition int32, offset int64) {
		out.at[topic].At[partition] = place{Next: offset}
	})
}

// list calls f with where the partitions in set begin or end, or where a time is in them.
func (p *planner) list(ctx context.Context, from Start, set kadm.TopicsSet, f func(topic string, partition int32, offset int64)) error {
	names := slices.Sorted(maps.Keys(set))
	names = slices.DeleteFunc(names, func(n string) bool { return len(set[n]) == 0 })
	if len(names) == 0 {
		return nil
	}
	var found kadm.ListedOffsets
	var err error
	switch from {
	case StartEarliest:
		found, err = p.admin.ListStartOffsets(ctx, names...)
	case StartLatest:
		found, err = p.admin.ListEndOffsets(ctx, names...)
	default:
		found, err = p.admin.ListOffsetsAfterMilli(ctx, p.opts.StartTime.UnixMilli(), names...)
	}
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return fmt.Errorf("list the %s offsets: %w", from, err)
	}
	for topic, partitions := range set {
		for partition := range partitions {
			o, ok := found.Lookup(topic, partition)
			if !ok {
				return fmt.Errorf("list the %s offsets: no answer for %s/%d", from, topic, partition)
			}
			f(topic, partition, o.Offset)
		}
	}
	return nil
}

// checkRange moves what is not within its partition any more.
func (p *planner) checkRange(ctx context.Context, out *plan) error {
	set := kadm.TopicsSet{}
	for topic, t := range out.at {
		for partition := range t.At {
			set.Add(topic, partition)
		}
	}
	type limits struct{ first, end int64 }
	found := map[string]map[int32]*limits{}
	note := func(set func(*limits, int64)) func(string, int32, int64) {
		return func(topic string, partition int32, offset int64) {
			if found[topic] == nil {
				found[topic] = map[int32]*limits{}
			}
			if found[topic][partition] == nil {
				found[topic][partition] = &limits{}
			}
			set(found[topic][partition], offset)
		}
	}
	if err := p.list(ctx, StartEarliest, set, note(func(l *limits, o int64) { l.first = o })); err != nil {
		return err
	}
	if err := p.list(ctx, StartLatest, set, note(func(l *limits, o int64) { l.end = o })); err != nil {
		return err
	}
	for topic, t := range out.at {
		for partition, at := range t.At {
			l := found[topic][partition]
			if at.Next >= l.first && at.Next <= l.end {
				continue
			}
			switch out.outOfRange++; p.opts.OutOfRange {
			case Fail:
				return fmt.Errorf("%w: %s/%d at %d, there are %d to %d", ErrOutOfRange, topic, partition, at.Next, l.first, l.end)
			case Earliest:
				at.Next = l.first
			default:
				at.Next = l.end
			}
			t.At[partition] = at
		}
	}
	return nil
}
