package jvmhost

import (
	"errors"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bolt is a gearcore.BatchTask whose work is done in the Java process of a Host. Its input is paused while there is no
// process and while Java holds as much as it may.
type Bolt struct {
	host *Host
	spec Spec

	// Set by Open, read-only after it.
	id    uint64 // of its channels
	ctx   *gearcore.Context
	async *gearcore.Async

	// All below belongs to the executor.
	cur     *channel // nil while there is no process
	hs      handles
	full    bool  // Java holds as much as it may
	outs    []int // positions of Spec.Outputs
	anchors []gearcore.Tuple
	bad     []refused
}

var _ gearcore.BatchTask = (*Bolt)(nil)

// NewBolt returns a task whose work is done in h's process.
func (h *Host) NewBolt(spec Spec) (*Bolt, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Bolt{host: h, spec: spec, hs: handles{first: 1}}, nil
}

// Open implements gearcore.BatchTask. It does not wait for the process.
func (b *Bolt) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	b.ctx, b.async = ctx, c.Async()
	for _, o := range b.spec.Outputs {
		i := c.OutputIndex(o.Stream)
		if i < 0 {
			return fmt.Errorf("open channel to Java: component %s does not declare stream %q", ctx.Component, o.Stream)
		}
		b.outs = append(b.outs, i)
	}
	c.Pause()
	b.host.attach(b)
	return nil
}

// Holding implements gearcore.Holder: Java has tuples that it has not executed or not settled.
func (b *Bolt) Holding() bool { return b.hs.out > 0 || len(b.hs.list) > 0 }

// Close implements gearcore.BatchTask: it ends the channel and waits for its goroutines.
func (b *Bolt) Close() {
	if b.async != nil {
		b.host.detach(b)
	}
}

var errDown = errors.New("the Java process is down")

// ExecuteBatch implements gearcore.BatchTask. It encodes and never waits.
func (b *Bolt) ExecuteBatch(in *gearcore.Batch, c *gearcore.Collector) {
	if b.cur == nil { // the input is paused then
		b.refuse(c, in, 0, errDown)
		return
	}
	now := time.Now()
	if t := b.spec.MessageTimeout; t > 0 {
		b.hs.forget(now.Add(-3 * t))
	}
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

// up is called when Java has opened its channel.
func (b *Bolt) up(c *gearcore.Collector, ch *channel) {
	b.hs.lose(len(b.hs.list), c.Fail)
	b.cur, b.full = ch, false
	c.Resume()
}

// loseAtOnce is how many frames are failed in one go: the run loop may have other things to do.
const loseAtOnce = 64

// down is called when the channel is gone: whatever Java held is failed.
func (b *Bolt) down(c *gearcore.Collector, ch *channel) {
	if b.cur != ch {
		return
	}
	b.cur = nil
	c.Pause()
	b.loseSome(c)
}

func (b *Bolt) loseSome(c *gearcore.Collector) {
	if b.cur == nil && b.hs.lose(loseAtOnce, c.Fail) {
		_ = b.async.Do(0, b.loseSome) // at the end there is nobody to fail for
	}
}

// apply does what a reply says. After the first error the channel is given up.
func (b *Bolt) apply(c *gearcore.Collector, ch *channel, rp *reply) {
	if b.cur == ch && !ch.broken {
		if err := b.do(c, rp); err != nil {
			ch.broken = true
			ch.end(err)
		}
		if b.full && 2*b.hs.out <= b.spec.WindowBatches && 2*b.hs.outBytes <= b.spec.WindowBytes {
			b.full = false
			c.Resume()
		}
	}
	ch.applied(rp)
}

func (b *Bolt) do(c *gearcore.Collector, rp *reply) error {
	for i := range rp.rows {
		if err := b.emit(c, rp, &rp.rows[i]); err != nil {
			return err
		}
	}
	for _, s := range rp.settles {
		settle := c.Fail
		if s.ack {
			settle = c.Ack
		}
		if err := b.hs.settle(s, settle); err != nil {
			return err
		}
	}
	if rp.consumed > 0 {
		return b.hs.consume(rp.consumed)
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
	em := gearcore.Emission{Stream: b.outs[e.output], Anchors: b.anchors}
	vals := rp.vals[e.vals.off : e.vals.off+e.vals.n]
	var err error
	if e.routed {
		err = c.SendTo(em, rp.tasks[e.tasks.off:e.tasks.off+e.tasks.n], vals)
	} else {
		_, err = c.TrySend(em, vals)
	}
	if err != nil {
		return fmt.Errorf("what Java emitted: %w", err)
	}
	return nil
}
