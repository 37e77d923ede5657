package engine

import "github.com/gearstorm/gearstorm/gearcore"

// noBatch is what the lane of nowhere fills. It is never written.
var noBatch *gearcore.Batch

// rewire makes x go over to another roster: the receivers of what it emits may be elsewhere. It is called at the start of a
// run, or between two calls of its code. Outboxes stay the same, with what they hold; so do the positions of tasks in routes, and with
// them the receivers of a fields grouping, unless the roster has another plan (replan.go).
func (x *executor) rewire(r *roster) {
	was := x.wired
	x.wired = r
	if was.plan != r.plan && x.leaves == nil {
		x.replan()
		if x.timed != nil {
			x.timed.replan()
		}
	}
	x.fusedTo, x.fused, x.fusedDue = r.fused[x], nil, false
	x.strikes, x.apart = 0, 0
	if x.timed != nil {
		x.timed.forget()
	}
	x.eachBox((*outbox).rewire)
	for _, t := range x.tasks {
		for i := range t.sink.outs {
			t.sink.outs[i].rewire()
		}
	}
}

// rewire leads o to where its target is now. Batches that were to be used again, since their receiver would have kept
// nothing, are left to the garbage collector if the present one may.
func (o *outbox) rewire() {
	was := o.reuse
	if o.fused {
		o.limit = min(o.limit, o.x.e.cfg.BatchRows)
	}
	o.lead()
	o.room = false // it is asked
	o.armed.Store(false)
	if !was || o.reuse {
		return
	}
	if o.cur != nil {
		o.cur.Done = nil
	}
	for b := o.full.head; b != nil; b = b.Next {
		b.Done = nil
	}
}

// rewire closes the lane, which leads to an outbox as it was, and lets shuffles begin anew.
func (o *output) rewire() {
	if l := o.lane; l != nil {
		l.Open, l.Batch = false, &noBatch
	}
	for i := range o.routes {
		if s := o.routes[i].spread; s != nil {
			s.bal, s.only, s.till, s.upto = nil, nil, 0, 0
		}
	}
}
