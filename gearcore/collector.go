package gearcore

import (
	"errors"
	"fmt"
)

// Emission says how values leave a task. The zero Emission is an unanchored emit on the default stream.
type Emission struct {
	// Stream is the position of the stream among the component's outputs (Sink.Output); 0 is the default stream, or
	// the first one.
	Stream int
	// Task is the target of a direct emit; 0 lets the groupings choose.
	Task TaskID
	// Anchors are the tuples whose trees the new tuple joins (bolts).
	Anchors []Tuple
	// ID is a spout's message id. Null: the tuple is not tracked.
	ID Value
	// Earlier says that the receivers of SendTo may be chosen by an earlier version of the graph: those that do not
	// subscribe to the stream any more get nothing.
	Earlier bool
}

// Sink is what the engine puts behind a Collector. Its methods are called by the executor only.
type Sink interface {
	// Output returns the position of the stream called name among the component's outputs, -1 if it has none.
	Output(name string) int
	// Emit routes one tuple. vals is the caller's and is copied. The task ids are valid until the next call.
	// Errors are misuse: a direct emit on a stream that is none, a value count that the stream does not declare.
	Emit(e *Emission, vals []Value) ([]TaskID, error)
	Ack(t Tuple)
	Fail(t Tuple)
	ResetTimeout(t Tuple)
	// Pause stops the input of the executor (Execute, or Next) after the current call; Resume lets it go on.
	Pause()
	Resume()
	ReportError(err error)
	Async() *Async
}

// Collector is how a task emits, acks and fails. It belongs to the call it was handed to, is not safe for other
// goroutines (Async is) and is a concrete type so that arguments of Emit stay on the caller's stack: emitting
// strings, numbers and byte slices allocates nothing.
//
// Misuse (an unknown stream, a wrong number of values, a direct emit to the wrong kind of stream, a tuple beyond
// gearstorm.tuple.max.bytes) panics with a *MisuseError; the engine turns it into an error of the component. Use while no
// call is under way does nothing and is reported (ErrOutsideCall, ErrClosed after the end): there a panic would end the
// process.
type Collector struct {
	sink     Sink
	laner    LaneSink  // nil: no lanes
	lanes    []*Lane   // by output, as far as they were asked for
	trail    *Trail    // nil: nothing is acked
	openings *Openings // nil: EmitID starts no tree
	own      *Scratch  // nil: laner lends one
	chunk    *Chunk    // of String and Bytes, once used
}

// Scratch is what an emit works with that goes the long way, through Sink.Emit. A Sink with very many Collectors, of
// which few are in a call at a time, lends them one.
type Scratch struct {
	em     Emission
	vals   []Value
	anchor [1]Tuple
}

// NewCollector returns a Collector over sink: for the engine and for tests of components.
func NewCollector(sink Sink) *Collector {
	c := &Collector{sink: sink, trail: noTrail}
	if c.laner, _ = sink.(LaneSink); c.laner != nil {
		c.trail, c.openings = c.laner.Tracks()
	} else {
		c.own = &Scratch{}
	}
	return c
}

// Emit sends a tuple on the default stream, unanchored and untracked. For the types it takes see AppendValues.
//
// It and EmitAnchored say again what Output's methods say: going through those costs 2 % of a line of cheap bolts.
func (c *Collector) Emit(values ...any) {
	if b := c.lane(0).batch(len(values)); b != nil && c.lanes[0].add(b, AppendValues(b.Vals, values)) {
		return
	}
	w := c.work()
	vals := w.convert(c.lane(0), values)
	w.em = Emission{}
	c.emit(w, vals)
}

// EmitAnchored sends a tuple on the default stream, anchored to t: if it fails downstream, t's spout tuple fails.
func (c *Collector) EmitAnchored(t Tuple, values ...any) {
	if b := c.lane(0).batch(len(values)); b != nil && c.lanes[0].add(b, AppendValues(b.Vals, values)) {
		c.join(c.lanes[0], b, t)
		return
	}
	w := c.work()
	vals := w.convert(c.lane(0), values)
	w.anchored(0, t)
	c.emit(w, vals)
}

// EmitID sends a spout's tuple on the default stream and tracks it under id, which comes back in Ack or Fail.
func (c *Collector) EmitID(id Value, values ...any) { Output{c, 0}.EmitID(id, values...) }

// Forward sends the values of t on the default stream, anchored to t. They are not converted, so it is the cheapest way
// to pass a tuple on.
func (c *Collector) Forward(t Tuple) { Output{c, 0}.Forward(t) }

// Send is the general form: it sends vals (copied) as e says and returns the tasks that got the tuple, valid until
// the next call. It panics on misuse like Emit.
func (c *Collector) Send(e Emission, vals []Value) []TaskID {
	w := c.work()
	w.em = e
	return c.emit(w, w.copied(vals))
}

// TrySend is Send with misuse as an error, for callers that relay what another program said.
func (c *Collector) TrySend(e Emission, vals []Value) ([]TaskID, error) {
	w := c.work()
	w.em = e
	ids, err := c.sink.Emit(&w.em, w.copied(vals))
	w.em = Emission{}
	return ids, err
}

// work returns what the present emit works with.
func (c *Collector) work() *Scratch {
	if c.own != nil {
		return c.own
	}
	return c.laner.Scratch()
}

// lane returns the lane of an output, nil if it has none.
func (c *Collector) lane(stream int) *Lane {
	if stream < len(c.lanes) {
		return c.lanes[stream]
	}
	return nil
}

// join anchors the row that was just added to l to t.
func (c *Collector) join(l *Lane, b *Batch, t Tuple) {
	if c.trail == nil || t.b == nil {
		return
	}
	row := t.Row()
	if root, ok := c.trail.join(t, row); ok {
		l.joinOne(b, root)
	} else if row.RootLen > 0 {
		l.join(b, c.laner.Join(t))
	}
}

// start makes the row that was just added to l the first of a tree.
func (c *Collector) start(l *Lane, b *Batch, stream int, id Value) {
	root, ok := c.openings.open(l, id)
	if !ok {
		root = c.laner.Start(stream, id)
	}
	l.joinOne(b, root)
}

// anchored prepares an emission that is anchored to t unless t is the zero Tuple.
func (w *Scratch) anchored(stream int, t Tuple) {
	w.em = Emission{Stream: stream}
	if t.b != nil {
		w.anchor[0] = t
		w.em.Anchors = w.anchor[:]
	}
}

// convert returns values for the long way, in memory that is valid until the next call.
func (w *Scratch) convert(l *Lane, values []any) []Value {
	free := w.room(l, len(values))
	vals := AppendValues(free, values)
	if cap(vals) > cap(free) {
		w.vals = vals // memory of their own
	}
	return vals
}

// room returns where to put n values for the long way of an output with that lane, which may be nil.
func (w *Scratch) room(l *Lane, n int) []Value {
	if l != nil && *l.Batch != nil {
		return l.spare()
	}
	if cap(w.vals) < n {
		w.vals = make([]Value, 0, n)
	}
	return w.vals[:0]
}

// copied returns a copy of vals, whose caller's slice need not escape then.
func (w *Scratch) copied(vals []Value) []Value {
	w.vals = append(w.vals[:0], vals...)
	return w.vals
}

// emit goes the long way with w.em and learns whether there is a shorter one.
func (c *Collector) emit(w *Scratch, vals []Value) []TaskID {
	ids, err := c.sink.Emit(&w.em, vals)
	if err != nil {
		if errors.Is(err, ErrOutsideCall) || errors.Is(err, ErrClosed) {
			c.sink.ReportError(err)
			return nil
		}
		if c.openings != nil && w.em.ID.k != KindNull {
			c.laner.Refuse(w.em.Stream, w.em.ID)
		}
		panic(&MisuseError{err})
	}
	if c.laner != nil && c.lane(w.em.Stream) == nil {
		c.findLane(w.em.Stream)
	}
	return ids
}

// findLane asks once for the lane of an output that was just used.
func (c *Collector) findLane(stream int) {
	for len(c.lanes) <= stream {
		c.lanes = append(c.lanes, nil)
	}
	if c.lanes[stream] = c.laner.Lane(stream); c.lanes[stream] == nil {
		c.lanes[stream] = noLane
	}
}

// Stream returns the output called name for emits on it.
func (c *Collector) Stream(name string) Output {
	i := c.sink.Output(name)
	if i < 0 {
		panic(&MisuseError{fmt.Errorf("emit on stream %q: the component does not declare it", name)})
	}
	return Output{c, i}
}

// OutputIndex returns the position of the stream called name for Emission.Stream, -1 if the component has none.
func (c *Collector) OutputIndex(name string) int { return c.sink.Output(name) }

// Output is a Collector bound to one stream. It may be used only where its Collector may.
type Output struct {
	c *Collector
	i int
}

// Emit is Collector.Emit on this stream.
func (o Output) Emit(values ...any) {
	if b := o.c.lane(o.i).batch(len(values)); b != nil && o.c.lanes[o.i].add(b, AppendValues(b.Vals, values)) {
		return
	}
	w := o.c.work()
	vals := w.convert(o.c.lane(o.i), values)
	w.em = Emission{Stream: o.i}
	o.c.emit(w, vals)
}

// EmitAnchored is Collector.EmitAnchored on this stream.
func (o Output) EmitAnchored(t Tuple, values ...any) {
	if b := o.c.lane(o.i).batch(len(values)); b != nil && o.c.lanes[o.i].add(b, AppendValues(b.Vals, values)) {
		o.c.join(o.c.lanes[o.i], b, t)
		return
	}
	w := o.c.work()
	vals := w.convert(o.c.lane(o.i), values)
	w.anchored(o.i, t)
	o.c.emit(w, vals)
}

// EmitID is Collector.EmitID on this stream.
func (o Output) EmitID(id Value, values ...any) {
	if o.c.openings != nil && id.k != KindNull {
		if b := o.c.lane(o.i).batch(len(values)); b != nil && o.c.lanes[o.i].add(b, AppendValues(b.Vals, values)) {
			o.c.start(o.c.lanes[o.i], b, o.i, id)
			return
		}
	}
	w := o.c.work()
	vals := w.convert(o.c.lane(o.i), values)
	w.em = Emission{Stream: o.i, ID: id}
	o.c.emit(w, vals)
}

// EmitDirect sends a tuple to one task on a direct stream, anchored to t unless t is the zero Tuple.
func (o Output) EmitDirect(task TaskID, t Tuple, values ...any) {
	w := o.c.work()
	vals := w.convert(o.c.lane(o.i), values)
	w.anchored(o.i, t)
	w.em.Task = task
	o.c.emit(w, vals)
}

// Forward is Collector.Forward on this stream.
func (o Output) Forward(t Tuple) {
	vals := t.Values()
	if b := o.c.lane(o.i).batch(len(vals)); b != nil && o.c.lanes[o.i].add(b, appendVals(b.Vals, vals)) {
		o.c.join(o.c.lanes[o.i], b, t)
		return
	}
	w := o.c.work()
	w.anchored(o.i, t)
	o.c.emit(w, vals)
}

// EmitValues sends vals (copied) on this stream, anchored to t unless t is the zero Tuple. It is Emit for values that are
// there already.
func (o Output) EmitValues(t Tuple, vals []Value) {
	if b := o.c.lane(o.i).batch(len(vals)); b != nil && o.c.lanes[o.i].add(b, appendVals(b.Vals, vals)) {
		o.c.join(o.c.lanes[o.i], b, t)
		return
	}
	w := o.c.work()
	w.anchored(o.i, t)
	o.c.emit(w, w.copied(vals))
}

// Ack says that t is done. A second Ack or Fail of the same tuple is ignored.
func (c *Collector) Ack(t Tuple) {
	if c.trail != nil && !c.trail.ack(t) {
		c.sink.Ack(t)
	}
}

// Fail fails the trees of t at once. In a topology with checkpoints it takes the topology back to the last one: a tuple that is not
// wanted is acked.
func (c *Collector) Fail(t Tuple) { c.sink.Fail(t) }

// ResetTimeout starts the message timeout of t's trees again.
func (c *Collector) ResetTimeout(t Tuple) {
	if c.trail != nil {
		c.sink.ResetTimeout(t)
	}
}

// Pause stops the input of this executor after the current call until Resume: a bolt gets no tuple, a source no Next
// (but acks, fails and status changes).
func (c *Collector) Pause() { c.sink.Pause() }

// Resume ends a Pause.
func (c *Collector) Resume() { c.sink.Resume() }

// ReportError records an error of the component, shown by the UI and the errors command.
func (c *Collector) ReportError(err error) { c.sink.ReportError(err) }

// Async returns the handle for other goroutines.
func (c *Collector) Async() *Async { return c.sink.Async() }
