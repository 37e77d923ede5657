package stream

import (
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// Aggregate makes a result of the values of each window, one by one. What it keeps of a window, A, is in the state of the
// step: it has exported fields only (StateCodec). The functions are called by all tasks, at the same time.
func Aggregate[K comparable, T, A, R any](in *Windowed[K, T], name string, agg window.Aggregator[A, T, R], opts ...Option) *Stream[Pane[K, R]] {
	t := in.in.t
	n := &node{name: name, opts: collect(opts), kind: stateful, needsTime: in.cfg.Timed()}
	n.ins = []inlet{in.in.inlet(func(step any) keyedEmit[K, T] { return step.(*windowStep[K, A, T, R]).add })}
	t.add(n)
	out := output(n, "", codecOption[Pane[K, R]](t, name, n.opts))
	late := in.in.codecOf()
	output(n, latePort, late)
	output(n, untimedPort, late)
	build := windowBuilder(t, name, in.in.codec, in.cfg, agg)
	n.build = func(r *run) any {
		w := build(r)
		w.out, w.late, w.untimed = fan[Pane[K, R]](r, n.outs[0]), fan[T](r, n.outs[1]), fan[T](r, n.outs[2])
		return w
	}
	return out
}

// windowBuilder checks what a window step is made of, and returns what makes one, but for where its results go.
func windowBuilder[K comparable, A, T, R any](t *Topology, name string, key Codec[K], cfg window.Config, agg window.Aggregator[A, T, R]) func(*run) *windowStep[K, A, T, R] {
	keys, err := keyState(key)
	if err != nil {
		t.fail("step %s: its keys: %w", name, err)
	}
	kept, err := StateCodec[A]()
	if err != nil {
		t.fail("step %s: what it keeps of a window: %w", name, err)
	}
	if _, err := window.New(cfg, agg, window.State[K, A]{}, nil); err != nil {
		t.fail("step %s: %w", name, err)
	}
	return func(r *run) *windowStep[K, A, T, R] {
		w := &windowStep[K, A, T, R]{keyed: newKeyed(r, name), cfg: cfg, agg: agg, keys: keys, accs: kept}
		w.make, w.wake = w.begin, w.clock
		return w
	}
}

// windowStep is a window step of one task.
type windowStep[K comparable, A, T, R any] struct {
	*keyed
	cfg           window.Config
	agg           window.Aggregator[A, T, R]
	keys          state.KeyCodec[K]
	accs          state.Codec[A]
	core          *window.Core[K, A, T, R]
	out           emit[Pane[K, R]]
	late, untimed emit[T]
}

// begin registers the state of the step with a new store.
func (w *windowStep[K, A, T, R]) begin(s *state.Store) error {
	st := window.State[K, A]{
		Panes: state.NewMap(s, "panes", w.keys, state.Codec[window.Span](spans{}), state.Codec[window.Acc[A]](accs[A]{w.accs})),
		Ends:  state.NewTimers(s, "ends", w.keys),
		Early: state.NewTimers(s, "early", w.keys),
	}
	var err error
	w.core, err = window.New(w.cfg, w.agg, st, w.pane)
	return err
}

func (w *windowStep[K, A, T, R]) pane(p window.Pane[K, R]) error {
	at := p.Time
	if at == 0 {
		at = noTime
	}
	w.out(Pane[K, R]{p.Key, p.Span, p.Timing, p.Out}, at)
	return nil
}

// add takes a value.
func (w *windowStep[K, A, T, R]) add(k K, v T, at int64) {
	if w.byClock() {
		w.clock(w.now())
	}
	outcome, err := w.core.Add(k, v, at)
	switch {
	case err != nil:
		w.r.fail(err)
	case outcome == window.Late:
		w.late(v, at)
	case outcome != window.Counted:
		w.untimed(v, noTime)
	case w.byClock():
		w.alarm(w.core.NextClock())
	}
}

// byClock reports whether anything depends on the clock.
func (w *windowStep[K, A, T, R]) byClock() bool { return w.cfg.Processing || w.cfg.EarlyEvery > 0 }

// clock does what is due by the clock.
func (w *windowStep[K, A, T, R]) clock(now int64) {
	if err := w.core.ClockTo(now); err != nil {
		w.r.fail(err)
	}
	w.alarm(w.core.NextClock())
}

// Advance implements gearcore.Clocked.
func (w *windowStep[K, A, T, R]) Advance(mark gearcore.Watermark, _ *gearcore.Collector) (gearcore.Watermark, error) {
	w.store.SetEventTime(mark)
	out, err := w.core.AdvanceTo(int64(mark))
	if mark == gearcore.End && err == nil {
		out = int64(mark)
	}
	return gearcore.Watermark(out), err
}

// Restore implements gearcore.Checkpointed.
func (w *windowStep[K, A, T, R]) Restore(r *gearcore.Recovery) error {
	if err := w.keyed.Restore(r); err != nil {
		return err
	}
	w.core.Resume(w.mark)
	if w.byClock() {
		w.alarm(w.core.NextClock())
	}
	return nil
}

// codecOf returns the codec of the values of k, of whichever step puts them out.
func (k *Keyed[K, T]) codecOf() Codec[T] {
	for _, p := range k.ports {
		if c, ok := p.codec.(Codec[T]); ok {
			return c
		}
	}
	return JSON[T]()
}
