package storm

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
)

// windowTask runs a WindowedBolt.
type windowTask struct {
	spec *WindowedSpec
	bolt WindowedBolt

	conf    windowConf
	queue   *windowQueue
	trigger trigger
	times   *streamTimes // nil: the time at which tuples come
	late    int          // position of the stream for late tuples; -1: they are dropped
	c       *Collector
	err     error // of the bolt, in the present call
	stop    func()
}

func newWindowTask(s *WindowedSpec) (gearcore.Task, error) {
	b := s.make()
	if b == nil {
		return nil, errors.New("the factory returned nil")
	}
	typ := reflect.TypeOf(b)
	_, closes := typ.MethodByName("Close")
	_, listens := typ.MethodByName("SetCredentials")
	if err := errors.Join(checkMethod[Closer](typ, "Close", closes), checkMethod[CredentialsListener](typ, "SetCredentials", listens)); err != nil {
		return nil, err
	}
	return &windowTask{spec: s, bolt: b, late: -1, stop: func() {}}, nil
}

func (t *windowTask) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	fromTuples := t.spec.at != nil
	var err error
	if t.conf, err = windowConfOf(conf.Conf(ctx.Conf), fromTuples, streamsOf(ctx.Layout, ctx.Component)); err != nil {
		return err
	}
	t.c = c
	t.queue = &windowQueue{evict: t.conf.eviction(fromTuples), onExpiry: t.release, onWindow: t.execute}
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

func (t *windowTask) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if tu.IsTick() {
		c.Ack(tu)
		return nil
	}
	now := time.Now().UnixMilli()
	at := now
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
	t.trigger.added(t.queue, now)
	t.queue.compact(now)
	t.tell()
	return nil
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
	now := time.Now().UnixMilli()
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
	err := t.bolt.Execute(w, WindowEmitter{t.c, &w})
	if err == nil {
		return
	}
	for _, tu := range w.Tuples {
		t.c.Fail(tu)
	}
	if !errors.Is(err, ErrFailed) {
		t.err = errors.Join(t.err, fmt.Errorf("a window of %d tuples: %w", len(w.Tuples), err))
	}
}

// tell reports the errors of the present call. The tuple that brought it about does not fail for them: those of its windows did.
func (t *windowTask) tell() {
	if t.err != nil {
		t.c.ReportError(t.err)
		t.err = nil
	}
}

// release acks what left the window.
func (t *windowTask) release(tuples []Tuple) {
	for _, tu := range tuples {
		t.c.Ack(tu)
	}
}

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
