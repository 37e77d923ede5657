package kafka

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// The rest of a source without checkpoints: every record is emitted until it was acked, and what was acked without a gap is
// committed to the group.

// Ack implements gearcore.Source.
func (s *Source) Ack(id gearcore.Value, _ *gearcore.Collector) {
	if f := s.flown[id.Int()]; f != nil {
		s.end(f)
	}
}

// Fail implements gearcore.Source: the record is emitted again after a pause.
func (s *Source) Fail(id gearcore.Value, c *gearcore.Collector) {
	f := s.flown[id.Int()]
	if f == nil {
		return
	}
	f.tries++
	if s.opts.MaxRetries > 0 && f.tries > s.opts.MaxRetries {
		s.figures.GivenUp++
		c.ReportError(fmt.Errorf("record %s/%d@%d failed %d times and is given up", f.record.Topic, f.record.Partition, f.record.Offset, f.tries))
		if s.opts.GiveUp != nil {
			s.opts.GiveUp(c, f.record)
		}
		s.end(f)
		return
	}
	f.due = time.Now().Add(s.opts.pause(f.tries))
	s.retry.add(f)
}

// end says that nothing more happens with a record. A partition that was full is read on.
func (s *Source) end(f *flown) {
	delete(s.flown, f.id)
	f.done = true
	f.of.flight.settle()
	p := f.of
	if len(p.held) > 0 && len(p.flight.records) <= s.opts.MaxUncommitted/2 {
		s.queue = append(s.queue, run{p, p.held})
		p.held = nil
		s.client.ResumeFetchPartitions(map[string][]int32{p.topic: {p.number}})
	}
}

// again emits the records whose next try is due.
func (s *Source) again(c *gearcore.Collector, now time.Time) (n int) {
	for n < s.opts.Batch {
		f := s.retry.take(now)
		if f == nil {
			break
		}
		s.opts.Emit(c, gearcore.Long(f.id), f.record)
		n++
	}
	return n
}

// room reports whether records of a run may be emitted. Where too many of its partition are under way they are put aside and
// no more are fetched, which leaves the other partitions alone.
func (s *Source) room(r *run) bool {
	p := r.of
	if len(p.held) == 0 && len(p.flight.records) < s.opts.MaxUncommitted {
		return true
	}
	if p.held == nil {
		s.client.PauseFetchPartitions(map[string][]int32{p.topic: {p.number}})
	}
	p.held = append(p.held, r.records...)
	return false
}

// Holding implements gearcore.Holder.
func (s *Source) Holding() bool { return len(s.retry) > 0 }

// commitNow commits what is done if it is time to.
func (s *Source) commitNow(now time.Time) {
	if s.commits.due(now, s.opts.CommitEvery) {
		s.commitDone()
	}
}

// commitDone commits what is done.
func (s *Source) commitDone() {
	if !s.tracked || s.opts.Group == "" || len(s.all) == 0 {
		return
	}
	at := places{}
	for name, parts := range s.parts {
		at[name] = &topicPlace{At: map[int32]place{}}
		for number, p := range parts {
			at[name].At[number] = place{Next: p.flight.next}
		}
	}
	s.commits.put(at)
}
