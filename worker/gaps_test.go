package worker

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Four gaps that Gearpump's own audit of itself lists, closed here, have tests of their names: these two, TestExecutorLossDuringAChange, and
// TestMasterFailoverState in package nimbus.

// TestPersistentProgress: sources have come to their end and no state changes any more. Checkpoints go on, all that was held back
// becomes visible, and a worker that begins anew finds the end again and adds nothing to it.
func TestPersistentProgress(t *testing.T) {
	const records = 500
	e := startExact(t, records, 0)
	e.visible(2 * records)
	ended := func() bool { v := e.timing(); return v != nil && v.WatermarkMs == 1<<63-1 }
	await(t, "the clock is at its end", ended)
	before := e.epoch()
	await(t, "checkpoints go on", func() bool { return e.epoch() > before+2 })
	generation := e.generation()
	e.restart(e.ports[0])
	await(t, "it has gone back and is at its end again", func() bool { return e.generation() > generation && ended() })
	before = e.epoch()
	await(t, "checkpoints go on", func() bool { return e.epoch() > before+2 })
	checked(t, e.topo)
}

// TestIdleParticipants: a source never has anything, and no key is for most counters and sinks. Checkpoints need all of them, and count.
func TestIdleParticipants(t *testing.T) {
	const records = 2000
	e := startExactOf(t, exact.Topology{Records: records, Rate: 2000, Keys: 1}, stormrpc.TopologyStatus_ACTIVE, func(r Registry) Registry { return halfIdle{r} })
	for n := range 4 {
		e.visible(n * records / 4)
		e.restart(e.ports[n%3])
	}
	e.visible(records)
}

// halfIdle makes sources of which only the first one has anything.
type halfIdle struct{ Registry }

func (h halfIdle) Source(name string) (gearcore.Source, error) {
	s, err := h.Registry.Source(name)
	if err != nil {
		return nil, err
	}
	return &idleUnlessFirst{Source: s, Checkpointed: s.(gearcore.Checkpointed), Committer: s.(gearcore.Committer)}, nil
}

type idleUnlessFirst struct {
	gearcore.Source
	gearcore.Checkpointed
	gearcore.Committer
	idle bool
}

func (s *idleUnlessFirst) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	s.idle = ctx.Index > 0
	return s.Source.Open(ctx, c)
}

func (s *idleUnlessFirst) Next(c *gearcore.Collector) error {
	if s.idle {
		return gearcore.ErrIdle
	}
	return s.Source.Next(c)
}
