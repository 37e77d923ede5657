package stream

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Windowed is a keyed stream that is divided into windows. What is made of each window is said by Count, Reduce, Fold,
// Aggregate or Gather.
type Windowed[K comparable, T any] struct {
	in  *Keyed[K, T]
	cfg window.Config
}

// WindowOption says more about windows.
type WindowOption func(*window.Config)

// Window divides the values of each key into windows: window.Tumbling, Sliding, Session, Global, CountTumbling or CountSliding. Without
// options they are of event time, and each makes one pane when the watermark has passed its end.
func Window[K comparable, T any](in *Keyed[K, T], w window.Windows, opts ...WindowOption) *Windowed[K, T] {
	out := &Windowed[K, T]{in: in, cfg: window.Config{Windows: w}}
	for _, o := range opts {
		o(&out.cfg)
	}
	return out
}

// Lateness keeps a window for d after the watermark has passed its end: each value that comes in that time makes one more pane.
func Lateness(d time.Duration) WindowOption { return func(c *window.Config) { c.Lateness = d } }

// ByClock makes windows those of the time at which values come, by the clock of the task (window.Clock: where the machine's is set back, or the task goes on
// where it is behind, windows take longer until it has caught up). It does not act on windows that count.
func ByClock() WindowOption { return func(c *window.Config) { c.Processing = true } }

// EarlyEvery makes an early pane d after the first value that is new in a window, by the clock.
func EarlyEvery(d time.Duration) WindowOption { return func(c *window.Config) { c.EarlyEvery = d } }

// EarlyCount makes an early pane whenever n new values are in a window.
func EarlyCount(n int64) WindowOption { return func(c *window.Config) { c.EarlyCount = n } }

// Accumulating makes each pane hold all of its window so far. Else one holds what is new since the last one. A map or slice in a pane is the
// window's own, which goes on to change: who keeps it beyond the call copies it.
func Accumulating() WindowOption { return func(c *window.Config) { c.Accumulate = true } }

// HoldLate keeps the watermark behind this step back by the Lateness, so that late panes are not late for the steps behind it. Everything
// there waits as long.
func HoldLate() WindowOption { return func(c *window.Config) { c.HoldLate = true } }

// latePort is the output for what came after its windows were over.
const latePort = "late"

// Late is the values that came too late for all their windows. s is the result of the step, T what it takes, as in
// Late[Click](counts). They are counted as what that stream emitted, whether anybody listens or not.
func Late[T, R any](s *Stream[R]) *Stream[T] { return sideOf[T](s, latePort) }

// Count counts the values of each window.
func Count[K comparable, T any](in *Windowed[K, T], name string, opts ...Option) *Stream[Pane[K, int64]] {
	return Aggregate(in, name, window.Aggregator[int64, T, int64]{
		Add:    func(n *int64, _ T) { *n++ },
		Merge:  func(into, from *int64) { *into += *from },
		Result: func(n *int64) int64 { return *n },
	}, opts...)
}

// Reduced is what Reduce keeps of a window.
type Reduced[T any] struct {
	Value T
	Some  bool
}

// Reduce makes one value of those of each window: f of the first two, f of that and the third, and so on. It changes nothing that its
// arguments lead to (pointers, maps), which other windows may hold as well. Where windows are shared or merged it is called with such values
// in any order.
func Reduce[K comparable, T any](in *Windowed[K, T], name string, f func(T, T) T, opts ...Option) *Stream[Pane[K, T]] {
	add := func(r *Reduced[T], v T) {
		if r.Some {
			v = f(r.Value, v)
		}
		*r = Reduced[T]{v, true}
	}
	return Aggregate(in, name, window.Aggregator[Reduced[T], T, T]{
		Add: add,
		Merge: func(into, from *Reduced[T]) {
			if from.Some {
				add(into, from.Value)
			}
		},
		Result: func(r *Reduced[T]) T { return r.Value },
	}, opts...)
}

// Fold makes one A of the values of each window: it begins with the zero A, to which add adds one value after the other. Session windows
// need to merge, which is Aggregate's.
func Fold[K comparable, T, A any](in *Windowed[K, T], name string, add func(acc *A, v T), opts ...Option) *Stream[Pane[K, A]] {
	return Aggregate(in, name, window.Aggregator[A, T, A]{Add: add, Result: func(a *A) A { return *a }}, opts...)
}

// Gather makes one R of all values of each window, which are kept until then, in the order in which they came.
func Gather[K comparable, T, R any](in *Windowed[K, T], name string, f func(values []T) R, opts ...Option) *Stream[Pane[K, R]] {
	return Aggregate(in, name, window.Aggregator[[]T, T, R]{
		Add:    func(all *[]T, v T) { *all = append(*all, v) },
		Merge:  func(into, from *[]T) { *into = append(*into, *from...) },
		Result: func(all *[]T) R { return f(*all) },
	}, opts...)
}
