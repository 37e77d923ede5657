package storm

import (
	"errors"

	"github.com/gearstorm/gearstorm/gearcore"
)

// BoltFactory makes one Bolt for each task. It is called in the process that runs the task.
type BoltFactory func() Bolt

// BoltFunc is a bolt that keeps no state: it is called with each tuple, ticks included, anchors what it emits to the
// tuple, and acks it when it returns nil. An error fails the tuple and is reported, except ErrFailed. The same function
// is used by all tasks, at the same time.
type BoltFunc func(t Tuple, out Emitter) error

// BoltSpec is what SetBolt takes: a BoltFactory, a BoltFunc, what Windowed, Stateful or StatefulWindowed returns, a TaskFactory or a Shell.
type BoltSpec interface{ newBolt() (gearcore.Task, error) }

// Emitter emits on behalf of one tuple. It may be used only until the BoltFunc returns.
type Emitter struct {
	c *Collector
	t Tuple
}

// Forward sends the values of the tuple on the default stream, anchored. It is the cheapest way to pass a tuple on.
func (e Emitter) Forward() { e.c.Forward(e.t) }

// Emit sends a tuple on the default stream, anchored.
func (e Emitter) Emit(values ...any) { e.c.EmitAnchored(e.t, values...) }

// EmitTo sends a tuple on the stream called name, anchored.
func (e Emitter) EmitTo(name string, values ...any) { e.c.Stream(name).EmitAnchored(e.t, values...) }

// EmitDirect sends a tuple to one task on the direct stream called name, anchored.
func (e Emitter) EmitDirect(name string, task TaskID, values ...any) {
	e.c.Stream(name).EmitDirect(task, e.t, values...)
}

// Collector returns the collector behind e, for what Emitter does not offer.
func (e Emitter) Collector() *Collector { return e.c }

func (f BoltFactory) newBolt() (gearcore.Task, error) {
	b := f()
	if b == nil {
		return nil, errors.New("the factory returned nil")
	}
	if err := checkBolt(b); err != nil {
		return nil, err
	}
	if t := timed(b); t != nil {
		return t, nil
	}
	if _, ok := b.(NoRetain); ok {
		return frugalTask{boltTask{b}}, nil
	}
	return boltTask{b}, nil
}

func (f BoltFunc) newBolt() (gearcore.Task, error) { return funcTask{f}, nil }

// noRetainSpec is a BoltSpec whose tasks keep no tuples.
type noRetainSpec struct{ BoltSpec }

func (n noRetainSpec) newBolt() (gearcore.Task, error) {
	t, err := n.BoltSpec.newBolt()
	if err != nil {
		return nil, err
	}
	if _, known := t.(gearcore.NoRetain); known {
		return t, nil // and whatever else it is
	}
	if own, ok := t.(timedBolt); ok {
		return frugalTimedBolt{own}, nil
	}
	return noRetainTask{t}, nil
}

// boltTask makes a Bolt the engine's Task. There may be very many of them: it holds nothing but the Bolt.
type boltTask struct{ bolt Bolt }

// frugalTask is the boltTask of a Bolt that keeps no tuples.
type frugalTask struct{ boltTask }

func (frugalTask) NoRetain() {}

// noRetainTask is a Task that promises to keep no tuples.
type noRetainTask struct{ gearcore.Task }

func (noRetainTask) NoRetain() {}

// Inspect implements gearcore.Inspected.
func (n noRetainTask) Inspect(q StateQuery) ([]StateEntry, error) {
	if i, ok := n.Task.(Inspected); ok {
		return i.Inspect(q)
	}
	return nil, gearcore.ErrNoState
}

// Direct implements gearcore.DirectTask.
func (n noRetainTask) Direct() gearcore.Executor {
	if d, ok := n.Task.(gearcore.DirectTask); ok {
		return d.Direct()
	}
	return n.Task
}

func (b boltTask) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	listen(b.bolt, ctx, c)
	return b.bolt.Prepare(ctx, c)
}

func (b boltTask) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if t.IsTick() {
		if ticker, ok := b.bolt.(Ticker); ok {
			c.Ack(t)
			return ticker.Tick(c)
		}
	}
	return b.bolt.Execute(t, c)
}

// Direct implements gearcore.DirectTask: without ticks to sort out the engine calls the Bolt itself.
func (b boltTask) Direct() gearcore.Executor {
	if _, ok := b.bolt.(Ticker); ok {
		return b
	}
	return b.bolt
}

func (b boltTask) Close() {
	if closer, ok := b.bolt.(Closer); ok {
		closer.Close()
	}
}

// funcTask makes a BoltFunc the engine's Task.
type funcTask struct{ f BoltFunc }

func (f funcTask) Open(*gearcore.Context, *gearcore.Collector) error { return nil }

func (f funcTask) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if err := f.f(t, Emitter{c, t}); err != nil {
		return err
	}
	c.Ack(t)
	return nil
}

func (f funcTask) Close() {}
