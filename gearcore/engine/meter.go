package engine

import (
	"runtime/debug"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
)

// rowSampled marks a tuple whose process latency is measured. It is an engine's own bit beside gearcore.RowSettled.
const rowSampled gearcore.RowFlags = 2

// meter counts for the hooks, between two reports, in a form that costs little per tuple: runs of equal (task, stream)
// are added up and reported when they end. It belongs to the executor's run.
type meter struct {
	hooks   gearcore.Hooks
	outs    []*output // with something emitted
	ack     tally
	fail    tally
	every   int // sampling distance
	toNext  int // tuples until the next sample
	sampled []sample
}

// tally is a run of settled tuples.
type tally struct {
	task    gearcore.TaskID
	stream  gearcore.StreamID
	n       int
	latency time.Duration
	sampled int
}

type sample struct {
	row *gearcore.Row
	at  time.Duration
}

// maxSamples bounds the tuples that are waited for; samples beyond are not taken.
const maxSamples = 16

func (m *meter) emitted(o *output, receivers int) {
	if m.hooks == nil {
		return
	}
	if o.emitted == 0 {
		m.outs = append(m.outs, o)
	}
	o.emitted++
	o.transferred += receivers
}

// acked counts a settled input tuple of a bolt.
func (m *meter) acked(t *task, row *gearcore.Row, tp gearcore.Tuple) {
	if m.hooks == nil {
		return
	}
	m.endAck(t.id, row.Stream)
	m.ack.n++
	if row.Flags&rowSampled != 0 {
		m.endSample(t.sink.x, row)
	}
}

func (m *meter) endSample(x *executor, row *gearcore.Row) {
	for i := range m.sampled {
		if m.sampled[i].row == row {
			m.ack.latency += x.e.cfg.Clock.Now() - m.sampled[i].at
			m.ack.sampled++
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

// completed counts an acked tuple of a spout.
func (m *meter) completed(x *executor, e ackers.Entry) {
	if m.hooks != nil {
		m.endAck(e.Task, e.Stream)
		m.ack.n++
		m.ack.latency += max(x.now-e.At, 0)
		m.ack.sampled++
	}
}

// lost counts a failed tuple of a spout.
func (m *meter) lost(x *executor, e ackers.Entry) {
	if m.hooks != nil {
		m.endFail(e.Task, e.Stream)
		m.fail.n++
	}
}

func (m *meter) endAck(task gearcore.TaskID, stream gearcore.StreamID) {
	if m.ack.task == task && m.ack.stream == stream {
		return
	}
	if m.ack.n > 0 {
		m.hooks.Acked(m.ack.task, m.ack.stream, m.ack.n, m.ack.latency, m.ack.sampled)
	}
	m.ack = tally{task: task, stream: stream}
}

func (m *meter) endFail(task gearcore.TaskID, stream gearcore.StreamID) {
	if m.fail.task == task && m.fail.stream == stream {
		return
	}
	if m.fail.n > 0 {
		m.hooks.Failed(m.fail.task, m.fail.stream, m.fail.n)
	}
	m.fail = tally{task: task, stream: stream}
}

// report tells the hooks what is left at the end of a run.
func (m *meter) report(x *executor) {
	if m.hooks == nil {
		return
	}
	m.endAck(0, -1)
	m.endFail(0, -1)
	for i, o := range m.outs {
		m.hooks.Emitted(o.task, o.stream, o.emitted+o.lane.N, o.transferred+o.lane.N)
		o.emitted, o.transferred = 0, 0
		o.lane.N, o.lane.Open = 0, false // the next emit comes by here again
		m.outs[i] = nil
	}
	m.outs = m.outs[:0]
}

// sampleAt returns which of the next n tuples is to be sampled, -1 for none.
func (m *meter) sampleAt(n int) int {
	if m.hooks == nil || m.every == 0 {
		return -1
	}
	if m.toNext >= n {
		m.toNext -= n
		return -1
	}
	i := m.toNext
	m.toNext = max(m.every-(n-i), 0)
	return i
}

// sample starts the measurement of tp's process latency.
func (m *meter) sample(x *executor, tp gearcore.Tuple) {
	if len(m.sampled) < maxSamples {
		row := tp.Row()
		row.Flags |= rowSampled
		m.sampled = append(m.sampled, sample{row, x.e.cfg.Clock.Now()})
	}
}

// drop forgets samples at the end of a batch if the batch is about to be reused.
func (m *meter) drop(reused bool) {
	if reused && len(m.sampled) > 0 {
		clear(m.sampled)
		m.sampled = m.sampled[:0]
	}
}

// executed tells the hooks of the rows of b from x.from to before x.row, which took the time since x.began.
func (m *meter) executed(x *executor, b *gearcore.Batch) {
	from, to := x.from, x.row
	if m.hooks == nil || from == to {
		return
	}
	x.now = x.e.cfg.Clock.Now()
	busy, all := x.now-x.began, time.Duration(to-from)
	for i := from; i < to; {
		stream, n := b.Rows[i].Stream, 0
		for ; i < to && b.Rows[i].Stream == stream; i++ {
			n++
		}
		m.hooks.Executed(b.Target, stream, n, busy*time.Duration(n)/all, n)
	}
}

// report tells the hooks of an error of a component.
func (e *Engine) report(task gearcore.TaskID, err error) {
	if e.cfg.Hooks != nil {
		e.cfg.Hooks.Errored(task, err)
	}
}

// asError turns a recovered value into the error that is reported.
func asError(r any) error {
	if err, ok := r.(*gearcore.MisuseError); ok {
		return err
	}
	return &PanicError{Value: r, Stack: debug.Stack()}
}
