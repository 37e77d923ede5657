package stormtest

import (
	"errors"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// Bolt runs one task of a bolt.
type Bolt struct {
	*harness
	task   gearcore.Task
	inputs map[string]gearcore.StreamID // by component and stream
}

// NewBolt makes and prepares the bolt. declare, if not nil, declares its streams and configuration as a topology does; conf, which may be
// nil, goes over what its Context shows. The bolt is closed at the end of the test.
func NewBolt(tb testing.TB, spec storm.BoltSpec, declare func(*storm.Declarer), conf map[string]any) *Bolt {
	tb.Helper()
	b := storm.NewTopologyBuilder()
	b.SetSpout(source, storm.SpoutFunc(func(*storm.Collector) error { return storm.ErrIdle }), 1)
	h, reg := newHarness(tb, b, b.SetBolt(component, spec, 1), declare, conf)
	task, err := reg.Task(component)
	if err != nil {
		tb.Fatal(err)
	}
	out := &Bolt{harness: h, task: task, inputs: map[string]gearcore.StreamID{}}
	tb.Cleanup(task.Close)
	if err := task.Open(h.ctx, h.c); err != nil {
		tb.Fatalf("prepare the bolt: %v", err)
	}
	return out
}

// Input declares a stream that the tests sends tuples on, by component and name; the default stream of a component is
// called "default".
func (b *Bolt) Input(component, stream string, fields ...string) {
	l := b.ctx.Layout
	b.inputs[component+"\x00"+stream] = gearcore.StreamID(len(l.Streams))
	l.Streams = append(l.Streams, gearcore.Stream{Component: component, Name: stream, Fields: slices.Clone(fields)})
}

// Send executes a tuple with values on a stream that Input declared, and returns it. See Collector.Emit for the types.
func (b *Bolt) Send(component, stream string, values ...any) gearcore.Tuple {
	b.tb.Helper()
	id, ok := b.inputs[component+"\x00"+stream]
	if !ok {
		b.tb.Fatalf("send on stream %s of %s: declare it with Input", stream, component)
	}
	return b.execute(gearcore.NewTuple(b.ctx.Layout, id, sourceID, gearcore.AppendValues(nil, values)...))
}

// Tick executes a tick.
func (b *Bolt) Tick() {
	id := slices.IndexFunc(b.ctx.Layout.Streams, func(s gearcore.Stream) bool { return s.Name == gearcore.TickStream })
	b.execute(gearcore.NewTuple(b.ctx.Layout, gearcore.StreamID(id), gearcore.SystemTask, gearcore.Long(1)))
}

// execute does what the engine does: an error is noted and fails the tuple.
func (b *Bolt) execute(t gearcore.Tuple) gearcore.Tuple {
	if err := b.task.Execute(t, b.c); err != nil {
		if !errors.Is(err, gearcore.ErrFailed) {
			b.note(err)
		}
		b.c.Fail(t)
	}
	return t
}

// Acked returns the tuples acked so far, ticks included.
func (b *Bolt) Acked() []gearcore.Tuple { return b.sink.acked }

// Failed returns the tuples failed so far.
func (b *Bolt) Failed() []gearcore.Tuple { return b.sink.failed }
