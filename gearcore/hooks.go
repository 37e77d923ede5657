package gearcore

import "time"

// Hooks is how the engine tells of itself; text and metrics are made elsewhere. Calls come from executors, once per
// batch or run, never per tuple; an implementation must be fast, must not block and must be safe for concurrent use.
// A nil Hooks is allowed where the engine takes one.
type Hooks interface {
	// Executed: task handled n tuples of stream (an input) in busy time; sampled says over how many of them busy was
	// measured, 0 if not at all this time.
	Executed(task TaskID, stream StreamID, n int, busy time.Duration, sampled int)
	// Emitted: task emitted n tuples on stream, which went to transferred receivers in all.
	Emitted(task TaskID, stream StreamID, n, transferred int)
	// Acked and Failed: a bolt settled n tuples of an input stream; for a spout, stream is the output and n trees
	// ended. latency is the sum over sampled of them (process latency for a bolt, complete latency for a spout).
	Acked(task TaskID, stream StreamID, n int, latency time.Duration, sampled int)
	Failed(task TaskID, stream StreamID, n int)
	// Errored: the component reported err.
	Errored(task TaskID, err error)
	// Blocked: an executor (by its first task) waited for room at target for d.
	Blocked(task, target TaskID, d time.Duration)
}
