// Package gearcore is the vocabulary of the engine: what moves (Value, Row, Batch, Tuple), what runs (Task, Source,
// Context) and how the two meet (Collector, Async, Hooks). It holds no machinery: gearcore/dag plans, gearcore/engine
// runs.
//
// # Ownership
//
// A Batch belongs to exactly one side of an edge at a time. The producing executor fills it; handing it over gives it
// to the consuming executor, which alone changes a row's settle bit and ack value from then on. Values are immutable
// once emitted: strings and byte slices given to Emit are kept, not copied, so the caller may not change a []byte
// afterwards. A consumer may keep a Tuple, its strings and its values for as long as it likes; they pin their batch.
//
// # Threads
//
// A Task and its Collector are used by one thread of control at a time, that of its executor. The only door from
// another goroutine is Async.
package gearcore
