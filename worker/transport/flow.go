package transport

import "github.com/gearstorm/gearstorm/gearcore"

// window is how much may be under way, told by the receiver when a connection starts: each target may have exclusive
// batches sent and not processed, the targets together floating more, and a target that has targetBytes under way gets
// no second batch.
type window struct{ exclusive, floating, targetBytes int }

// flow is the sending side's state of a link: the outlets that have something to send and the credits under way. It is
// pure: no clock, no I/O; link.mu guards it.
//
// An outlet with something to send is in exactly one of three places: in ready (it may send), in starved
// (it waits for a floating credit), or in neither (it waits for one of its own batches to be processed).
type flow struct {
	win      window
	ready    fifo[*Outlet]
	starved  []*Outlet
	floating int // floating credits in use
}

// job is one batch to encode.
type job struct {
	outlet *Outlet
	batch  *gearcore.Batch
}

// schedule puts o where it belongs after something was queued, processed or reset.
func (f *flow) schedule(o *Outlet) {
	if o.scheduled {
		return
	}
	if o.queue.len() == 0 || !f.credit(o) {
		if o.queue.len() > 0 && !o.starved && !o.full(&f.win) {
			o.starved = true
			f.starved = append(f.starved, o)
		}
		return
	}
	if o.starved {
		f.unstarve(o)
	}
	o.scheduled = true
	f.ready.push(o)
}

// credit reports whether o may send a batch now.
func (f *flow) credit(o *Outlet) bool {
	return !o.full(&f.win) && (o.underWay() < f.win.exclusive || f.floating < f.win.floating)
}

func (f *flow) unstarve(o *Outlet) {
	for i, s := range f.starved {
		if s == o {
			f.starved = append(f.starved[:i], f.starved[i+1:]...)
			break
		}
	}
	o.starved = false
}

// take appends to dst what may be sent now, one batch of each outlet in turn, until it comes to about maxBytes, and
// takes the credit for it, and to wake what is to be called because there is room again.
func (f *flow) take(dst []job, maxBytes int, wake []func()) ([]job, []func()) {
	for maxBytes > 0 && f.ready.len() > 0 {
		o := f.ready.pop()
		o.scheduled = false
		if o.queue.len() > 0 && f.credit(o) {
			b := o.queue.pop()
			n := b.Size
			o.queued -= n
			maxBytes -= n
			f.charge(o, n)
			dst = append(dst, job{outlet: o, batch: b})
			wake = o.takeWakers(wake)
		}
		f.schedule(o)
	}
	return dst, wake
}

// charge takes the credit of one frame of n bytes.
func (f *flow) charge(o *Outlet, n int) {
	if o.underWay() >= f.win.exclusive {
		f.floating++
	}
	o.sent++
	o.sizes.push(n)
	o.bytes += n
}

// uncharge gives back the newest credit of o: its frame was not written after all.
func (f *flow) uncharge(o *Outlet) {
	o.sent--
	o.bytes -= o.sizes.popBack()
	f.release(o, 1)
}

// processed notes that the receiver has processed total frames of o in this session. Totals never go down and never
// exceed what was sent; others are ignored.
func (f *flow) processed(o *Outlet, total uint64) {
	if total <= o.processed || total > o.sent {
		return
	}
	n := total - o.processed
	o.processed = total
	for range n {
		o.bytes -= o.sizes.pop()
	}
	f.release(o, int(n))
}

// release follows n frames of o that are no longer under way.
func (f *flow) release(o *Outlet, n int) {
	before := o.underWay() + n
	f.free(max(before-f.win.exclusive, 0) - max(o.underWay()-f.win.exclusive, 0))
	f.schedule(o)
}

// free gives n floating credits back to whoever waits for them.
func (f *flow) free(n int) {
	f.floating -= n
	if n == 0 || len(f.starved) == 0 {
		return
	}
	all := f.starved
	f.starved = nil
	for _, s := range all {
		s.starved = false
	}
	for _, s := range all {
		f.schedule(s)
	}
}

// reset starts a new session for o: nothing is under way any more. The caller schedules o.
func (f *flow) reset(o *Outlet) {
	n := max(o.underWay()-f.win.exclusive, 0)
	o.sent, o.processed, o.bytes = 0, 0, 0
	o.sizes.clear()
	f.free(n)
}

// remove takes o out of the link: it moves to another.
func (f *flow) remove(o *Outlet) {
	if o.starved {
		f.unstarve(o)
	}
	if o.scheduled {
		f.ready.remove(o)
	}
	o.scheduled = true // free passes it over
	f.reset(o)
	o.scheduled = false
}

// drop empties o's queue and appends what it held to bs.
func (f *flow) drop(o *Outlet, bs []*gearcore.Batch) []*gearcore.Batch {
	for o.queue.len() > 0 {
		bs = append(bs, o.queue.pop())
	}
	o.queued = 0
	return bs
}
