// Package stream is the typed API: a topology as a value that is built of functions.
//
//	t := stream.New("word-count")
//	lines := stream.From(t, "lines", stream.Slice(text), stream.Times(Line.Time, stream.Bounded(5*time.Second)))
//	words := stream.FlatMap(lines, "split", split)
//	byWord := stream.KeyBy(words, "by-word", func(w string) string { return w })
//	counts := stream.Count(stream.Window(byWord, window.Tumbling(10*time.Second)), "count", stream.Parallelism(4))
//	stream.To(counts, "out", stream.SinkFunc[stream.Pane[string, int64]](write))
//
// A step that changes a type is a function of the package, since methods have no type parameters of their own. Every step has
// a name, and the name of a step that keeps state is the one under which its state is found again.
//
// # Tasks
//
// A step without state is called by the step before it, as a function, in the same task; it gets tasks of its own by
// Parallelism with another number or by Apart. A component of the topology is such a chain of steps, under the name of the first one. Between
// components a value is a tuple: its time, its key if there is one, and the fields that its Codec makes of it.
//
// The functions of a topology are used by all tasks of their step at the same time. What a task needs of its own is made by
// a factory (sources, sinks, processes).
//
// # Time
//
// A value has a time, that of its event, to the millisecond: given to it at its source (Times) or in the source's tasks
// (AssignTimes), and kept by steps without state. The watermark of a task says what time no more events are expected
// from. Values without a time flow, but windows of event time need one: a topology in which nothing gives it is refused.
// When the input has come to its end so has time: all windows are complete, and all timers of event time are due (Scope.Ended).
//
// # Delivery
//
// With gearstorm.checkpoint.interval.ms set, what a topology did after the checkpoint that it goes back to after a failure did not
// happen: sources go back, state goes back, and sinks that take part show nothing of it, so every value counts once. Without it
// a failure loses what was under way and the state of what was lost. Nothing is acked; topologies of this API track no tuples.
//
// An error of a step (what a sink or Processor returns, a value that its codec cannot write, a panic) is shown as one of the component. With checkpoints the
// topology then goes back to the last one and tries again, so what can never work does not belong in an error; without, the value is lost.
//
// # State
//
// What windows, joins and Processors keep of a key is in package state, under the name of their step and divided into the groups of
// keys, so it is found again by another number of tasks. Types that are kept have exported fields only.
//
// # Runners
//
// Topology.Components is what runners work from: compat/storm makes a topology of it that runs wherever those of the Storm API
// do, streamtest runs it under a clock of its own in tests.
package stream
