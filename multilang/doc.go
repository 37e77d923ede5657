// Package multilang runs spouts and bolts that are programs in any language: it starts one child process for each task and
// speaks Storm's multilang protocol with it over standard input and output, as JSON or msgpack.
//
// NewBolt and NewSpout give a gearcore.Task and a gearcore.Source. They never hold a run loop: the executor encodes into an
// outbox and returns; a writer goroutine writes all that is there at once; a reader goroutine parses what the child says and
// posts it back through Async, many messages at a time.
//
// # What it promises
//
//   - The child gets its argv exactly as given, and no shell.
//   - A child that ends, hangs, or breaks the protocol costs nobody else anything: it alone is started again, after a wait
//     that grows, and the tuples it had are failed at once, so that their spouts replay them. The error, with the end of the
//     child's standard error and the restart count, is reported to the component.
//   - No child outlives this process, nor Close: its process group is killed with it, its input ends with this process, and
//     on Linux the kernel kills it then.
//   - Task ids are answered in the order of the emits, before tuples that wait, and only where the child wants them. storm.py
//     and storm.rb are told them ahead where that makes no difference (ahead).
//   - Everything a child sends is bounded (Limits), and so is what waits for it (Spec.MaxPending).
//
// # Framings
//
// Storm's plain messages, JSON or msgpack, or a batched framing that a client of ours chooses in the handshake (framing).
// What follows holds for all of them.
//
// # State
//
// A child of ours may keep state by key, here: values, lists and maps, with a time to live or without, and timers (state.go). It is in
// checkpoints, and divided among the tasks by key group.
//
// # Values
//
// Integers from a child are Java's Integer if they fit 32 bits, else Long, else BigInteger; decimals are Double. To a JSON
// child bytes go as base64 text (to msgpack and marshal as bytes), NaN and the infinities as null; from a child the bare
// words NaN, Infinity and -Infinity are taken, because Python writes them. Opaque Java values and Go objects cannot be sent:
// the tuple fails. Lists and maps of a child may be Deferred.
//
// The facts of the protocol are those of Storm 2.8 (ShellBolt, ShellSpout, ShellProcess, JsonSerializer), without its
// defects: direct emits work, and unknown metrics are registered instead of ending the worker.
package multilang
