package stream

import (
	"errors"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Source is where values come from. Each task has one of its own; its methods are called by one thread of control at a time, and
// none may block for long.
//
// In a topology with checkpoints a source is also a gearcore.Checkpointed: Freeze fixes the position behind the last value that
// was emitted, Restore goes back to one. Restore comes after Open.
type Source[T any] interface {
	Open(ctx *gearcore.Context) error
	// Next emits at most some hundred values. ErrIdle says that there was nothing, and the next call comes a little later; ErrEnd that there
	// will never be anything again. Another error is reported.
	Next(out *Out[T]) error
	Close()
}

// ErrIdle is what Source.Next returns when it had nothing to emit.
var ErrIdle = gearcore.ErrIdle

// ErrEnd is what Source.Next returns when nothing will come any more. Time then goes on to its end, which closes all windows but those that count.
var ErrEnd = errors.New("the source has ended")

// Out is how a Source emits. It may be used inside its calls only.
type Out[T any] struct {
	r    *run
	push emit[T]
}

// Emit sends v on. Its time is found where the topology says so (Times).
func (o *Out[T]) Emit(v T) { o.push(v, noTime) }

// EmitAt sends v on with the time of its event, to the millisecond.
func (o *Out[T]) EmitAt(v T, at time.Time) { o.push(v, milli(at)) }

// Split says that what is emitted from now on is of that split: a part of the source with an order of its own, such as a
// partition. A source that never says it has one split. One whose tasks have other splits after a Restore says Splits then.
func (o *Out[T]) Split(id string) {
	for _, g := range o.r.generators {
		g.enter(id)
	}
}

// Splits says which splits the task has now, and again after a Restore. One that is new holds back the task's watermark until it has an event or is idle;
// a task that has none is left out.
func (o *Out[T]) Splits(ids ...string) {
	for _, g := range o.r.generators {
		g.keep(ids)
	}
}

// From begins a topology, or one more branch of it: it puts out what a source emits. open makes the source of a task, in the
// process that runs it.
func From[T any](t *Topology, name string, open func() Source[T], opts ...Option) *Stream[T] {
	n := &node{name: name, opts: collect(opts), kind: source}
	t.add(n)
	if open == nil {
		t.fail("source %s: there is nothing that makes it", name)
	}
	c := codecOption[T](t, name, n.opts)
	out := output(n, "", c)
	tm, timed := n.opts.times.(*times[T])
	if timed {
		if err := tm.w.validate(); err != nil {
			t.fail("source %s: %w", name, err)
		}
		n.assigns = true
		output(n, untimedPort, c)
	} else if n.opts.times != nil {
		t.fail("source %s: its times are those of another type of event", name)
	}
	n.build = func(r *run) any {
		push := emit[T](nil)
		if timed {
			push = stamp(r, n, tm, 0)
		} else {
			push = fan[T](r, n.outs[0])
		}
		if r.env.Input != nil {
			return newSource[T](r, &fed[T]{step: name, make: r.env.Input}, push)
		}
		return newSource(r, open(), push)
	}
	return out
}
