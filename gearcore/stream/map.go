package stream

// Map puts out f of every value. f is called by all tasks of the step, at the same time.
func Map[A, B any](in *Stream[A], name string, f func(A) B, opts ...Option) *Stream[B] {
	return each(in, name, opts, func(_ *run, out emit[B]) emit[A] {
		return func(v A, at int64) { out(f(v), at) }
	})
}

// FlatMap puts out what f emits for a value: none, one or several, all of them with its time. f may call emit until it returns. It is
// called by all tasks of the step, at the same time.
func FlatMap[A, B any](in *Stream[A], name string, f func(v A, emit func(B)), opts ...Option) *Stream[B] {
	return each(in, name, opts, func(_ *run, out emit[B]) emit[A] {
		now := int64(noTime)
		give := func(b B) { out(b, now) }
		return func(v A, at int64) {
			now = at
			f(v, give)
		}
	})
}

// Filter puts out the values that keep says yes to.
func Filter[T any](in *Stream[T], name string, keep func(T) bool, opts ...Option) *Stream[T] {
	return each(in, name, opts, func(_ *run, out emit[T]) emit[T] {
		return func(v T, at int64) {
			if keep(v) {
				out(v, at)
			}
		}
	})
}

// each adds a step without state.
func each[A, B any](in *Stream[A], name string, opts []Option, f func(r *run, out emit[B]) emit[A]) *Stream[B] {
	n := &node{name: name, opts: collect(opts), kind: stateless, ins: []inlet{listen(in)}}
	in.t.add(n)
	out := output(n, "", codecOption[B](in.t, name, n.opts))
	n.build = func(r *run) any { return f(r, fan[B](r, n.outs[0])) }
	return out
}
