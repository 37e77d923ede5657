package stream

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Sink takes the values at an end of a topology. Each task has one of its own; its methods are called by one thread of control at a
// time, and none may block for long.
//
// A sink that is also a gearcore.Checkpointed, and a gearcore.Committer where it holds back what it wrote, takes part in
// checkpoints; Transactional makes such sinks. Others see values again that came after the checkpoint that a topology goes back to.
type Sink[T any] interface {
	Open(ctx *gearcore.Context) error
	// Write takes a value; at is the zero time if it has none.
	Write(v T, at time.Time) error
	Close()
}

// SinkMaker makes the sink of a task: a SinkFactory or a SinkFunc.
type SinkMaker[T any] interface{ sink() Sink[T] }

// SinkFactory makes a Sink for each task, in the process that runs the task.
type SinkFactory[T any] func() Sink[T]

// SinkFunc is a sink that is only Sink.Write. It is called by all tasks, at the same time.
type SinkFunc[T any] func(v T, at time.Time) error

func (f SinkFactory[T]) sink() Sink[T] { return f() }

func (f SinkFunc[T]) sink() Sink[T] { return f }

// Open does nothing.
func (f SinkFunc[T]) Open(*gearcore.Context) error { return nil }

// Write calls f.
func (f SinkFunc[T]) Write(v T, at time.Time) error { return f(v, at) }

// Close does nothing.
func (f SinkFunc[T]) Close() {}

// To ends a stream in a sink. A SinkFunc is called in the tasks of the step before it unless it is told otherwise; the sinks of
// a SinkFactory have tasks of their own.
func To[T any](in *Stream[T], name string, to SinkMaker[T], opts ...Option) {
	n := &node{name: name, opts: collect(opts), kind: stateless, ins: []inlet{listen(in)}}
	f, made := to.(SinkFactory[T])
	n.opts.apart = n.opts.apart || made
	in.t.add(n)
	if to == nil || made && f == nil {
		in.t.fail("end %s: there is no sink", name)
	}
	n.build = func(r *run) any {
		var s Sink[T] = &tapped[T]{step: name, r: r}
		if r.env.Tap == nil {
			s = to.sink()
		}
		r.opens = append(r.opens, func() error { return s.Open(r.ctx) })
		r.closes = append(r.closes, s.Close)
		r.sink, _ = s.(gearcore.Checkpointed)
		if a, ok := s.(interface{ attach(*run) }); ok {
			a.attach(r)
		}
		return emit[T](func(v T, at int64) {
			if err := s.Write(v, timeOf(at)); err != nil {
				r.fail(err)
			}
		})
	}
}

// timeOf returns the time of an event.
func timeOf(at int64) time.Time {
	if at == noTime {
		return time.Time{}
	}
	return time.UnixMilli(at)
}
