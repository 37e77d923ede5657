package jvmhost

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Spout is a gearcore.Source whose code runs in the Java process of a Host. Calls of nextTuple are granted ahead, many in a
// frame and up to two frames, so that Java never waits for Go while there is something to emit; but never more of them
// than topology.max.spout.pending leaves room for, one tuple a call.
//
// Java keeps its message ids to itself: what is tracked is numbered on both sides. Go counts on through all lives of the
// process, so that an ack of a tuple of an earlier life is known, and dropped, as after the restart of a Storm worker.
type Spout struct {
	task

	// All below belongs to the executor.
	active   bool
	first    int64  // number of the first tracked tuple of this life
	next     int64  // number of the next one
	pending  int    // tracked tuples of this life that have not ended
	granted  []int  // calls in the frames under way, the oldest one first
	done     uint64 // frames that Java has worked off in this life
	emitted  bool   // since the last of them
	idle     bool   // Next has to say so
	quiet    bool   // the last frame emitted nothing
	maxCalls int    // of Spec.MaxPending; 0: no limit
}

var _ gearcore.Source = (*Spout)(nil)

const (
	callsAtOnce = 1 << 16 // of a frame; Java ends it early when a call emits nothing, or after a millisecond
	framesAhead = 2
)

// NewSpout returns a source whose code runs in h's process.
func (h *Host) NewSpout(spec Spec) (*Spout, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Spout{maxCalls: spec.MaxPending, first: 1, next: 1}
	s.init(h, spec, s)
	return s, nil
}

// Open implements gearcore.Source. It does not wait for the process.
func (s *Spout) Open(ctx *gearcore.Context, c *gearcore.Collector) error { return s.open(ctx, c) }

// Holding implements gearcore.Holder: Java was asked for tuples.
func (s *Spout) Holding() bool { return len(s.granted) > 0 || s.stays() }

// Next grants calls of nextTuple and pauses until Java has worked off a frame of them. After one that emitted nothing it
// returns gearcore.ErrIdle once.
func (s *Spout) Next(c *gearcore.Collector) error {
	if s.cur == nil {
		c.Pause()
		return gearcore.ErrIdle
	}
	if s.idle {
		s.idle = false
		return gearcore.ErrIdle
	}
	ahead := framesAhead
	if s.quiet {
		ahead = 1
	}
	for len(s.granted) < ahead {
		n := s.room()
		if n == 0 {
			break
		}
		s.granted = append(s.granted, n)
		s.cur.send(func(buf []byte) []byte { return appendNext(buf, n) })
	}
	c.Pause()
	return nil
}

// room returns how many calls may be granted now.
func (s *Spout) room() int {
	if s.maxCalls <= 0 {
		return callsAtOnce
	}
	n := s.maxCalls - s.pending
	for _, g := range s.granted {
		n -= g
	}
	if n <= 0 && len(s.granted) == 0 {
		return 1 // the engine would not ask if there were no room
	}
	return min(max(n, 0), callsAtOnce)
}

// Ack implements gearcore.Source.
func (s *Spout) Ack(id gearcore.Value, _ *gearcore.Collector) { s.end(opAck, id) }

// Fail implements gearcore.Source.
func (s *Spout) Fail(id gearcore.Value, _ *gearcore.Collector) { s.end(opFail, id) }

func (s *Spout) end(op byte, id gearcore.Value) {
	n := id.Int()
	if n < s.first || s.cur == nil {
		return
	}
	s.pending--
	s.cur.ended(frameEnded, op, uint64(n-s.first)+1)
}

// Activate implements gearcore.Source.
func (s *Spout) Activate(*gearcore.Collector) { s.tell(true) }

// Deactivate implements gearcore.Source.
func (s *Spout) Deactivate(*gearcore.Collector) { s.tell(false) }

func (s *Spout) tell(active bool) {
	s.active = active
	if s.cur != nil {
		s.cur.send(func(buf []byte) []byte { return appendStatus(buf, active) })
	}
}

func (s *Spout) up(c *gearcore.Collector, ch *channel) {
	s.cur = ch
	s.tellGraph()
	s.begun.Store(true)
	if s.active {
		s.tell(true)
	}
	c.Resume()
}

// down forgets what Java was asked for. Its tuples are on their way; how they end is nobody's to hear.
func (s *Spout) down(c *gearcore.Collector, ch *channel) {
	if s.cur != ch {
		return
	}
	s.lost(ch)
	s.cur, s.granted, s.done, s.first, s.pending = nil, s.granted[:0], 0, s.next, 0
	s.emitted, s.idle, s.quiet = false, false, false
	c.Pause()
}

func (s *Spout) do(c *gearcore.Collector, rp *reply) error {
	if len(rp.settles) > 0 {
		return badFrame("a spout settles tuples")
	}
	if err := s.begin(rp); err != nil {
		return err
	}
	for i := range rp.rows {
		if err := s.emit(c, rp, &rp.rows[i]); err != nil {
			return err
		}
	}
	if rp.consumed == 0 {
		return nil
	}
	n := rp.consumed - s.done
	if rp.consumed <= s.done || n > uint64(len(s.granted)) {
		return badFrame("%d frames of calls are done: there were %d", rp.consumed, s.done+uint64(len(s.granted)))
	}
	s.done = rp.consumed
	s.granted = s.granted[:copy(s.granted, s.granted[n:])]
	s.quiet = !s.emitted
	if rp.told { // there may be tuples that never came here
		s.quiet = rp.idle
	}
	s.idle, s.emitted = s.quiet, false
	c.Resume()
	return nil
}

func (s *Spout) emit(c *gearcore.Collector, rp *reply, e *emitted) error {
	var em gearcore.Emission
	switch {
	case e.anchors.n > 0:
		return badFrame("a spout anchors a tuple")
	case e.tracked && e.export:
		return badFrame("a tuple of a spout has two numbers")
	case e.tracked:
		em.ID = gearcore.Long(s.next)
	}
	if err := s.send(c, rp, e, em); err != nil {
		return fmt.Errorf("spout: %w", err)
	}
	if e.tracked {
		s.next++
		s.pending++
	}
	s.emitted = true
	return nil
}
