package stream

import (
	"github.com/gearstorm/gearstorm/gearcore"
)

// noTime is the time of values that have none.
const noTime = -1 << 63

// emit hands a value on to what comes next in the same task, with the time of its event in milliseconds.
type emit[T any] func(v T, at int64)

// run is the steps of one task, put together.
type run struct {
	env        Env
	ctx        *gearcore.Context
	c          *gearcore.Collector
	outputs    []*outlet
	opens      []func() error
	closes     []func()
	vals       []gearcore.Value      // what is being emitted
	generators []*generator          // in a source's task: of the steps that give times
	sink       gearcore.Checkpointed // that of the task, if it is one
	taps       []Tap                 // in a test
	err        error                 // the first one of the present call
}

// fail keeps what went wrong inside the present call.
func (r *run) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// take returns what went wrong in the call that ends, and forgets it.
func (r *run) take() error {
	err := r.err
	r.err = nil
	return err
}

func (r *run) open(ctx *gearcore.Context, c *gearcore.Collector) error {
	r.ctx, r.c = ctx, c
	for _, o := range r.outputs {
		o.to = c.Stream(o.name)
	}
	for _, f := range r.opens {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// frozen tells the taps of a checkpoint.
func (r *run) frozen(epoch uint64) {
	for _, t := range r.taps {
		t.Freeze(epoch)
	}
}

func (r *run) close() {
	for i := len(r.closes) - 1; i >= 0; i-- {
		r.closes[i]()
	}
}

// outlet is a stream of the task's component.
type outlet struct {
	name string
	to   gearcore.Output
}

// outlet returns the stream called name, which becomes usable when the task is opened.
func (r *run) outlet(name string) *outlet {
	for _, o := range r.outputs {
		if o.name == name {
			return o
		}
	}
	o := &outlet{name: name}
	r.outputs = append(r.outputs, o)
	return o
}

// fan returns an emit to all who listen to p: the steps that are called here, and the streams to other tasks.
func fan[T any](r *run, p *port) emit[T] {
	var to []emit[T]
	for _, n := range p.subs {
		if n.chains() {
			to = append(to, n.build(r).(emit[T]))
		}
	}
	for _, x := range p.exports {
		to = append(to, x.open(r).(emit[T]))
	}
	switch len(to) {
	case 0:
		return func(T, int64) {}
	case 1:
		return to[0]
	}
	return func(v T, at int64) {
		for _, f := range to {
			f(v, at)
		}
	}
}
