package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/connect"
)

// Next implements gearcore.Source. It takes what the client has fetched and never waits for it.
func (s *Source) Next(c *gearcore.Collector) error {
	now := time.Now()
	if now.Before(s.rest) {
		return gearcore.ErrIdle
	}
	ready, err := s.ready()
	if err != nil {
		s.rest = now.Add(errorPause)
		return err
	}
	if !ready {
		return gearcore.ErrIdle
	}
	s.tell(c)
	n := 0
	if s.tracked {
		n = s.again(c, now)
		s.commitNow(now)
	}
	if len(s.queue) == 0 {
		if err := s.poll(now); err != nil {
			return err
		}
	}
	if n += s.emit(c, now, s.opts.Batch-n); n == 0 {
		return gearcore.ErrIdle
	}
	return nil
}

// poll takes what was fetched into the queue.
func (s *Source) poll(now time.Time) (err error) {
	if s.client == nil {
		return nil
	}
	fetches := s.client.PollRecords(nil, 8*s.opts.Batch) // nil: what is there already
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) > 0 {
			s.queue = append(s.queue, run{s.parts[f.Topic][f.Partition], f.Records})
		}
	})
	fetches.EachError(func(_ string, _ int32, e error) {
		if moved(e) {
			s.stale.Store(true)
			return
		}
		err = errors.Join(err, e)
	})
	return err
}

// emit emits up to most records of the queue.
func (s *Source) emit(c *gearcore.Collector, now time.Time, most int) (n int) {
	for n < most && len(s.queue) > 0 {
		first := &s.queue[0]
		if s.tracked && !s.room(first) {
			s.queue = s.queue[1:]
			continue
		}
		for n < most && len(first.records) > 0 && (!s.tracked || len(first.of.flight.records) < s.opts.MaxUncommitted) {
			s.one(c, first.of, first.records[0], now)
			first.records = first.records[1:]
			n++
		}
		if len(first.records) == 0 {
			s.queue = s.queue[1:]
		}
	}
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return n
}

// one emits a record. The end of a transaction is one that nobody gets, but its place counts: when all up to it is deleted nothing is missing. A
// partition that gives nothing else is idle.
func (s *Source) one(c *gearcore.Collector, p *partition, r *kgo.Record, now time.Time) {
	if r.Attrs.IsControl() {
		p.flight.pass(r)
		p.at.Next = r.Offset + 1
		return
	}
	id := gearcore.Null()
	if s.tracked {
		s.ids++
		f := &flown{record: r, of: p, id: s.ids}
		s.flown[s.ids] = f
		p.flight.add(f)
		id = gearcore.Long(s.ids)
	}
	s.opts.Emit(c, id, r)
	p.at.Next = r.Offset + 1
	switch at := s.opts.Time(r); {
	case at <= p.at.Newest:
	case connect.TooFar(at, now, s.opts.MaxAhead):
		s.tooFar(c, r, at, now)
		return // a partition that gives nothing else is idle
	default:
		p.at.Newest = at
	}
	p.since = now
}

// tooFar counts a record whose time is not believed.
func (s *Source) tooFar(c *gearcore.Collector, r *kgo.Record, at int64, now time.Time) {
	s.figures.TooFar++
	if s.timed && s.aloud.Now(now) {
		c.ReportError(fmt.Errorf("record %s/%d@%d: %w", r.Topic, r.Partition, r.Offset, connect.ErrTooFar(at, s.figures.TooFar)))
	}
}

// tell tells of records and partitions that were gone, where the options let the source go on.
func (s *Source) tell(c *gearcore.Collector) {
	if n := s.figures.OutOfRange - s.told.OutOfRange; n > 0 {
		c.ReportError(fmt.Errorf("%w in %d partitions, which go on at the %s (OutOfRange)", ErrOutOfRange, n, s.opts.OutOfRange))
	}
	if n := s.figures.Lost - s.told.Lost; n > 0 {
		c.ReportError(fmt.Errorf("%w: %d in all; what is there of their topics, or comes, is read from the %s record on (Lost)", ErrLost, n, s.opts.Lost))
	}
	s.told = s.figures
}
