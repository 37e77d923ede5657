package storm

import "github.com/gearstorm/gearstorm/gearcore"

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
)

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
