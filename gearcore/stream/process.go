package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// Processor is a step of one's own, over values by key, with state and timers. Each task has one; its methods are called by one
// thread of control at a time. What it has to know again after a failure is in handles of its State: the Processor itself is made anew then.
type Processor[K comparable, T, R any] interface {
	// Process handles a value. What it and Timer return as an error is reported.
	Process(v T, c *Scope[K, R]) error
}

// ProcessFunc is a Processor that is only Processor.Process.
type ProcessFunc[K comparable, T, R any] func(v T, c *Scope[K, R]) error

// Process calls f.
func (f ProcessFunc[K, T, R]) Process(v T, c *Scope[K, R]) error { return f(v, c) }

// TimerHandler is a Processor with timers.
type TimerHandler[K comparable, R any] interface {
	// Timer is called when a timer of the key is due (Scope.SetTimer, SetClockTimer): at is the moment that was set.
	Timer(at time.Time, c *Scope[K, R]) error
}

// Process is a step of one's own. create makes the Processor of a task, with its handles of s; it is called once for the task and once more
// after each rollback.
func Process[K comparable, T, R any](in *Keyed[K, T], name string, create func(s *State[K]) Processor[K, T, R], opts ...Option) *Stream[R] {
	t := in.t
	n := &node{name: name, opts: collect(opts), kind: stateful}
	n.ins = []inlet{in.inlet(func(step any) keyedEmit[K, T] { return step.(*processStep[K, T, R]).process })}
	t.add(n)
	out := output(n, "", codecOption[R](t, name, n.opts))
	keys, err := keyState(in.codec)
	if err != nil {
		t.fail("step %s: its keys: %w", name, err)
	}
	if create == nil {
		t.fail("step %s: there is nothing that makes its processors", name)
	}
	n.build = func(r *run) any {
		p := &processStep[K, T, R]{keyed: newKeyed(r, name), keys: keys, create: create, out: fan[R](r, n.outs[0])}
		p.scope = Scope[K, R]{p: p}
		p.make, p.wake = p.begin, p.clock
		return p
	}
	return out
}

// processStep is a Processor as a task.
type processStep[K comparable, T, R any] struct {
	*keyed
	keys   state.KeyCodec[K]
	create func(*State[K]) Processor[K, T, R]
	out    emit[R]

	state  *State[K]
	proc   Processor[K, T, R]
	timers TimerHandler[K, R] // nil: it has none
	events *state.Timers[K]
	clocks *state.Timers[K]
	scope  Scope[K, R]
}

// begin registers the state of the step with a new store.
func (p *processStep[K, T, R]) begin(s *state.Store) error {
	p.events, p.clocks = state.NewTimers(s, "@timers", p.keys), state.NewTimers(s, "@clock", p.keys)
	p.state = newState(s, p.keys)
	return p.renew()
}

// renew makes the Processor.
func (p *processStep[K, T, R]) renew() error {
	p.proc = p.create(p.state)
	p.timers, _ = p.proc.(TimerHandler[K, R])
	switch {
	case p.state.err != nil:
		return p.state.err
	case p.proc == nil:
		return errors.New("there is no processor: what makes it returned nil")
	}
	return nil
}

func (p *processStep[K, T, R]) process(k K, v T, at int64) {
	p.state.key, p.scope.at = k, at
	if err := p.proc.Process(v, &p.scope); err != nil {
		p.r.fail(err)
	}
	p.due()
}

// due calls timers that were set for moments that are over already.
func (p *processStep[K, T, R]) due() {
	if next, ok := p.events.Next(); ok && p.mark > 0 && next <= p.mark {
		p.fire(p.events, p.mark)
	}
}

// fire calls the timers that are due up to and with upTo. For one of event time what expires is what has by its moment, however far the watermark went on
// at once.
func (p *processStep[K, T, R]) fire(q *state.Timers[K], upTo int64) {
	err := q.Due(upTo, func(k K, at int64) error {
		if q == p.events {
			p.store.SetEventTime(gearcore.Watermark(at))
		}
		p.state.key, p.scope.at = k, at
		if err := p.timers.Timer(time.UnixMilli(at), &p.scope); err != nil {
			p.r.fail(err)
		}
		return nil
	})
	if err != nil {
		p.r.fail(err)
	}
}

// clock calls the timers that are due by the clock.
func (p *processStep[K, T, R]) clock(now int64) {
	p.fire(p.clocks, now)
	p.due()
	p.alarm(p.clocks.Next())
}

// Advance implements gearcore.Clocked.
func (p *processStep[K, T, R]) Advance(w gearcore.Watermark, _ *gearcore.Collector) (gearcore.Watermark, error) {
	if w == gearcore.Idle {
		return w, nil
	}
	if p.mark == 0 {
		p.store.SetEventTime(w) // where what was written before begins its life
	}
	p.mark = max(p.mark, int64(w)) // after a rollback inputs that were idle may be behind it
	p.fire(p.events, p.mark)
	p.store.SetEventTime(w)
	return w, nil
}

// Restore implements gearcore.Checkpointed.
func (p *processStep[K, T, R]) Restore(r *gearcore.Recovery) error {
	if err := p.keyed.Restore(r); err != nil {
		return err
	}
	if err := p.renew(); err != nil {
		return err
	}
	if p.timers == nil && p.events.Len()+p.clocks.Len() > 0 {
		return &gearcore.MisfitError{Err: fmt.Errorf("step %s: the checkpoint has timers, but its processor, a %T, is no stream.TimerHandler: give it a Timer, which may do nothing",
			p.name, p.proc)}
	}
	p.alarm(p.clocks.Next())
	return nil
}

// scoped is what a Scope needs of its step, whatever that takes.
type scoped[K comparable, R any] interface {
	present() K
	emit(v R, at int64)
	watermark() int64
	now() int64
	setTimer(k K, at int64, byClock bool) error
	dropTimer(k K, at int64, byClock bool)
	failed(err error)
}

func (p *processStep[K, T, R]) present() K         { return p.state.key }
func (p *processStep[K, T, R]) emit(v R, at int64) { p.out(v, at) }
func (p *processStep[K, T, R]) watermark() int64   { return p.mark }
func (p *processStep[K, T, R]) failed(err error)   { p.r.fail(err) }

func (p *processStep[K, T, R]) setTimer(k K, at int64, byClock bool) error {
	switch {
	case p.timers == nil:
		return fmt.Errorf("step %s sets a timer, but its processor, a %T, is no stream.TimerHandler", p.name, p.proc)
	case byClock:
		p.clocks.Set(k, at)
		p.alarm(p.clocks.Next())
	default:
		p.events.Set(k, at)
	}
	return nil
}

func (p *processStep[K, T, R]) dropTimer(k K, at int64, byClock bool) {
	if byClock {
		p.clocks.Delete(k, at)
	} else {
		p.events.Delete(k, at)
	}
}

// Scope is what a Processor knows and can do while it handles a value or a timer. It may be used until that returns.
type Scope[K comparable, R any] struct {
	p  scoped[K, R]
	at int64
}

// Key is the key of the value or timer.
func (c *Scope[K, R]) Key() K { return c.p.present() }

// Time is the event time of the value, the zero time if it has none; of a timer, the moment that was set.
func (c *Scope[K, R]) Time() time.Time { return timeOf(c.at) }

// Watermark is the moment before which no events are to be expected; the zero time if that is not known yet.
func (c *Scope[K, R]) Watermark() time.Time {
	if w := c.p.watermark(); w != 0 {
		return time.UnixMilli(w)
	}
	return time.Time{}
}

// Ended reports whether all input has come to its end. A timer that is set then is due at once, so one that sets the next each time has to stop.
func (c *Scope[K, R]) Ended() bool { return c.p.watermark() == int64(gearcore.End) }

// Now is what the clock shows.
func (c *Scope[K, R]) Now() time.Time { return time.UnixMilli(c.p.now()) }

// Emit puts out v with the time of the value or timer.
func (c *Scope[K, R]) Emit(v R) { c.p.emit(v, c.at) }

// EmitAt puts out v with a time of its own. One before the watermark is late for the steps that follow.
func (c *Scope[K, R]) EmitAt(v R, at time.Time) { c.p.emit(v, milli(at)) }

// SetTimer has Timer called for this key when the watermark reaches at, to the millisecond; at once if it has, as the end of the input has
// all (Ended). The same moment twice is once.
func (c *Scope[K, R]) SetTimer(at time.Time) { c.set(at, false) }

// SetClockTimer has Timer called for this key when the clock shows at, to the millisecond: also after the end of the input, when what it emits is late for
// windows by event time behind it.
func (c *Scope[K, R]) SetClockTimer(at time.Time) { c.set(at, true) }

func (c *Scope[K, R]) set(at time.Time, byClock bool) {
	if err := c.p.setTimer(c.p.present(), at.UnixMilli(), byClock); err != nil {
		c.p.failed(err)
	}
}

// DropTimer takes back what SetTimer set for this key, if it is still to come.
func (c *Scope[K, R]) DropTimer(at time.Time) {
	c.p.dropTimer(c.p.present(), at.UnixMilli(), false)
}

// DropClockTimer takes back what SetClockTimer set.
func (c *Scope[K, R]) DropClockTimer(at time.Time) {
	c.p.dropTimer(c.p.present(), at.UnixMilli(), true)
}
