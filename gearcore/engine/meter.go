package engine

import (
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// rowSampled marks a tuple whose process latency is measured. It is an engine's own bit beside gearcore.RowSettled.
const rowSampled gearcore.RowFlags = 2

// meter counts for the hooks, between two reports, in a form that costs little per tuple: runs of equal (task, stream)
// are added up and reported when they end. It belongs to the executor's run. The clock is read at most once a batch for
// it, and not where the budget has just read it.
type meter struct {
	hooks   gearcore.Hooks
	outs    []*output // with something emitted
	done    tally     // executed
	ack     tally
	fail    tally
	took    tally // n tuples of a spout that were acked and took d each
	seen    int   // tuples in this run
	sampled []sample
	heldAt  time.Duration // when a spout ended a run with as much in flight as it may have, 0: it did not
}

// pace is how often an executor samples.
type pace struct {
	every  int32 // present distance of samples; 0: nothing is sampled
	toNext int32 // tuples until the next sample
}

// tally is a run of tuples of one task and stream.
type tally struct {
	task   gearcore.TaskID
	stream gearcore.StreamID
	n      int
	d      time.Duration
}

func (t *tally) is(task gearcore.TaskID, stream gearcore.StreamID) bool {
	return t.task == task && t.stream == stream
}

type sample struct {
	row *gearcore.Row
	at  time.Duration
}

const (
	// maxSamples bounds the tuples that are waited for; samples beyond are not taken.
	maxSamples = 16
	// maxDistance bounds the distance of samples.
	maxDistance = 4096
)

// newPace returns the pace of an executor. every is the distance of samples, 0 for about one a run, negative for none.
func newPace(hooks gearcore.Hooks, every int) pace {
	if hooks == nil || every < 0 {
		return pace{}
	}
	return pace{every: clip(max(every, 1))}
}

// emitted counts a tuple of o. It does so with and without hooks: a branch would cost as much.
func (m *meter) emitted(o *output, receivers int) {
	if o.emitted == 0 {
		m.outs = append(m.outs, o)
	}
	o.emitted++
	o.transferred += receivers
}

// acked counts a settled input tuple of a bolt.
func (m *meter) acked(t *task, row *gearcore.Row) {
	m.ackedAll(t.id, row.Stream, 1)
	if row.Flags&rowSampled != 0 {
		m.endSample(t, row)
	}
}

// ackedAll counts n settled input tuples of a bolt.
func (m *meter) ackedAll(task gearcore.TaskID, stream gearcore.StreamID, n int) {
	if m.hooks == nil {
		return
	}
	if !m.ack.is(task, stream) {
		m.endAck(task, stream)
	}
	m.ack.n += n
}

func (m *meter) endSample(t *task, row *gearcore.Row) {
	for i := range m.sampled {
		if m.sampled[i].row == row {
			m.hooks.Took(t.id, row.Stream, 1, t.sink.x.e.cfg.Clock.Now()-m.sampled[i].at)
			last := len(m.sampled) - 1
			m.sampled[i] = m.sampled[last]
			m.sampled[last] = sample{}
			m.sampled = m.sampled[:last]
			return
		}
	}
}

// failed counts a failed input tuple of a bolt.
func (m *meter) failed(t *task, row *gearcore.Row) {
	if m.hooks != nil {
		m.endFail(t.id, row.Stream)
		m.fail.n++
	}
}

// completedMore counts an acked tuple of a spout if it is like the last one, and says whether it did; otherwise completed
// is to be called. Emits and acks come in runs that share a reading of the clock, so most neighbours took equally long.
func (m *meter) completedMore(x *executor, o *ackers.Origin) bool {
	if x.now-o.At != m.took.d || !m.took.is(o.Task, o.Stream) {
		return false
	}
	m.took.n++
	return true
}

// completed counts an acked tuple of a spout.
func (m *meter) completed(x *executor, o *ackers.Origin) {
	if m.hooks != nil {
		m.endTook(o.Task, o.Stream, max(x.now-o.At, 0))
		m.took.n++
	}
}

// lost counts a failed tuple of a spout.
func (m *meter) lost(x *executor, o *ackers.Origin) {
	if m.hooks != nil {
		m.endFail(o.Task, o.Stream)
		m.fail.n++
	}
}

func (m *meter) endDone(task gearcore.TaskID, stream gearcore.StreamID) {
	if m.done.n > 0 {
		m.hooks.Executed(m.done.task, m.done.stream, m.done.n, m.done.d, m.done.n)
	}
	m.done = tally{task: task, stream: stream}
}

func (m *meter) endAck(task gearcore.TaskID, stream gearcore.StreamID) {
	if m.ack.n > 0 {
		m.hooks.Acked(m.ack.task, m.ack.stream, m.ack.n)
	}
	m.ack = tally{task: task, stream: stream}
}

func (m *meter) endTook(task gearcore.TaskID, stream gearcore.StreamID, d time.Duration) {
	if t := &m.took; t.n > 0 {
		m.hooks.Acked(t.task, t.stream, t.n)
		m.hooks.Took(t.task, t.stream, t.n, t.d)
	}
	m.took = tally{task: task, stream: stream, d: d}
}

func (m *meter) endFail(task gearcore.TaskID, stream gearcore.StreamID) {
	if m.fail.is(task, stream) {
		return
	}
	if m.fail.n > 0 {
		m.hooks.Failed(m.fail.task, m.fail.stream, m.fail.n)
	}
	m.fail = tally{task: task, stream: stream}
}

// report tells the hooks what is left at the end of a run.
func (m *meter) report(x *executor) {
	if m.hooks != nil {
		m.endDone(0, -1)
		m.endAck(0, -1)
		m.endTook(0, -1, 0)
		m.endFail(0, -1)
		if x.every != 0 && x.e.cfg.SampleEvery == 0 {
			x.every = int32(min(max(m.seen, 1), maxDistance))
			x.toNext = min(x.toNext, x.every)
		}
		m.seen = 0
		m.hold(x)
	}
	for i, o := range m.outs {
		if l := o.lane; l != nil {
			o.emitted += l.N
			o.transferred += l.N
			l.N, l.Open = 0, false // the next emit comes by here again
		}
		if m.hooks != nil {
			m.hooks.Emitted(o.task, o.stream, o.emitted, o.transferred)
		}
		o.emitted, o.transferred = 0, 0
		m.outs[i] = nil
	}
	m.outs = m.outs[:0]
}

// hold tells the hooks how long a spout was held by its bound of tuples in flight: from the end of a run at the bound to
// the beginning of the next.
func (m *meter) hold(x *executor) {
	if m.heldAt != 0 {
		m.hooks.Held(x.first, max(x.until-runTime-m.heldAt, 0))
		m.heldAt = 0
	}
	if x.maxPending > 0 && x.active && x.pending.Len() >= x.maxPending {
		m.heldAt = x.now
	}
}

// sampleAt returns which of the next n tuples is to be sampled, -1 for none.
func (p *pace) sampleAt(n int) int {
	if p.every == 0 {
		return -1
	}
	if int(p.toNext) >= n {
		p.toNext -= int32(n)
		return -1
	}
	i := int(p.toNext)
	p.toNext = max(p.every-int32(n-i), 0)
	return i
}

// sample starts the measurement of tp's process latency. That of the first tuple of a stretch needs no reading of the
// clock.
func (m *meter) sample(x *executor, tp gearcore.Tuple) {
	if len(m.sampled) < maxSamples {
		row := tp.Row()
		row.Flags |= rowSampled
		at := x.began
		if x.row != x.from {
			at = x.e.cfg.Clock.Now()
		}
		m.sampled = append(m.sampled, sample{row, at})
	}
}

// drop forgets samples at the end of a batch if the batch is about to be reused.
func (m *meter) drop(reused bool) {
	if reused && len(m.sampled) > 0 {
		clear(m.sampled)
		m.sampled = m.sampled[:0]
	}
}

// queued tells the hooks how long b, the batch that comes next, has waited.
func (m *meter) queued(x *executor, b *gearcore.Batch) {
	if m.hooks != nil && len(b.Rows) > 0 {
		m.hooks.Queued(b.Target, b.From, len(b.Rows), max(x.now-b.At, 0))
	}
}

// executed counts the rows of b from x.from to before x.row, which took the time since x.began. Afterwards x.now is
// fresh, for the budget and for what comes next.
func (m *meter) executed(x *executor, b *gearcore.Batch) {
	from, to := x.from, x.row
	if m.hooks == nil || from == to {
		return
	}
	if x.toCheck != int(x.stride) { // not read after the last call
		x.now = x.e.cfg.Clock.Now()
		x.toCheck = int(x.stride)
	}
	m.seen += to - from
	if !x.mixed {
		m.handled(b.Target, b.Rows[from].Stream, to-from, x.now-x.began)
		return
	}
	busy, all := x.now-x.began, time.Duration(to-from)
	for i := from; i < to; {
		stream, n := b.Rows[i].Stream, 1
		for i+n < to && b.Rows[i+n].Stream == stream {
			n++
		}
		m.handled(b.Target, stream, n, busy*time.Duration(n)/all)
		i += n
	}
}

// handled counts n executed tuples of one stream.
func (m *meter) handled(task gearcore.TaskID, stream gearcore.StreamID, n int, busy time.Duration) {
	if !m.done.is(task, stream) {
		m.endDone(task, stream)
	}
	m.done.n += n
	m.done.d += busy
}

// report tells the hooks of an error of a component.
func (e *Engine) report(task gearcore.TaskID, err error) {
	if e.cfg.Hooks != nil {
		e.cfg.Hooks.Errored(task, err)
	}
}
