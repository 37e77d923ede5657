package storm

import (
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// StatefulWindowedBolt is a WindowedBolt with a state that outlives it, as Storm's IStatefulWindowedBolt. The state is that of a
// StatefulBolt: it is given by InitState, and belongs to the task. The bolt may be a TxnListener.
//
// With gearstorm.checkpoint.interval.ms set the windows, those that are open and what was left of earlier ones, are in the engine's
// checkpoints with the state: after a failure windows hold what they had held, and each is handled once. Without it both are in memory and
// the state goes through Storm's transactions. What that does to windows and acks is for WindowedSpec.Persistent to say.
type StatefulWindowedBolt[K comparable, V any] interface {
	WindowedBolt
	// InitState is called after Prepare and before Execute, and again whenever the state has gone back to an earlier one.
	InitState(s KeyValueState[K, V]) error
}

// StatefulWindowed returns a bolt that works on windows and has a state; factory makes one for each task. Keys and values are those of
// Stateful.
func StatefulWindowed[K comparable, V any](factory func() StatefulWindowedBolt[K, V]) *WindowedSpec {
	s := &WindowedSpec{conf: map[string]any{}, stateful: true}
	if factory != nil {
		s.task = func(s *WindowedSpec) stateSpec {
			return statefulSpec[K, V]{func() (StatefulBolt[K, V], error) {
				b := factory()
				if b == nil {
					return nil, errNothing
				}
				return newWindows(s, b, b.InitState)
			}}
		}
	}
	return s
}

// stateSpec is what is common to statefulSpecs of all types.
type stateSpec interface {
	BoltSpec
	stateKeeper
}

// windows is a WindowedBolt as a StatefulBolt whose tuples go into windows.
type windows[K comparable, V any] struct {
	*windowTask
	init func(KeyValueState[K, V]) error // nil: the bolt has no state
	txns TxnListener                     // nil: it is none

	layout               *gearcore.Layout
	transactions         bool // Storm's
	prepared, committed  windowMarks
	preparedAt, goBackTo []windowEvent
}

func newWindows[K comparable, V any](s *WindowedSpec, b WindowedBolt, init func(KeyValueState[K, V]) error) (StatefulBolt[K, V], error) {
	t, err := newWindowTask(s, b)
	if err != nil {
		return nil, err
	}
	w := &windows[K, V]{windowTask: t, init: init}
	if init != nil {
		w.txns, err = txnListener(b)
	}
	return w, err
}

// Prepare implements Bolt.
func (w *windows[K, V]) Prepare(ctx *Context, c *Collector) error {
	w.transactions = followsTransactions(ctx)
	return w.windowTask.Prepare(ctx, c)
}

// InitState implements StatefulBolt.
func (w *windows[K, V]) InitState(s KeyValueState[K, V]) error {
	if w.init != nil {
		if err := w.init(s); err != nil {
			return err
		}
	}
	w.ready = true
	return nil
}

// PrePrepare implements TxnListener.
func (w *windows[K, V]) PrePrepare(tx int64) {
	if w.txns != nil {
		w.txns.PrePrepare(tx)
	}
	if w.transactions && w.spec.persistent {
		w.prepared, w.preparedAt = w.save(), slices.Clone(w.queue.events)
	}
}

// PreCommit implements TxnListener.
func (w *windows[K, V]) PreCommit(tx int64) {
	if w.txns != nil {
		w.txns.PreCommit(tx)
	}
	w.committed, w.goBackTo = w.prepared, w.preparedAt
}

// PreRollback implements TxnListener. Windows go back with the state. Where they do not go through transactions all tuples that are not
// acked come again: those in windows too.
func (w *windows[K, V]) PreRollback() {
	if w.txns != nil {
		w.txns.PreRollback()
	}
	if !w.transactions {
		return
	}
	if !w.spec.persistent {
		for _, e := range w.queue.events {
			w.c.Fail(e.t)
		}
	}
	w.load(&w.committed, slices.Clone(w.goBackTo), nil)
}

// stateless implements windowKeeper.
func (w *windows[K, V]) stateless() bool { return w.init == nil }

// register implements windowKeeper.
func (w *windows[K, V]) register(ctx *gearcore.Context, s *state.Store, group int) (err error) {
	w.layout = ctx.Layout
	w.kept, err = newWindowStore(s, w.layout, group)
	return err
}

// freeze implements windowKeeper.
func (w *windows[K, V]) freeze() {
	if w.changed {
		m := w.save()
		w.kept.freeze(w.queue, &m)
		w.changed = false
	}
}

// restore implements windowKeeper.
func (w *windows[K, V]) restore(load func() error) error {
	m, events, left, err := w.kept.restore(w.layout, load)
	if err == nil {
		w.load(&m, events, left)
	}
	return err
}

// withoutState returns what makes the tasks of Windowed.
func withoutState(make func() WindowedBolt) func(s *WindowedSpec) stateSpec {
	return func(s *WindowedSpec) stateSpec {
		return statefulSpec[string, string]{func() (StatefulBolt[string, string], error) {
			b := make()
			if b == nil {
				return nil, errNothing
			}
			return newWindows[string, string](s, b, nil)
		}}
	}
}
