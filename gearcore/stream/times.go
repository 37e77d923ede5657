package stream

import "time"

// times says of what time the events of a step are.
type times[T any] struct {
	at func(T) time.Time // nil: that which the source gave them
	w  Watermarks
}

// Times is an option of From: at says of what time an event is, and w when no older ones are to be expected. Events whose
// time is zero, before 1970 or too far ahead leave by Untimed.
func Times[T any](at func(T) time.Time, w Watermarks) Option {
	return func(o *options) { o.times = &times[T]{at, w} }
}

// SourceTimes is Times with the times that the source itself gives (Out.EmitAt).
func SourceTimes[T any](w Watermarks) Option { return Times[T](nil, w) }

// AssignTimes is Times as a step of its own, where what says the time has to be made first. There may be only steps without
// state between it and its source, in the tasks of the source, since they are what knows about splits.
func AssignTimes[T any](in *Stream[T], name string, at func(T) time.Time, w Watermarks, opts ...Option) *Stream[T] {
	n := &node{name: name, opts: collect(opts), kind: stateless, ins: []inlet{listen(in)}, assigns: true}
	in.t.add(n)
	if at == nil {
		in.t.fail("step %s: there is no function that says the time", name)
	}
	if err := w.validate(); err != nil {
		in.t.fail("step %s: %w", name, err)
	}
	c := codecOption[T](in.t, name, n.opts)
	out := output(n, "", c)
	output(n, untimedPort, c)
	n.build = func(r *run) any { return stamp(r, n, &times[T]{at, w}, 0) }
	return out
}

// untimedPort is the output for events without a time.
const untimedPort = "untimed"

// Untimed is the values that had no time, or one that is not believed, where a step gives them their times (From, AssignTimes) or divides them into
// windows. s is the result of the step, T what it takes, as in Untimed[Line](lines). They are counted as what that stream emitted,
// whether anybody listens or not.
func Untimed[T, R any](s *Stream[R]) *Stream[T] { return sideOf[T](s, untimedPort) }

// sideOf returns a side output of the step that s is the main output of. If there is none of that type, a problem is kept.
func sideOf[T, R any](s *Stream[R], name string) *Stream[T] {
	if len(s.ports) == 1 {
		for _, p := range s.ports[0].node.outs {
			if _, same := p.codec.(Codec[T]); same && p.name == name {
				return &Stream[T]{t: s.t, ports: []*port{p}}
			}
		}
	}
	var zero T
	s.t.fail("step %s has no output for a %T that is %s", s.ports[0].node.name, zero, name)
	return &Stream[T]{t: s.t, ports: s.ports}
}

// stamp returns what gives events their times and sends them on by the first output of n, or by the side output at
// position side+1.
func stamp[T any](r *run, n *node, tm *times[T], side int) emit[T] {
	out, untimed := fan[T](r, n.outs[0]), fan[T](r, n.outs[side+1])
	g := newGenerator(tm.w, r.env.Clock)
	r.generators = append(r.generators, g)
	return func(v T, at int64) {
		if tm.at != nil {
			at = milli(tm.at(v))
		}
		if !g.believable(at) {
			untimed(v, noTime)
			return
		}
		g.saw(at)
		out(v, at)
	}
}

// milli returns t in milliseconds, noTime for the zero time.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMilli()
}
