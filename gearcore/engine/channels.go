package engine

import (
	"math"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
)

// channel is the way from one sending task to the task of an executor, in one generation.
type channel struct {
	from   gearcore.TaskID
	torn   bool               // something that was sent by it has not come
	mark   gearcore.Watermark // that it has told last; 0: none
	marker uint64             // the newest one that it sent
	rows   uint64             // that have come
}

// newChannels returns channels from senders, by their number.
func newChannels(senders []gearcore.TaskID) []channel {
	slices.Sort(senders)
	out := make([]channel, len(senders))
	for i, id := range senders {
		out[i].from = id
	}
	return out
}

// channelFrom returns the channel from a task, nil if that is no sender.
func (c *timed) channelFrom(id gearcore.TaskID) *channel {
	if ch := c.from; ch != nil && ch.from == id {
		return ch
	}
	if i := int(id - c.channels0()); uint(i) < uint(len(c.channels)) && c.channels[i].from == id {
		return &c.channels[i]
	}
	i, ok := slices.BinarySearchFunc(c.channels, id, func(ch channel, id gearcore.TaskID) int { return int(ch.from - id) })
	if !ok {
		return nil
	}
	return &c.channels[i]
}

// channels0 is the number of the first sender.
func (c *timed) channels0() gearcore.TaskID {
	if len(c.channels) == 0 {
		return 0
	}
	return c.channels[0].from
}

// clock is what a task knows of event time. It never goes back within a generation.
type clock struct {
	least gearcore.Watermark // of the channels; 0: one of them has told none
	now   gearcore.Watermark // of the input: least, but that it does not go back; 0: not known
	at    gearcore.Watermark // the largest now that was an event time or the end
	out   gearcore.Watermark // of what the task emits; 0: not known
	said  gearcore.Watermark // the largest out that was an event time or the end
}

// raise takes a watermark that came on a channel, behind all that came on it before.
func (c *timed) raise(ch *channel, w gearcore.Watermark) {
	was := ch.mark
	if w == was || was != gearcore.Idle && was != 0 && w < was {
		return
	}
	ch.mark = w
	if c.least != 0 && was != c.least && w >= c.least {
		return
	}
	c.least = lowest(c.channels)
	if c.least != 0 {
		c.advance(c.least)
	}
}

// lowest returns the lowest watermark of channels, Idle if some of them are idle and all others have ended, 0 if one has told none.
func lowest(channels []channel) gearcore.Watermark {
	low := gearcore.End
	for i := range channels {
		switch w := channels[i].mark; {
		case w == 0:
			return 0
		case w < low:
			low = w
		}
	}
	return low
}

// advance makes w the input clock, if that is later, and tells the task. No call of its code may be under way.
func (c *timed) advance(w gearcore.Watermark) {
	if w != gearcore.Idle {
		w = max(w, c.at)
		c.at = w
	}
	if w == c.now {
		c.obsolete()
		return
	}
	if c.drain.holds() {
		c.later(w)
		return
	}
	c.drain.mark = 0
	out := w
	if c.clocked != nil {
		x := c.x
		x.calling = c.t
		said, err := c.clocked.Advance(w, c.t.c)
		x.called()
		if err != nil {
			x.e.report(c.t.id, err)
			c.broken(err)
		}
		if c.drain.holds() {
			c.unfinished(w)
			return
		}
		out = min(said, w)
	}
	c.now = w
	c.tell(out)
}

// tell makes w the output watermark, if that is later.
func (c *timed) tell(w gearcore.Watermark) {
	switch {
	case w == 0:
		return
	case w != gearcore.Idle:
		w = max(w, c.said)
		c.said = w
	}
	if w != c.out {
		c.out, c.toTell = w, true
	}
}

// asked asks a source for its watermark, at the end of a run, and gives a task that nobody sends anything to one.
func (c *timed) asked() {
	w := gearcore.Idle
	if c.source != nil {
		c.x.calling = c.t
		w = c.source.Watermark()
		c.x.called()
	}
	switch {
	case w == 0:
		return
	case w != gearcore.Idle:
		w = max(w, c.at)
		c.at = w
	}
	c.now = w
	c.tell(w)
}

// announce has the watermark sent to those who have not been told, with the rows that are about to leave, or without any.
// It is called at the end of a run, before what was emitted is handed over.
func (c *timed) announce() {
	x := c.x
	if c.ended {
		return
	}
	if c.retellAt != 0 && x.now >= c.retellAt && c.out != 0 {
		c.retellAt = x.now + retellAfter*c.cfg.WatermarkEvery
		c.forget()
	}
	if c.toTell && x.now >= c.scanAt {
		c.toTell = false
		c.scanAt = x.now + c.cfg.WatermarkEvery
		for _, o := range c.outboxes() {
			if o.told != c.out && o.cur == nil {
				o.beginBare()
			}
		}
	}
	c.alarm()
}

// forget makes all receivers be told again.
func (c *timed) forget() {
	c.toTell = c.out != 0
	for _, o := range c.ways {
		o.told = 0
	}
}

// alarm sees to it that x runs when there will be something to tell. What was set for later stays set, and is kept in mind: else one more would
// be set for that each time.
func (c *timed) alarm() {
	at := c.retellAt
	if c.toTell {
		at = c.scanAt
	}
	if len(c.receivers) == 0 {
		at = 0
	}
	if until := c.until(); until != 0 && (at == 0 || until < at) {
		at = until
	}
	if at == 0 || c.alarmAt != 0 && c.alarmAt <= at {
		return
	}
	c.alarmAt, c.laterAt = at, c.alarmAt
	c.x.e.timers.add(timer{at: at, x: c.x, what: evClock})
}

// rang forgets the timers of alarm that are over; x.now may be from before them.
func (c *timed) rang() {
	for now := c.x.e.cfg.Clock.Now(); c.alarmAt != 0 && c.alarmAt <= now; {
		c.alarmAt, c.laterAt = c.laterAt, 0
	}
}

// stamp labels a batch that is complete with what is true behind it.
func (c *timed) stamp(o *outbox, b *gearcore.Batch) {
	if o.told != c.out {
		o.told = c.out
		b.Watermark = c.out
	}
	if c.generation != 0 {
		b.Generation, b.Behind = c.generation, o.behind
		o.behind += uint64(len(b.Rows))
	}
}

// beginBare makes a batch to fill for one that is to leave whether it has rows or not.
func (o *outbox) beginBare() {
	if o.reuse {
		b := o.x.e.pool.rows(1, 0)
		b.Done = o.x.e.pool.done
		o.enter(b)
		return
	}
	o.enter(&gearcore.Batch{})
}

// resetClock makes the clock what it is at the beginning of a generation.
func (c *timed) resetClock() {
	c.clock = clock{at: math.MinInt64, said: math.MinInt64}
	for i := range c.channels {
		c.channels[i] = channel{from: c.channels[i].from}
	}
	c.from, c.toTell, c.scanAt = nil, false, 0
	c.drain = drain{holder: c.drain.holder, preps: c.drain.preps}
	for _, o := range c.ways {
		o.told = 0
	}
}
