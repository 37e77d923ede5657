package stormtest

import (
	"errors"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// Spout runs one task of a spout.
type Spout struct {
	*harness
	src gearcore.Source
}

// NewSpout makes, opens and activates the spout; see NewBolt.
func NewSpout(tb testing.TB, spec storm.SpoutSpec, declare func(*storm.Declarer), conf map[string]any) *Spout {
	tb.Helper()
	b := storm.NewTopologyBuilder()
	h, reg := newHarness(tb, b, b.SetSpout(component, spec, 1), declare, conf)
	src, err := reg.Source(component)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(src.Close)
	if err := src.Open(h.ctx, h.c); err != nil {
		tb.Fatalf("open the spout: %v", err)
	}
	src.Activate(h.c)
	return &Spout{h, src}
}

// Next asks the spout for tuples up to n times, until it is idle, and reports whether it was.
func (s *Spout) Next(n int) (idle bool) {
	for ; n > 0; n-- {
		err := s.src.Next(s.c)
		s.note(err)
		if errors.Is(err, gearcore.ErrIdle) {
			return true
		}
	}
	return false
}

// Ack tells the spout that the tree of id is complete.
func (s *Spout) Ack(id gearcore.Value) { s.src.Ack(id, s.c) }

// Fail tells the spout that the tree of id failed.
func (s *Spout) Fail(id gearcore.Value) { s.src.Fail(id, s.c) }
