package jvmhost

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bolt is a gearcore.BatchTask whose work is done in the Java process of a Host. Its input is paused while there is no
// channel and while Java holds as much as it may.
type Bolt struct {
	task

	// All below belongs to the executor.
	hs      handles
	full    bool // Java holds as much as it may
	aged    time.Time
	anchors []gearcore.Tuple
	bad     []refused
	keeps   bool // Java has a state of the task
	freeze  freezing
}

var (
	_ gearcore.BatchTask    = (*Bolt)(nil)
	_ gearcore.Checkpointed = (*Bolt)(nil)
	_ gearcore.Committer    = (*Bolt)(nil)
	_ gearcore.Preparer     = (*Bolt)(nil)
)

// NewBolt returns a task whose work is done in h's process.
func (h *Host) NewBolt(spec Spec) (*Bolt, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bolt{hs: handles{first: 1}}
	b.init(h, spec, b)
	return b, nil
}

// Open implements gearcore.BatchTask. It does not wait for the process.
func (b *Bolt) Open(ctx *gearcore.Context, c *gearcore.Collector) error { return b.open(ctx, c) }

// Holding implements gearcore.Holder: Java has tuples that it has not executed or not settled, ticks aside. What it emits for a
// tuple comes before it says so.
func (b *Bolt) Holding() bool {
	b.age(time.Now())
	if b.freeze.there {
		return false // what Java got since then is ticks, and behind the checkpoint
	}
	return b.freeze.asked || b.hs.out > 0 || len(b.hs.list) > 0 || b.stays()
}

// age gives up tuples that nobody settled for three message timeouts.
func (b *Bolt) age(now time.Time) {
	if t := b.spec.MessageTimeout; t > 0 && now.Sub(b.aged) > t {
		b.aged = now
		b.hs.forget(now.Add(-3 * t))
	}
}

// ExecuteBatch implements gearcore.BatchTask. It encodes and never waits.
func (b *Bolt) ExecuteBatch(in *gearcore.Batch, c *gearcore.Collector) {
	if b.cur == nil { // the input is paused then
		b.refuse(c, in, 0, errDown)
		return
	}
	if in.From != gearcore.SystemTask {
		b.freeze.there = false // nothing comes between the marker and Freeze: the checkpoint was given up
	}
	now := time.Now()
	b.age(now)
	b.bad = b.bad[:0]
	b.cur.send(func(buf []byte) []byte {
		for next := 0; next < len(in.Rows); {
			handle, h := b.hs.next(in, now)
			buf, next, b.bad = appendBatch(buf, handle, h, in, next, b.bad)
			b.hs.commit(h)
		}
		return buf
	})
	for _, r := range b.bad {
		b.refuse(c, in, r.row, r.err)
	}
	if !b.full && (b.hs.out >= b.spec.WindowBatches || b.hs.outBytes >= b.spec.WindowBytes) {
		b.full = true
		c.Pause()
	}
}

func (b *Bolt) refuse(c *gearcore.Collector, in *gearcore.Batch, row int, err error) {
	c.ReportError(err)
	c.Fail(in.Tuple(row))
}

func (b *Bolt) up(c *gearcore.Collector, ch *channel) {
	b.hs.lose(len(b.hs.list), c.Fail)
	b.cur, b.full = ch, false
	b.tellGraph()
	b.begun.Store(true)
	c.Resume()
}

// loseAtOnce is how many frames are failed in one go: the run loop may have other things to do.
const loseAtOnce = 64

// down fails whatever Java held.
func (b *Bolt) down(c *gearcore.Collector, ch *channel) {
	if b.cur != ch {
		return
	}
	b.lost(ch)
	b.cur = nil
	c.Pause()
	if b.spec.Checkpoints {
		c.Lost(fmt.Errorf("its part in Java is gone: %w", ch.why()))
		return // Restore comes
	}
	b.loseSome(c)
}

func (b *Bolt) loseSome(c *gearcore.Collector) {
	if b.cur == nil && b.hs.lose(loseAtOnce, c.Fail) {
		_ = b.async.Do(0, b.loseSome) // at the end there is nobody to fail for
	}
}

func (b *Bolt) do(c *gearcore.Collector, rp *reply) error {
	if err := b.begin(rp); err != nil {
		return err
	}
	for i := range rp.rows {
		if err := b.emit(c, rp, &rp.rows[i]); err != nil {
			return err
		}
	}
	for _, s := range rp.settles {
		if err := b.settle(c, s); err != nil {
			return err
		}
	}
	if rp.consumed > 0 {
		if err := b.hs.consume(rp.consumed); err != nil {
			return err
		}
	}
	if err := b.froze(c, rp); err != nil {
		return err
	}
	if b.full && 2*b.hs.out <= b.spec.WindowBatches && 2*b.hs.outBytes <= b.spec.WindowBytes {
		b.full = false
		c.Resume()
	}
	return nil
}

func (b *Bolt) settle(c *gearcore.Collector, s settled) error {
	switch s.op {
	case opAck:
		return b.hs.settle(s, c.Ack)
	case opFail:
		return b.hs.settle(s, c.Fail)
	}
	for row := s.from; row < s.from+s.n; row++ {
		t, open, err := b.hs.anchor(at{s.handle, row})
		if err != nil {
			return err
		}
		if open {
			c.ResetTimeout(t)
			b.hs.renew(s.handle, time.Now())
		}
	}
	return nil
}

func (b *Bolt) emit(c *gearcore.Collector, rp *reply, e *emitted) error {
	b.anchors = b.anchors[:0]
	for _, a := range rp.anchors[e.anchors.off : e.anchors.off+e.anchors.n] {
		t, open, err := b.hs.anchor(a)
		if err != nil {
			return err
		}
		if open {
			b.anchors = append(b.anchors, t)
		}
	}
	return b.send(c, rp, e, gearcore.Emission{Anchors: b.anchors})
}
