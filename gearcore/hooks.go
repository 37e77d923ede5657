package gearcore

import "time"

// Hooks is how the engine tells of itself; text and metrics are made elsewhere. Calls come from executors, once per
// batch or run, never per tuple; an implementation must be fast, must not block and must be safe for concurrent use.
// A nil Hooks is allowed where the engine takes one.
type Hooks interface {
	// Queued: a batch of n tuples for task waited in its executor's inbox. from is the first task of the sender,
	// SystemTask for ticks.
	Queued(task, from TaskID, n int, wait time.Duration)
	// Executed: task handled n tuples of stream (an input) in busy time, its service time; sampled says over how many of
	// them busy was measured, 0 if not at all this time.
	Executed(task TaskID, stream StreamID, n int, busy time.Duration, sampled int)
	// Emitted: task emitted n tuples on stream, which went to transferred receivers in all.
	Emitted(task TaskID, stream StreamID, n, transferred int)
	// Acked and Failed: a bolt settled n tuples of an input stream; for a spout, stream is the output and n trees
	// ended.
	Acked(task TaskID, stream StreamID, n int)
	Failed(task TaskID, stream StreamID, n int)
	// Took: n of the acked tuples took d each. For a bolt that is the process latency, from Execute to the ack, of
	// samples; for a spout the complete latency, from emit to the end of the tree, of all.
	Took(task TaskID, stream StreamID, n int, d time.Duration)
	// Held: a spout's executor (by its first task) was held by its bound of tuples in flight for d.
	Held(task TaskID, d time.Duration)
	// Errored: the component reported err.
	Errored(task TaskID, err error)
	// Blocking: an executor (by its first task) has begun to wait for room at target, which throttles it. Blocked: it
	// waited for d and goes on. Between the two it may wait for other targets as well.
	Blocking(task, target TaskID)
	Blocked(task, target TaskID, d time.Duration)
}

// LossError is an error of a task that may be that a process in another language was lost.
type LossError interface {
	error
	// Lost says whether it is.
	Lost() bool
}
