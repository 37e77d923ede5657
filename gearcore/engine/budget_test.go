package engine

import (
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/internal/raced"
)

// burst is a source that emits all it has in one Next.
type burst struct{ *counter }

func (s burst) Next(c *gearcore.Collector) error {
	for s.counter.Next(c) == nil {
	}
	return gearcore.ErrIdle
}

// chatty is a source that emits with every ack.
type chatty struct{ *counter }

func (s chatty) Ack(id gearcore.Value, c *gearcore.Collector) {
	s.counter.Ack(id, c)
	s.Next(c)
}

// TestAckThatEmits has acks that never come to an end: the executor must still hear of other things.
func TestAckThatEmits(t *testing.T) {
	src := &counter{limit: 1 << 60, track: true}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return chatty{src} })
	e, stop := begin(t, top.config(t))
	eventually(t, "acks come", func() bool { return src.acked.Load() > 1000 })
	e.Deactivate()
	eventually(t, "the source is deactivated", func() bool { return src.active.Load() == 0 })
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	eventually(t, "the engine ends", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// clumsy is a source that panics after every emit.
type clumsy struct{ *counter }

func (s clumsy) Next(c *gearcore.Collector) error {
	s.counter.Next(c)
	panic("oops")
}

// TestEndlessPanics has a source that gets something done and panics, again and again: its run must end all the same.
func TestEndlessPanics(t *testing.T) {
	src := &counter{limit: 1 << 60}
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return clumsy{src} })
	_, stop := begin(t, top.config(t))
	eventually(t, "the source runs", func() bool { return src.emitted.Load() > 1000 })
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	eventually(t, "the engine ends", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// TestBurstWithoutAckers emits very many tuples that nothing has to be waited for in one call.
func TestBurstWithoutAckers(t *testing.T) {
	const n = 300_000 / raced.Fewer
	src := &counter{limit: n, track: true}
	var arrived tracker
	top := newTopology(0)
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return burst{src} })
	top.add("sink", dag.Bolt, 1, 1, executes(arrived.sink), from("src", dag.Shuffle))
	start(t, top.config(t))
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
}
