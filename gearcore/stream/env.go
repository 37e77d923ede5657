package stream

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Env is what a runner gives the tasks that it makes. The zero Env is the real world.
type Env struct {
	// Clock is the time of processing. Default: the real one.
	Clock Clock
	// Go has something done that may block, outside of the task. Default: a goroutine.
	Go func(f func())
	// Input, if not nil, makes what stands in for the source of a step in one of its tasks.
	Input func(step string, task int) Input
	// Tap, if not nil, makes what stands in for the sink of a step in one of its tasks.
	Tap func(step string, task int) Tap
}

// Clock is a source of processing time.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in d, from any goroutine; f does not block. stop ends that if it has not happened yet.
	AfterFunc(d time.Duration, f func()) (stop func())
}

// Input is what a test sends, to one task of a source.
type Input interface {
	gearcore.Checkpointed
	// Next returns what comes next; ok is false if nothing does for now.
	Next() (item Item, ok bool)
}

// Item is a value for a source to emit, with a time or without, of a split; or, without a value, the end of the source or a
// watermark.
type Item struct {
	Value any
	At    time.Time
	Split string
	Mark  time.Time
	End   bool
}

// Tap is what gets what a task of an end would have written.
type Tap interface {
	Write(v any, at time.Time)
	// Freeze is told of each checkpoint that the task takes part in.
	Freeze(epoch uint64)
}

func (e Env) orReal() Env {
	if e.Clock == nil {
		e.Clock = realClock{}
	}
	if e.Go == nil {
		e.Go = func(f func()) { go f() }
	}
	return e
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

// fed is a source that emits what an Input has.
type fed[T any] struct {
	step string
	make func(step string, task int) Input
	in   Input
}

func (f *fed[T]) Open(ctx *gearcore.Context) error {
	f.in = f.make(f.step, ctx.Index)
	return nil
}

func (f *fed[T]) Next(out *Out[T]) error {
	for n := range perCall {
		item, ok := f.in.Next()
		switch {
		case !ok && n == 0:
			return ErrIdle
		case !ok:
			return nil
		case item.End:
			return ErrEnd
		case !item.Mark.IsZero():
			out.mark(item.Mark)
			continue
		}
		v, ok := item.Value.(T)
		if !ok {
			var want T
			return fmt.Errorf("source %s was sent a %T, and emits %T", f.step, item.Value, want)
		}
		out.Split(item.Split)
		out.EmitAt(v, item.At)
	}
	return nil
}

func (f *fed[T]) Close() {}

// Freeze implements gearcore.Checkpointed.
func (f *fed[T]) Freeze(epoch uint64) (gearcore.Frozen, error) { return f.in.Freeze(epoch) }

// Restore implements gearcore.Checkpointed.
func (f *fed[T]) Restore(r *gearcore.Recovery) error { return f.in.Restore(r) }

// mark says that no events before t are to be expected.
func (o *Out[T]) mark(t time.Time) {
	for _, g := range o.r.generators {
		g.floor = max(g.floor, t.UnixMilli())
	}
}

// tapped is a sink that a Tap stands in for.
type tapped[T any] struct {
	step string
	r    *run
	tap  Tap
}

func (s *tapped[T]) Open(ctx *gearcore.Context) error {
	s.tap = s.r.env.Tap(s.step, ctx.Index)
	s.r.taps = append(s.r.taps, s.tap)
	return nil
}

func (s *tapped[T]) Write(v T, at time.Time) error {
	s.tap.Write(v, at)
	return nil
}

func (s *tapped[T]) Close() {}
