package sim

import (
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// link carries batches from one worker to another, in order, each with a delay of its own, and what became of their
// tracked tuples back (trees.go).
type link struct {
	w        *World
	from, to int
	queue    []message
	flows    map[gearcore.TaskID]*flow // by first task of the receiving executor
	trees    trees
}

type message struct {
	at time.Duration
	b  *gearcore.Batch
}

// flow is the bound of a link towards one executor. Batches of tuples take room until they were consumed. A bound
// for all executors of the link together would deadlock: tuples that a blocked executor cannot consume would keep out
// those for the executor that it waits for.
type flow struct {
	l       *link
	used    int
	life    uint64 // counts the cuts
	waiters []func()
}

// outlet is the sending end, for one life of the sender.
type outlet struct {
	f    *flow
	from *node
	life uint64
}

// outlet returns the sending end towards the executor of task.
func (l *link) outlet(task gearcore.TaskID, from *node) outlet {
	first := from.plan.first[task]
	f := l.flows[first]
	if f == nil {
		f = &flow{l: l}
		l.flows[first] = f
	}
	return outlet{f, from, from.life}
}

// Push implements engine.Outlet: the batch is copied, as coding it would.
func (o outlet) Push(b *gearcore.Batch) bool {
	c := &gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From, Plan: o.from.plan.version, Rows: slices.Clone(b.Rows), Vals: slices.Clone(b.Vals),
		Watermark: b.Watermark, Marker: b.Marker, Generation: b.Generation, Behind: b.Behind}
	l := o.f.l
	alive := o.from.life == o.life
	if up := l.w.nodes[l.to].driver != nil; alive && up {
		l.trees.send(b, c)
	} else if alive {
		l.trees.fail(b.Roots)
	}
	if b.Done != nil {
		b.Done(b)
	}
	if !alive || l.w.nodes[l.to].driver == nil {
		return true // lost
	}
	if n := l.w.cfg.Losses; n > 0 && l.w.rnd.IntN(n) == 0 {
		return o.HasRoom()
	}
	at := l.w.now + l.w.delay()
	if n := len(l.queue); n > 0 {
		at = max(at, l.queue[n-1].at)
	}
	o.f.used++
	life := o.f.life
	c.Done = func(*gearcore.Batch) {
		if o.f.life == life {
			o.f.credit()
		}
	}
	l.queue = append(l.queue, message{at, c})
	return o.HasRoom()
}

// HasRoom implements engine.Outlet.
func (o outlet) HasRoom() bool { return o.f.used < o.f.l.w.cfg.LinkBatches }

// Notify implements engine.Outlet.
func (o outlet) Notify(wake func()) {
	if 2*o.f.used <= o.f.l.w.cfg.LinkBatches {
		wake()
		return
	}
	o.f.waiters = append(o.f.waiters, wake)
}

func (f *flow) credit() {
	if f.used--; 2*f.used <= f.l.w.cfg.LinkBatches {
		f.wake()
	}
}

func (f *flow) wake() {
	ws := f.waiters
	f.waiters = nil
	for _, w := range ws {
		w()
	}
}

// next returns when the link has something to do.
func (l *link) next() (at time.Duration, ok bool) {
	if len(l.queue) > 0 {
		at, ok = l.queue[0].at, true
	}
	if back, some := l.trees.next(); some && (!ok || back < at) {
		at, ok = back, true
	}
	return at, ok
}

func (l *link) due() bool {
	at, ok := l.next()
	return ok && at <= l.w.now
}

// act does one thing that is due. Much data does not keep results from going the other way.
func (l *link) act() {
	back, some := l.trees.next()
	results := some && back <= l.w.now
	if len(l.queue) == 0 || l.queue[0].at > l.w.now || results && l.w.rnd.IntN(2) == 0 {
		l.trees.act()
		return
	}
	m := l.queue[0]
	l.queue = l.queue[1:]
	l.trees.receive(m.b)
	if err := l.w.nodes[l.to].driver.Deliver(m.b); err != nil {
		panic(err) // the World routes by the same plan
	}
}

// cut loses what is under way, because one end is gone.
func (l *link) cut() {
	l.queue = nil
	firsts := make([]gearcore.TaskID, 0, len(l.flows))
	for first := range l.flows {
		firsts = append(firsts, first)
	}
	slices.Sort(firsts) // the order of wakes is part of the run
	for _, first := range firsts {
		f := l.flows[first]
		f.life++
		f.used = 0
		f.wake()
	}
	l.trees.cut()
}
