package stream

import "github.com/gearstorm/gearstorm/gearcore/window"

// Sides is what two streams have of a key in a window, each in the order in which it came.
type Sides[A, B any] struct {
	Left  []A
	Right []B
}

// side is a value of one of two streams.
type side[A, B any] struct {
	left    A
	right   B
	isRight bool
}

// Ports for what came too late, or without a time, on the right side of a join; those of the left side have the usual names.
const (
	lateRight    = "late-right"
	untimedRight = "untimed-right"
)

// Join puts out f of every two values of the same key and window, one of each stream, when the window is complete. Panes that come early or late have all
// pairs so far. Late and Untimed of the result are those of the left stream, LateRight and UntimedRight of the right one.
func Join[K comparable, A, B, R any](left *Windowed[K, A], right *Keyed[K, B], name string, f func(k K, a A, b B) R, opts ...Option) *Stream[R] {
	return CoGroup(left, right, name, func(k K, s Sides[A, B], emit func(R)) {
		for _, a := range s.Left {
			for _, b := range s.Right {
				emit(f(k, a, b))
			}
		}
	}, opts...)
}

// CoGroup puts out what f emits for the values that two streams have of the same key and window, of which one may have none. Both have keys of
// one type; what is put out has the time of the window's last moment. See Join.
func CoGroup[K comparable, A, B, R any](left *Windowed[K, A], right *Keyed[K, B], name string,
	f func(k K, s Sides[A, B], emit func(R)), opts ...Option) *Stream[R] {
	t, cfg := left.in.t, left.cfg
	cfg.Accumulate = true
	type step = windowStep[K, Sides[A, B], side[A, B], Sides[A, B]]
	n := &node{name: name, opts: collect(opts), kind: stateful, needsTime: cfg.Timed()}
	n.ins = []inlet{
		left.in.inlet(func(s any) keyedEmit[K, A] {
			w := s.(*step)
			return func(k K, v A, at int64) { w.add(k, side[A, B]{left: v}, at) }
		}),
		right.inlet(func(s any) keyedEmit[K, B] {
			w := s.(*step)
			return func(k K, v B, at int64) { w.add(k, side[A, B]{right: v, isRight: true}, at) }
		}),
	}
	t.add(n)
	if left.in.name == right.name {
		t.fail("step %s: both of its streams are %s; another KeyBy makes the second one", name, right.name)
	}
	out := output(n, "", codecOption[R](t, name, n.opts))
	output(n, latePort, left.in.codecOf())
	output(n, untimedPort, left.in.codecOf())
	output(n, lateRight, right.codecOf())
	output(n, untimedRight, right.codecOf())
	build := windowBuilder(t, name, left.in.codec, cfg, bothSides[A, B]())
	n.build = func(r *run) any {
		w := build(r)
		emits, at := fan[R](r, n.outs[0]), int64(noTime)
		give := func(v R) { emits(v, at) }
		w.out = func(p Pane[K, Sides[A, B]], end int64) {
			at = end
			f(p.Key, p.Value, give)
		}
		w.late = eitherSide(fan[A](r, n.outs[1]), fan[B](r, n.outs[3]))
		w.untimed = eitherSide(fan[A](r, n.outs[2]), fan[B](r, n.outs[4]))
		return w
	}
	return out
}

// bothSides collects the values of two streams.
func bothSides[A, B any]() window.Aggregator[Sides[A, B], side[A, B], Sides[A, B]] {
	return window.Aggregator[Sides[A, B], side[A, B], Sides[A, B]]{
		Add: func(s *Sides[A, B], v side[A, B]) {
			if v.isRight {
				s.Right = append(s.Right, v.right)
			} else {
				s.Left = append(s.Left, v.left)
			}
		},
		Merge: func(into, from *Sides[A, B]) {
			into.Left = append(into.Left, from.Left...)
			into.Right = append(into.Right, from.Right...)
		},
		Result: func(s *Sides[A, B]) Sides[A, B] { return *s },
	}
}

func eitherSide[A, B any](left emit[A], right emit[B]) emit[side[A, B]] {
	return func(v side[A, B], at int64) {
		if v.isRight {
			right(v.right, at)
		} else {
			left(v.left, at)
		}
	}
}

// LateRight is Late for the right side of a join.
func LateRight[T, R any](s *Stream[R]) *Stream[T] { return sideOf[T](s, lateRight) }

// UntimedRight is Untimed for the right side of a join.
func UntimedRight[T, R any](s *Stream[R]) *Stream[T] { return sideOf[T](s, untimedRight) }
