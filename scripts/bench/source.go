package main

import (
	"time"

	"github.com/gearstorm/gearstorm/compat/storm"
)

// stampCount is how many tuples in flight have their latency taken: a power of two over what a paced source ever has.
const stampCount = 1 << 16

// freshSum is what the two changing letters of a fresh payload add up to.
const freshSum = 'a' + 'z'

// source emits one string for ever, or a copy of its own for each tuple, at full speed or at a rate. Its twin is
// Source.java.
type source struct {
	*shape
	tally    *tally
	text     string
	letters  []byte // of text, where it is fresh
	n, acked int64
	idle     bool // deactivated: what comes in is published at once

	began  time.Time
	due    time.Duration // after began
	stamps []time.Duration
}

func newSource(s *shape) *source { return &source{shape: s} }

func (s *source) Open(ctx *storm.Context, _ *storm.Collector) (err error) {
	s.text = s.payload()
	s.letters = []byte(s.text)
	s.began = time.Now()
	if s.Rate > 0 {
		s.stamps = make([]time.Duration, stampCount)
	}
	s.tally, err = s.join(ctx.Component)
	return err
}

func (s *source) Next(c *storm.Collector) error {
	if s.Rate > 0 && !s.isDue() || s.Kind == kindIdle && s.n > 0 {
		return storm.ErrIdle
	}
	id := s.n
	s.n++
	text := s.text
	if s.Fresh {
		text = c.String(s.fresh(id))
	}
	if !s.Acked {
		c.Emit(text)
	} else {
		if s.Rate > 0 {
			s.stamps[id&(stampCount-1)] = time.Since(s.began)
		}
		c.EmitID(storm.Long(id), text)
	}
	if s.n&(publishEvery-1) == 0 {
		s.tally.emitted.Store(s.n)
	}
	return nil
}

func (s *source) isDue() bool {
	now := time.Since(s.began)
	if now < s.due {
		return false
	}
	s.due += time.Second / time.Duration(s.Rate)
	if now-s.due > time.Second {
		s.due = now
	}
	return true
}

// fresh is the payload with two letters that change and always have the same sum, valid until the next call.
func (s *source) fresh(id int64) []byte {
	up := byte(id % 26)
	s.letters[0], s.letters[1] = 'a'+up, 'z'-up
	return s.letters
}

func (s *source) Ack(id storm.Value, _ *storm.Collector) {
	s.acked++
	if s.idle || s.acked&(publishEvery-1) == 0 {
		s.tally.acked.Store(s.acked)
	}
	if s.Rate > 0 {
		probe.timings.add(time.Since(s.began) - s.stamps[id.Int()&(stampCount-1)])
	}
}

func (s *source) Fail(storm.Value, *storm.Collector) { s.tally.failed.Add(1) }

func (s *source) Activate(*storm.Collector) { s.idle = false }

func (s *source) Deactivate(*storm.Collector) {
	s.idle = true
	s.tally.emitted.Store(s.n)
	s.tally.acked.Store(s.acked)
}
