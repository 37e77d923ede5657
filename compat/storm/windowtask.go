package storm

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// windowTask puts the tuples of a WindowedBolt into windows. A tuple is acked when it has left the window (WindowedBoltExecutor), or, where
// something keeps the windows, when it comes (PersistentWindowedBoltExecutor).
type windowTask struct {
	spec *WindowedSpec
	bolt WindowedBolt

	conf      windowConf
	clock     window.Clock
	began     time.Time
	queue     *windowQueue
	trigger   trigger
	times     *streamTimes // nil: the time at which tuples come
	late      int          // position of the stream for late tuples; -1: they are dropped
	c         *Collector
	err       error // of the bolt, in the present call
	stop      func()
	kept      *windowStore // nil: the windows are in no checkpoint
	ackAtOnce bool
	ready     bool // what the task begins with is there
	changed   bool // since the last checkpoint
}

func newWindowTask(s *WindowedSpec, b WindowedBolt) (*windowTask, error) {
	typ := reflect.TypeOf(b)
	_, closes := typ.MethodByName("Close")
	_, listens := typ.MethodByName("SetCredentials")
	err := errors.Join(checkMethod[Closer](typ, "Close", closes), checkMethod[CredentialsListener](typ, "SetCredentials", listens))
	if err != nil {
		return nil, err
	}
	return &windowTask{spec: s, bolt: b, began: time.Now(), late: -1, stop: func() {}}, nil
}

// Prepare implements Bolt.
func (t *windowTask) Prepare(ctx *gearcore.Context, c *gearcore.Collector) error {
	fromTuples := t.spec.at != nil
	var err error
	if t.conf, err = windowConfOf(conf.Conf(ctx.Conf), fromTuples, streamsOf(ctx.Layout, ctx.Component)); err != nil {
		return err
	}
	t.ackAtOnce = t.kept != nil || t.spec.persistent && followsTransactions(ctx)
	if err := t.conf.checkAcks(conf.Conf(ctx.Conf), t.ackAtOnce, t.kept != nil); err != nil {
		return err
	}
	t.c = c
	t.queue = &windowQueue{evict: t.conf.eviction(fromTuples), kept: t.kept, lazy: t.spec.persistent, onExpiry: t.release, onWindow: t.execute}
	t.trigger = t.conf.trigger(fromTuples)
	if fromTuples {
		t.times = &streamTimes{inputs: t.spec.inputs, lag: t.conf.lag, newest: map[streamID]int64{}}
	}
	if t.conf.late != "" {
		t.late = c.OutputIndex(t.conf.late)
	}
	listen(t.bolt, ctx, c)
	if err := t.bolt.Prepare(ctx, c); err != nil {
		return err
	}
	if every := t.interval(); every > 0 {
		t.stop = tickEvery(every, c.Async(), t.tick)
	}
	return nil
}

// interval is how often the bolt has to look at the time; 0: never.
func (t *windowTask) interval() time.Duration {
	if t.times != nil {
		return t.conf.watermark
	}
	return time.Duration(t.conf.slide.ms) * time.Millisecond
}

// Execute implements Bolt.
func (t *windowTask) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if tu.IsTick() {
		c.Ack(tu)
		return nil
	}
	now := t.now()
	at := t.stamp(now)
	t.changed = true
	if t.times != nil {
		var err error
		if at, err = t.spec.at(tu); err != nil {
			return err
		}
		if !t.times.saw(tu, at) {
			t.tooLate(tu, c)
			return nil
		}
	}
	t.queue.add(tu, at)
	if t.ackAtOnce {
		c.Ack(tu)
	}
	t.trigger.added(t.queue, now)
	t.queue.compact(now)
	t.tell()
	return nil
}

// now is the time in milliseconds since 1970.
func (t *windowTask) now() int64 {
	now := time.Now()
	return t.clock.Now(now, now.Sub(t.began))
}

// stamp is the time of a tuple that comes now. A window by the clock has what is not after its end, so what comes behind it in the same
// millisecond is after it. (In Storm it is in no window.)
func (t *windowTask) stamp(now int64) int64 {
	if p, ok := t.queue.evict.(*evictAge); ok && p.begun && t.conf.slide.ms > 0 {
		return max(now, p.reference+1)
	}
	return now
}

// tooLate acks a late tuple and sends it on the stream for such, if there is one.
func (t *windowTask) tooLate(tu gearcore.Tuple, c *gearcore.Collector) {
	if t.late >= 0 {
		c.Send(gearcore.Emission{Stream: t.late, Anchors: []gearcore.Tuple{tu}}, []gearcore.Value{lateValue(tu)})
	}
	c.Ack(tu)
}

// tick is called once every interval.
func (t *windowTask) tick(*gearcore.Collector) {
	if !t.ready {
		return
	}
	now := t.now()
	t.changed = true
	if t.times == nil {
		t.trigger.ticked(t.queue, now)
	} else if w, risen := t.times.advance(); risen {
		t.trigger.marked(t.queue, w)
		t.queue.compact(now)
	}
	t.tell()
}

// execute has the bolt handle a window as of reference.
func (t *windowTask) execute(w Window, reference int64) {
	w.End = time.UnixMilli(reference)
	if t.conf.length.ms > 0 {
		w.Start = time.UnixMilli(reference - t.conf.length.ms)
	}
	out := WindowEmitter{c: t.c}
	if !t.ackAtOnce {
		out.anchors = w.Tuples
	}
	if err := t.bolt.Execute(w, out); err != nil {
		t.failed(w, err)
	}
}

// failed has the tuples of a window come again. Where it is in checkpoints they are acked, but all begins again at the last one.
func (t *windowTask) failed(w Window, err error) {
	n := 0
	for tu := range w.All() {
		n++
		if t.kept == nil {
			t.c.Fail(tu)
		}
	}
	if t.kept != nil {
		t.c.Lost(err)
	}
	if !errors.Is(err, ErrFailed) {
		t.err = errors.Join(t.err, fmt.Errorf("a window of %d tuples: %w", n, err))
	}
}

// tell reports the errors of the present call. The tuple that brought it about does not fail for them: those of its windows did.
func (t *windowTask) tell() {
	if t.err != nil {
		t.c.ReportError(t.err)
		t.err = nil
	}
}

// release acks what left the window, unless it was acked when it came.
func (t *windowTask) release(gone []windowEvent) {
	if t.ackAtOnce {
		return
	}
	for i := range gone {
		t.c.Ack(gone[i].t)
	}
}

// save returns what the task knows beside its tuples.
func (t *windowTask) save() (m windowMarks) {
	t.queue.evict.save(&m)
	t.trigger.save(&m)
	if t.times != nil {
		t.times.save(&m)
	}
	m.Triggers, m.SinceScan = t.queue.seq, t.queue.sinceScan
	return m
}

// load makes the task one that knew m and had these tuples in its queue, and those left its window since the last one.
func (t *windowTask) load(m *windowMarks, events, left []windowEvent) {
	t.queue.evict.load(m)
	t.trigger.load(m)
	if t.times != nil {
		t.times.load(m)
	} else {
		t.clock.Reach(m.Reference)
	}
	q := t.queue
	q.seq, q.sinceScan, q.events, q.expired = m.Triggers, m.SinceScan, events, left
	t.err, t.changed = nil, false
}

// Close implements Closer.
func (t *windowTask) Close() {
	t.stop()
	if closer, ok := t.bolt.(Closer); ok {
		closer.Close()
	}
}

// tickEvery has f run by the executor once every interval until stop is called, which waits for nothing.
func tickEvery(interval time.Duration, async *gearcore.Async, f func(*gearcore.Collector)) (stop func()) {
	ticker, done := time.NewTicker(interval), make(chan struct{})
	go func() {
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			if async.Do(64, f) != nil {
				return // the executor has ended
			}
		}
	}()
	return func() { close(done) }
}
