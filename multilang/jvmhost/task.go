package jvmhost

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// task is what Bolt and Spout have in common: the Java thread of one task, over a channel that may be lost and come again.
type task struct {
	host *Host
	spec Spec
	port port

	// Set by open, read-only after it.
	id    uint64 // of its channels
	ctx   *gearcore.Context
	async *gearcore.Async
	outs  []int // positions of Spec.Outputs

	// Of the executor.
	cur      *channel // nil while there is none
	followed bool     // it works by another version of the graph than it was made for
	exported int      // rows of the present reply so far

	graph   atomic.Int64 // the version of the graph that the task works by
	begun   atomic.Bool  // Java has opened a channel
	leaving atomic.Bool  // the task is not local any more; see Host.Local
	left    atomic.Bool  // since then Java has nothing under way to it that did not pass Go
}

// port is a task as its channel sees it. All is called by the executor.
type port interface {
	// up is called when Java has opened the channel, down when it is gone.
	up(c *gearcore.Collector, ch *channel)
	down(c *gearcore.Collector, ch *channel)
	// do does what a reply says; an error gives the process up.
	do(c *gearcore.Collector, rp *reply) error
}

func (t *task) init(h *Host, spec Spec, p port) {
	t.host, t.spec, t.port = h, spec, p
	t.graph.Store(spec.Graph)
}

// open asks the host for a channel, without waiting for it. The input of the executor waits until there is one.
func (t *task) open(ctx *gearcore.Context, c *gearcore.Collector) error {
	t.ctx, t.async = ctx, c.Async()
	for _, o := range t.spec.Outputs {
		i := c.OutputIndex(o.Stream)
		if i < 0 {
			return fmt.Errorf("open channel to Java: component %s does not declare stream %q", ctx.Component, o.Stream)
		}
		t.outs = append(t.outs, i)
	}
	if !t.spec.Checkpoints { // else nothing comes before Restore
		c.Pause()
	}
	t.host.attach(t)
	return nil
}

// Started implements gearcore.Starter.
func (t *task) Started() bool { return t.begun.Load() }

// Close ends the channel and waits for its goroutines.
func (t *task) Close() {
	if t.async == nil {
		return
	}
	t.host.detach(t)
	if t.cur != nil {
		t.lost(t.cur) // nobody else says so: the executor has ended
	}
}

// apply does what a reply of ch says. After the first error the channel is given up.
func (t *task) apply(c *gearcore.Collector, ch *channel, rp *reply) {
	if t.cur == ch && !ch.broken {
		for _, text := range rp.errors {
			c.ReportError(&JavaError{text})
		}
		if err := t.port.do(c, rp); err != nil {
			ch.broken = true
			ch.end(err)
		}
	}
	ch.applied(rp)
}

// begin takes in what a reply says besides rows and settles, and prepares for its rows.
func (t *task) begin(rp *reply) error {
	t.exported = 0
	if n := rp.exports; n > 0 {
		if t.host.engine == nil {
			return badFrame("Java keeps trees, but no edges")
		}
		if t.cur.exports == nil {
			t.cur.exports = newExports(t.host.engine, t.cur, t.spec.MessageTimeout)
		}
		t.cur.exports.open(n, time.Now())
	}
	if rp.left && t.leaving.Load() { // else it has come back
		t.left.Store(true)
	}
	return t.count(rp.stats)
}

// lost follows the end of ch.
func (t *task) lost(ch *channel) {
	if ch.exports != nil {
		ch.exports.close()
	}
	t.left.Store(false)
}

// stays says whether the task is to leave, and Java has not said that nothing is under way to it any more.
func (t *task) stays() bool { return t.leaving.Load() && t.cur != nil && !t.left.Load() }

// send emits one row of a reply.
func (t *task) send(c *gearcore.Collector, rp *reply, e *emitted, em gearcore.Emission) error {
	em.Stream, em.Earlier = t.outs[e.output], t.followed
	if e.export {
		em.Anchors = append(em.Anchors, t.cur.exports.tuple(t.exported))
		defer t.cur.exports.sent(t.exported)
		t.exported++
	}
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

// report tells of an error. That does not wait for the executor: in a topology with checkpoints it may be about to forget what it was told, and one
// that waits for room may do so for a task that waits for the next process.
func (t *task) report(err error) {
	if hooks := t.host.hooks; hooks != nil && t.spec.Checkpoints {
		hooks.Errored(t.ctx.Task, err)
		return
	}
	_ = t.async.Report(err) // an executor that has ended needs no telling
}

var errDown = errors.New("the Java process is down")

// JavaError is an error that a component in Java reported: the text of its exception, mostly with the stack.
type JavaError struct{ Text string }

func (e *JavaError) Error() string { return e.Text }

// TaskError says that the code of one task in Java threw what it should not, or could not be loaded. What the task held was
// failed, and it is made anew; the process and its other tasks go on.
type TaskError struct {
	Text string // of the exception
	Wait time.Duration
}

func (e *TaskError) Error() string {
	return fmt.Sprintf("%s\nthe task is started anew in %v", e.Text, e.Wait)
}
