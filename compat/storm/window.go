package storm

import (
	"iter"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Window is some tuples of a windowed bolt's input, in the order in which they came.
type Window struct {
	// Tuples are all of them, New those that were not in the window before, Expired those that left it since. The slices may be kept.
	// Windows of a bolt that is WindowedSpec.Persistent have none of the three: All reads their tuples.
	Tuples, New, Expired []Tuple
	// End is the time at which the window ends: a tuple of End is in it, with time from tuples. Start is the zero time where the
	// length is a count; a tuple of Start is not in the window.
	Start, End time.Time

	kept iter.Seq[Tuple] // nil: it has Tuples
}

// All returns the tuples of the window, which may be gone through any number of times until Execute returns; reading later panics where
// they are not in Tuples. Of a persistent window only those are in memory that are being looked at.
func (w Window) All() iter.Seq[Tuple] {
	if w.kept != nil {
		return w.kept
	}
	return slices.Values(w.Tuples)
}

// WindowedBolt works on windows of tuples instead of single ones, as Storm's IWindowedBolt. It neither acks nor fails: a tuple is acked
// when it has left the window, and what the bolt emits is anchored to all tuples of its window.
//
// With gearstorm.checkpoint.interval.ms set the windows are in the engine's checkpoints. Tuples are acked when they come then, and nothing
// is anchored: after a failure the topology goes back to the last checkpoint, where windows hold what they had held. What else the bolt
// knows does not go back; what a StatefulWindowedBolt has in its state does.
type WindowedBolt interface {
	// Prepare is that of Bolt.
	Prepare(ctx *Context, c *Collector) error
	// Execute handles a window, which has tuples. An error is reported and fails all of them; with checkpoints the topology goes back to
	// the last one.
	Execute(w Window, out WindowEmitter) error
}

// WindowedFunc is a WindowedBolt that keeps no state. The same function is used by all tasks, at the same time.
type WindowedFunc func(w Window, out WindowEmitter) error

// Prepare does nothing.
func (f WindowedFunc) Prepare(*Context, *Collector) error { return nil }

// Execute calls f.
func (f WindowedFunc) Execute(w Window, out WindowEmitter) error { return f(w, out) }

// WindowEmitter emits on behalf of the tuples of a window. It may be used only until Execute returns.
type WindowEmitter struct {
	c       *Collector
	anchors []Tuple
}

// Emit sends a tuple on the default stream, anchored to all tuples of the window that are not acked yet. For the types it takes see
// gearcore.AppendValues.
func (e WindowEmitter) Emit(values ...any) { e.send(0, 0, values) }

// EmitTo is Emit on the stream called name.
func (e WindowEmitter) EmitTo(name string, values ...any) { e.send(mustOutput(e.c, name), 0, values) }

// EmitDirect sends a tuple to one task on the direct stream called name.
func (e WindowEmitter) EmitDirect(name string, task TaskID, values ...any) {
	e.send(mustOutput(e.c, name), task, values)
}

// Collector returns the collector behind e, for what WindowEmitter does not offer. What it emits is not anchored.
func (e WindowEmitter) Collector() *Collector { return e.c }

func (e WindowEmitter) send(stream int, task TaskID, values []any) {
	e.c.Send(gearcore.Emission{Stream: stream, Task: task, Anchors: e.anchors}, gearcore.AppendValues(nil, values))
}

// mustOutput returns the position of a stream; it panics like Collector.Stream if there is none.
func mustOutput(c *Collector, name string) int {
	c.Stream(name)
	return c.OutputIndex(name)
}

// Extent is how long a window is or how far the next one begins: a Count of tuples or a Duration.
type Extent struct {
	count int
	time  time.Duration
}

// Count is an extent of n tuples.
func Count(n int) Extent { return Extent{count: n} }

// Duration is an extent of time, in whole milliseconds.
func Duration(d time.Duration) Extent { return Extent{time: d} }

// WindowedSpec is a windowed bolt for SetBolt. Its methods change and return it. What they say becomes the component's configuration, under
// Storm's keys, which AddConfig may also set:
//
//	topology.bolts.window.length.count, .duration.ms            Window, Tumbling
//	topology.bolts.window.sliding.interval.count, .duration.ms  Window, Tumbling; default a count of 1
//	topology.bolts.tuple.timestamp.max.lag.ms                   Lag; default 0
//	topology.bolts.watermark.event.interval.ms                  WatermarkInterval; default 1000
//	topology.bolts.late.tuple.stream                            LateStream
//
// Length and interval together may not be longer than topology.message.timeout.secs, nor hold more tuples than
// topology.max.spout.pending lets be under way, or the bolt is not prepared: its tuples would fail before they could be acked. That
// does not matter with the engine's checkpoints, nor to a Persistent bolt, whose tuples are acked before they leave the window.
type WindowedSpec struct {
	task       func(*WindowedSpec) stateSpec // what makes tasks; nil: there is no factory
	stateful   bool
	persistent bool
	at         func(Tuple) (int64, error) // nil: the time at which a tuple comes
	conf       map[string]any

	inputs []streamID // that the component listens to
}

// Windowed returns a bolt that works on windows; factory makes one for each task. StatefulWindowed is for one that has a state.
func Windowed(factory func() WindowedBolt) *WindowedSpec {
	s := &WindowedSpec{conf: map[string]any{}}
	if factory != nil {
		s.task = withoutState(factory)
	}
	return s
}

// WindowedBy returns a bolt that is f of every window.
func WindowedBy(f WindowedFunc) *WindowedSpec { return Windowed(func() WindowedBolt { return f }) }

// Window sets the length of windows and how far the next one begins after each.
func (s *WindowedSpec) Window(length, every Extent) *WindowedSpec {
	s.set(keyWindowCount, keyWindowTime, length)
	s.set(keySlideCount, keySlideTime, every)
	return s
}

// Tumbling sets windows that follow each other.
func (s *WindowedSpec) Tumbling(length Extent) *WindowedSpec { return s.Window(length, length) }

func (s *WindowedSpec) set(count, duration string, e Extent) {
	delete(s.conf, count)
	delete(s.conf, duration)
	if e.time != 0 {
		s.conf[duration] = e.time.Milliseconds()
	} else {
		s.conf[count] = e.count
	}
}

// TimestampField takes the time of tuples from a field of milliseconds since 1970, instead of when they come.
func (s *WindowedSpec) TimestampField(name string) *WindowedSpec {
	return s.Timestamps(func(t Tuple) (int64, error) { return Field[int64](t, name) })
}

// Timestamps takes the time of tuples, in milliseconds since 1970, from a function. A tuple for which it has an error fails.
func (s *WindowedSpec) Timestamps(at func(Tuple) (int64, error)) *WindowedSpec {
	s.at = at
	return s
}

// Lag sets how far tuples may be behind the newest one of their stream before they are late.
func (s *WindowedSpec) Lag(d time.Duration) *WindowedSpec {
	s.conf[keyLag] = d.Milliseconds()
	return s
}

// WatermarkInterval sets how often windows are looked for that time has passed.
func (s *WindowedSpec) WatermarkInterval(d time.Duration) *WindowedSpec {
	s.conf[keyWatermark] = d.Milliseconds()
	return s
}

// LateStream declares a stream for late tuples, which are dropped else: its field late_tuple is read by LateTuple.
func (s *WindowedSpec) LateStream(name string) *WindowedSpec {
	s.conf[keyLate] = name
	return s
}

// Persistent is Storm's withPersistence, for bolts with a state: windows are kept with the state, and may be larger than memory.
//
//   - A Window has no Tuples, New and Expired: All reads its tuples one after the other. In memory stay some 40 bytes of each, and as much
//     of them as gearstorm.state.memory.mb says; the rest is in gearstorm.state.dir.
//   - Without the engine's checkpoints all is in memory, windows go through Storm's transactions with the state, and a tuple is acked with
//     the first transaction after it came. What the bolt emits is not anchored. (Without Persistent a tuple is acked with the first
//     transaction after it left the window, and where a transaction is rolled back all that are not acked are failed, and windows begin
//     empty.)
//
// Storm's withMaxEventsInMemory has no counterpart, since memory is bounded in bytes, and neither has withMessageIdField: what windows had
// is known.
func (s *WindowedSpec) Persistent() *WindowedSpec {
	s.persistent = true
	return s
}

func (s *WindowedSpec) newBolt() (gearcore.Task, error) { return s.task(s).newBolt() }

// listening returns a copy for a component that listens to these streams.
func (s *WindowedSpec) listening(inputs []streamID) *WindowedSpec {
	c := *s
	c.inputs = inputs
	return &c
}

// window makes what the bolt is configured with that of the component.
func (d *Declarer) window() {
	s, ok := d.bolt.(*WindowedSpec)
	if !ok {
		return
	}
	for k, v := range s.conf {
		d.conf[k] = v
	}
	if name, ok := s.conf[keyLate].(string); ok {
		d.Stream(name, lateField)
	}
}
