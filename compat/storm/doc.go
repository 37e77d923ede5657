// Package storm is gearstorm's Go SDK in the words of Apache Storm: spouts, bolts, streams, groupings and a
// TopologyBuilder that ties them together.
//
// # Components
//
// A Bolt gets tuples and emits tuples. It acks or fails each tuple itself, now or later; BoltFunc is the short form
// that anchors and acks by itself. A Spout is where tuples come from. Both are given to the builder as factories,
// because every task gets a component of its own, made in the process that runs the task. ShellBolt and ShellSpout
// name a program in another language that speaks Storm's multilang protocol; the two kinds mix freely.
//
// Optional interfaces add to a component what it needs: Acker and Failer (spouts that emit with ids), Activator,
// Closer, Ticker, NoRetain. A method with one of their names and another signature is a mistake, not an extra: the component is
// refused when it is made.
//
// Windowed makes a bolt of windows of tuples, Stateful one with a state that outlives it, StatefulWindowed one of both.
//
// # Threads
//
// All methods of a component are called by one thread of control at a time. A Collector belongs to the call it was
// handed to; other goroutines use what Collector.Async returns. Tuples, their strings and values may be kept.
//
// # Delivery
//
// A tuple that a spout emits with an id (Collector.EmitID) is the root of a tree. Tuples that bolts emit with
// Collector.EmitAnchored join it. When every tuple of the tree was acked, the spout's Ack is called with the id; when
// one was failed, or topology.message.timeout.secs passed, its Fail is. So every tuple is processed at least once if
// the spout emits failed ids again.
//
// # Speed
//
// A tuple costs 10 to 20 ns for each component, and no allocation, if four things are known:
//
//   - Emit takes plain strings, numbers, booleans and byte slices as they are; a Go object is boxed (gearcore.Obj).
//   - A bolt that declares NoRetain (the method, or Declarer.NoRetain for functions) keeps nothing of its tuples, and
//     their memory is used again. Builds with the race detector panic where a declared bolt uses a tuple too late.
//   - Collector.Forward passes a tuple on as it is, and a Record emits and reads tuples as structs.
//   - Collector.String makes strings of a buffer that is read into again and again, at a fifth of what string(b) costs.
//
// # Names
//
// A topology that is submitted to a cluster is described by names only: its tasks run in other processes, started from
// the same program, which call the factory registered under the component's id. What a component needs to know must
// therefore come from its configuration (AddConfig, Context.Conf) or from the arguments of the program, which the root
// package hands to every process alike.
package storm
