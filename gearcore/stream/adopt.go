package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Read makes a value of the fields that one of the engine's sources emits, and says of what time it is: the zero time if it has none.
// What it gets may be kept.
type Read[T any] func(fields []gearcore.Value) (v T, at time.Time, err error)

// FromSource begins a branch with one of the engine's sources, as those of gearcore/connect. open makes it for each task, in the process that runs it.
// It emits on its default stream only. Its acks are those of a topology that tracks nothing: a value counts as acked when it is emitted.
//
// Without Times the watermark is the source's own (gearcore.Timed). With it, a source that says that it has ended does end, and a task that has nothing to
// read (more tasks than partitions) keeps back the others' time unless Watermarks.IdleAfter leaves it out. What a task reads is one split then, so Bounded
// has to cover how far its partitions or files are apart; the source's own watermark knows them.
func FromSource[T any](t *Topology, name string, open func() (gearcore.Source, error), read Read[T], opts ...Option) *Stream[T] {
	n := &node{name: name, opts: collect(opts), kind: source, assigns: true}
	t.add(n)
	if open == nil || read == nil {
		t.fail("source %s: there is nothing that makes it, or reads what it emits", name)
	}
	c := codecOption[T](t, name, n.opts)
	out := output(n, "", c)
	tm, timed := n.opts.times.(*times[T])
	if timed {
		if err := tm.w.validate(); err != nil {
			t.fail("source %s: %w", name, err)
		}
		output(n, untimedPort, c)
	} else if n.opts.times != nil {
		t.fail("source %s: its times are those of another type of event", name)
	}
	n.build = func(r *run) any {
		var push emit[T]
		if timed {
			push = stamp(r, n, tm, 0)
		} else {
			push = fan[T](r, n.outs[0])
		}
		if r.env.Input != nil {
			if !timed {
				r.generators = append(r.generators, newGenerator(Watermarks{}, r.env.Clock))
			}
			return newSource[T](r, &fed[T]{step: name, make: r.env.Input}, push)
		}
		inner, err := open()
		if err != nil {
			return err
		}
		return adopt(r, inner, read, push)
	}
	return out
}

// adopt returns the task of one of the engine's sources.
func adopt[T any](r *run, inner gearcore.Source, read Read[T], push emit[T]) gearcore.Source {
	a := &adopted[T]{r: r, inner: inner, read: read, push: push}
	a.timed, _ = inner.(gearcore.Timed)
	if cp, ok := inner.(gearcore.Checkpointed); ok {
		return &checkpointedAdopted[T]{a, cp}
	}
	return a
}

// adopted is one of the engine's sources whose tuples become values.
type adopted[T any] struct {
	r     *run
	inner gearcore.Source
	timed gearcore.Timed
	read  Read[T]
	push  emit[T]
	c     *gearcore.Collector // what the source emits with
	acks  []gearcore.Value
}

func (a *adopted[T]) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	if err := a.r.open(ctx, c); err != nil {
		return err
	}
	a.c = gearcore.NewCollector(&capture[T]{a: a})
	return a.inner.Open(ctx, a.c)
}

func (a *adopted[T]) Next(*gearcore.Collector) error {
	err := a.inner.Next(a.c)
	a.settle()
	return errors.Join(a.r.take(), err)
}

// settle acks what was emitted.
func (a *adopted[T]) settle() {
	for i := 0; i < len(a.acks); i++ {
		a.inner.Ack(a.acks[i], a.c)
	}
	clear(a.acks)
	a.acks = a.acks[:0]
}

// Watermark implements gearcore.Timed.
func (a *adopted[T]) Watermark() gearcore.Watermark {
	own := gearcore.Idle
	if a.timed != nil {
		own = a.timed.Watermark()
	}
	if own == gearcore.End || len(a.r.generators) == 0 {
		return own
	}
	return a.r.watermark()
}

func (a *adopted[T]) Ack(gearcore.Value, *gearcore.Collector)  {}
func (a *adopted[T]) Fail(gearcore.Value, *gearcore.Collector) {}
func (a *adopted[T]) Activate(*gearcore.Collector)             { a.inner.Activate(a.c) }
func (a *adopted[T]) Deactivate(*gearcore.Collector)           { a.inner.Deactivate(a.c) }

func (a *adopted[T]) Close() {
	a.inner.Close()
	a.r.close()
}

// checkpointedAdopted is an adopted source that takes part in checkpoints.
type checkpointedAdopted[T any] struct {
	*adopted[T]
	state gearcore.Checkpointed
}

// Freeze implements gearcore.Checkpointed.
func (a *checkpointedAdopted[T]) Freeze(epoch uint64) (gearcore.Frozen, error) {
	inner, err := a.state.Freeze(epoch)
	if err != nil || len(a.r.generators) == 0 {
		return inner, err
	}
	return wrapped{inner, a.r.freezeTimes()}, nil
}

// Restore implements gearcore.Checkpointed.
func (a *checkpointedAdopted[T]) Restore(rec *gearcore.Recovery) error {
	if len(a.r.generators) == 0 {
		return a.state.Restore(rec)
	}
	inner, times, err := unwrap(rec)
	if err != nil {
		return err
	}
	a.r.restoreTimes(times, rec.Index, rec.Tasks)
	return a.state.Restore(inner)
}

// Commit implements gearcore.Committer.
func (a *checkpointedAdopted[T]) Commit(epoch uint64) {
	if c, ok := a.inner.(gearcore.Committer); ok {
		c.Commit(epoch)
	}
}

// capture is the gearcore.Sink of an adopted source.
type capture[T any] struct{ a *adopted[T] }

func (s *capture[T]) Output(name string) int {
	if name == gearcore.DefaultStream {
		return 0
	}
	return -1
}

func (s *capture[T]) Emit(e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if e.Stream != 0 || e.Task != 0 {
		return nil, errors.New("a source of a typed topology emits on its default stream only")
	}
	if !e.ID.IsNull() {
		s.a.acks = append(s.a.acks, e.ID)
	}
	v, at, err := s.a.read(vals)
	if err != nil {
		s.a.r.fail(fmt.Errorf("read what the source emitted: %w", err))
		return nil, nil
	}
	s.a.push(v, milli(at))
	return nil, nil
}

func (s *capture[T]) Ack(gearcore.Tuple)          {}
func (s *capture[T]) Fail(gearcore.Tuple)         {}
func (s *capture[T]) ResetTimeout(gearcore.Tuple) {}
func (s *capture[T]) Pause()                      { s.a.r.c.Pause() }
func (s *capture[T]) Resume()                     { s.a.r.c.Resume() }
func (s *capture[T]) ReportError(err error)       { s.a.r.c.ReportError(err) }
func (s *capture[T]) Async() *gearcore.Async      { return gearcore.NewAsync(s) }

// Post implements gearcore.Poster: what the source does from other goroutines is done with its own collector.
func (s *capture[T]) Post(size int, f func(*gearcore.Collector)) error {
	return s.a.r.c.Async().Do(size, func(c *gearcore.Collector) {
		f(s.a.c)
		s.a.settle()
		if err := s.a.r.take(); err != nil {
			c.ReportError(err)
		}
	})
}
