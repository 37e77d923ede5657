package engine

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// A task that works between calls (gearcore.Holder) may still put out something for tuples that it got long ago. So what holds
// behind those tuples waits until it holds none: a marker at once, and nothing more is executed until then; a watermark for a
// while, and then the same is done for it, since under load a task may always hold something. A task that holds something for as
// long as an alignment may take all the same gets more, and event time stands: who keeps tuples for ever keeps back the clock, and each
// checkpoint until that is given up, but not the topology. What such a task begins in Advance (timers that are due) is waited for likewise.

// drain is what waits in a task that holds tuples. It belongs to the executor's run.
type drain struct {
	holder gearcore.Holder    // nil: the task works in its calls alone
	preps  gearcore.Preparer  // nil: its state needs no preparing
	prep   uint64             // the newest checkpoint that it was told to prepare
	mark   gearcore.Watermark // is to be told; 0: none
	since  time.Duration      // when mark came
	marker uint64             // all senders have sent this one; 0: none
	closed bool               // what comes is set aside
	shut   time.Duration      // since then, for mark
	futile bool               // that was of no use: not again before the task holds nothing
}

// holds says whether the task has tuples under way.
func (d *drain) holds() bool { return d.holder != nil && d.holder.Holding() }

// later keeps a watermark for when the task holds nothing.
func (c *timed) later(w gearcore.Watermark) {
	if c.drain.mark == 0 {
		c.drain.since = c.x.now
	}
	c.drain.mark = w
}

// obsolete forgets a watermark that waits, as the one that the task was told is right again: an input has become idle meanwhile, or is not any more.
func (c *timed) obsolete() {
	d := &c.drain
	if d.mark == 0 {
		return
	}
	d.mark, d.futile = 0, false
	if d.closed && d.marker == 0 {
		d.closed = false
		c.readmit()
	}
}

// unfinished is for a task that has begun something in Advance which belongs before w is told on: it is asked again when it holds nothing.
// Nothing is executed until then, since all that comes is behind w.
func (c *timed) unfinished(w gearcore.Watermark) {
	c.later(w)
	c.drain.closed, c.drain.shut = true, c.x.now
}

// laterMarker does that for a marker.
func (c *timed) laterMarker(k uint64) { c.drain.marker, c.drain.closed = k, true }

// ripe takes part in checkpoint k, whose markers have all come, now or when the task holds nothing.
func (c *timed) ripe(k uint64) {
	if c.drain.holds() || !c.prepared(k) {
		c.laterMarker(k)
		return
	}
	c.take(k)
}

// prepared has a task that holds nothing prepare checkpoint k, unless it was told to, and says whether it is done.
func (c *timed) prepared(k uint64) bool {
	d := &c.drain
	if d.preps == nil || d.prep == k {
		return true
	}
	d.prep = k
	c.x.calling = c.t
	d.preps.Prepare(k, c.t.c)
	c.x.called()
	return !d.holds()
}

// drained goes on with what waited, once the task holds nothing. It is called in every run, between calls of the task.
func (c *timed) drained() {
	d := &c.drain
	if d.mark == 0 && !d.closed {
		return
	}
	if d.holds() {
		c.patience()
		return
	}
	if d.marker != 0 && !c.prepared(d.marker) {
		return
	}
	d.futile = false
	if w := d.mark; w != 0 {
		d.mark = 0
		if c.advance(w); d.holds() {
			return
		}
	}
	d.closed = false
	if k := d.marker; k != 0 {
		d.marker = 0
		c.take(k)
		return
	}
	c.readmit() // what is behind a marker of an alignment is set aside again
}

// patience decides about a watermark that waits whether more is executed meanwhile.
func (c *timed) patience() {
	d := &c.drain
	switch {
	case d.marker != 0 || d.mark == 0:
	case !d.closed && !d.futile && c.x.now-d.since >= c.cfg.WatermarkEvery:
		d.closed, d.shut = true, c.x.now
	case d.closed && c.x.now-d.shut >= c.cfg.AlignLimit:
		d.closed, d.futile = false, true
		c.readmit()
	}
}

// until is when patience has to be asked again, 0: not.
func (c *timed) until() time.Duration {
	if d := &c.drain; d.closed && d.marker == 0 {
		return d.shut + c.cfg.AlignLimit
	}
	return 0
}

// forgetMarker gives up a marker that waits, up to k.
func (d *drain) forgetMarker(k uint64) {
	if d.marker != 0 && d.marker <= k {
		d.marker, d.closed = 0, false
		d.futile = d.mark != 0
	}
}
