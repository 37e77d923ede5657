package storm

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Optional interfaces of Go components in a topology with event time or checkpoints (gearstorm.event.time,
// gearstorm.checkpoint.interval.ms). In one with checkpoints every spout has to be a Checkpointed.
type (
	// Checkpointed is a Spout or Bolt that has something to lose: Freeze and Restore.
	Checkpointed = gearcore.Checkpointed
	// Committer is a Checkpointed that holds back effects until the checkpoint with them counts: Commit.
	Committer = gearcore.Committer
	// Timed is a Spout that knows event time: Watermark.
	Timed = gearcore.Timed
	// Clocked is a Bolt that acts on event time: Advance.
	Clocked = gearcore.Clocked
	// Inspected is a Spout or Bolt whose state people may look at while it runs, as gearstorm state get does: Inspect. A Stateful bolt needs none.
	Inspected = gearcore.Inspected
	// StateQuery is what Inspect is asked, StateEntry what it answers with.
	StateQuery = gearcore.StateQuery
	// StateEntry is a part of the answer.
	StateEntry = gearcore.StateEntry
)

// inspected looks at the state of a component of the user's.
func inspected(component any, q StateQuery) ([]StateEntry, error) {
	if i, ok := component.(Inspected); ok {
		return i.Inspect(q)
	}
	if _, keeps := component.(Checkpointed); keeps {
		return nil, fmt.Errorf("what it keeps is known to its own code alone: a %T has no method Inspect (storm.Inspected)", component)
	}
	return nil, gearcore.ErrNoState
}

// Inspect implements gearcore.Inspected.
func (s *spoutSource) Inspect(q StateQuery) ([]StateEntry, error) { return inspected(s.spout, q) }

// Inspect implements gearcore.Inspected.
func (b boltTask) Inspect(q StateQuery) ([]StateEntry, error) { return inspected(b.bolt, q) }

// Watermark implements gearcore.Timed. A spout that is none is idle.
func (s *spoutSource) Watermark() gearcore.Watermark {
	if t, ok := s.spout.(Timed); ok {
		return t.Watermark()
	}
	return gearcore.Idle
}

// checkpointedSpout is the spoutSource of a Checkpointed.
type checkpointedSpout struct {
	*spoutSource
	Checkpointed
}

// Commit implements gearcore.Committer.
func (s checkpointedSpout) Commit(epoch uint64) {
	if c, ok := s.spout.(Committer); ok {
		c.Commit(epoch)
	}
}

// timedBolt is the boltTask of a Clocked or Checkpointed.
type timedBolt struct{ boltTask }

// frugalTimedBolt is a timedBolt that keeps no tuples.
type frugalTimedBolt struct{ timedBolt }

func (frugalTimedBolt) NoRetain() {}

// timed returns the task of a bolt that has one of the optional interfaces of this file, nil of others.
func timed(b Bolt) gearcore.Task {
	_, checkpointed := b.(Checkpointed)
	if _, clocked := b.(Clocked); !clocked && !checkpointed {
		return nil
	}
	t := timedBolt{boltTask{b}}
	if _, frugal := b.(NoRetain); frugal {
		return frugalTimedBolt{t}
	}
	return t
}

// Advance implements gearcore.Clocked. What comes out of a bolt that is none is as old as what comes in.
func (t timedBolt) Advance(w gearcore.Watermark, c *gearcore.Collector) (gearcore.Watermark, error) {
	if b, ok := t.bolt.(Clocked); ok {
		return b.Advance(w, c)
	}
	return w, nil
}

// Freeze implements gearcore.Checkpointed.
func (t timedBolt) Freeze(epoch uint64) (gearcore.Frozen, error) {
	if b, ok := t.bolt.(Checkpointed); ok {
		return b.Freeze(epoch)
	}
	return nil, nil
}

// Restore implements gearcore.Checkpointed.
func (t timedBolt) Restore(r *gearcore.Recovery) error {
	if b, ok := t.bolt.(Checkpointed); ok {
		return b.Restore(r)
	}
	return nil
}

// Commit implements gearcore.Committer.
func (t timedBolt) Commit(epoch uint64) {
	if b, ok := t.bolt.(Committer); ok {
		b.Commit(epoch)
	}
}
