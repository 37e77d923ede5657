// Package engine runs the tasks of one worker: it schedules executors, moves batches between them, holds producers
// back when consumers are slow and keeps Storm's promise of at-least-once processing.
//
// # Executors
//
// The scheduled unit is the executor, Storm's set of tasks First..Last that one thread of control drives at a time.
// It has no goroutine. It is idle, queued, running or blocked (queued only by room, acks, events and closures, not by
// data), and a run lasts for a bounded number of batches and about 100 microseconds, also inside a batch. What a run
// emitted leaves at its end; there is no flush timer. Run loops (a goroutine each, one per processor) take executors
// from ready queues, park when there is nothing to do and take work from one another only when it has waited; a loop
// stuck in user code is given a stand-in (loops.go). All of it but the loops is a pure step over an injected clock and
// seed: a Driver runs the same executors one at a time on one goroutine, which is what gearcore/sim does.
//
// # Flow
//
// Tuples for one task collect in the sender's outbox and move as batches, in order. An inbox is bounded in batches and
// bytes. A full batch that finds no room there waits in the outbox, and the sender goes on for its other receivers until
// maxWaiting bytes wait; then it is blocked after its current call and woken when half of the inbox is free. A sender with
// one receiver is blocked by the first such batch. A batch not yet full simply goes on filling. A shuffle passes over
// receivers that are busier than others and blocks its sender only when none of them has room (spread.go).
// What one call emits beyond that is bounded by maxOvershoot: then the emit itself waits. Edges inside a
// cycle, and everything about acks, take no bound, since a bounded queue there could wait for itself; a cycle is held
// back where tuples enter it.
//
// # Tracking
//
// A spout tuple with a message id is a root in the executor's ackers.Pending, its book. Tuples hold references to roots
// (gearcore.RootEdge: the root and its book) and executors count them by themselves (track.go); the owner of a book is
// told how roots ended in batches of their own, one per run and owner (books.go). Links have books as well, for what they
// received (Engine.OpenBook), and settle what came back from other workers (Engine.Settle). The tasks of __acker have
// their ids and executors and do nothing.
//
// # Changes
//
// Apply exchanges executors of a running engine (change.go). Those that stay notice at the start of their next run
// (rewire.go); those that leave end what they have begun (leave.go); what comes for tasks that are not here is held or sent
// on (early.go). There is no moment at which anything stops. A change may bring another graph: at once (replan.go, reroute.go), or, with
// checkpoints, at one of them (birth.go).
//
// # Time and checkpoints
//
// Config.Timing gives executors, one to a task, what it takes to follow event time and to be rolled back (timing.go); without it
// each of them has a nil pointer that is looked at once a batch. Watermarks come and go with batches (channels.go). A checkpoint is a
// marker behind which a source or an aligned task fixes its state (align.go, gate.go), written by goroutines of their own (save.go). An
// order with a larger generation makes every executor drop what it has, when it runs next, and its task what it was
// (rollback.go). What the coordinator is told is put together from what executors have shown at the end of their runs and
// what they have saved (report.go, epochs.go). Tasks that work between calls have all of it wait until they hold nothing (drain.go).
//
// A Task that is Checkpointed belongs to its executor's run, but while Restore is called: then to that goroutine alone, and
// runs of the executor do nothing. In a topology with checkpoints a panic, an error of Execute or Advance, and a tuple that a task fails
// take the topology back: state may be anything then, and nobody else knows that something is missing. An error of Next does not, for a source
// that cannot read has lost nothing.
//
// # Memory
//
// A batch is used again when the receiver cannot have kept anything of it: a link that encoded it, tasks that are
// gearcore.NoRetain. It goes to the engine's pool (pool.go), not to its sender, so that a task that has nothing to do holds
// no batch. All other batches are left to the garbage collector.
//
// # Locks
//
// Each executor has one lock (mu) over its inbox and state, the timers have one, each run loop one over its queue. No
// two of these are ever held together, and none while user code, an Outlet or Hooks are called; Engine.mu is a leaf
// too. Each of a timed topology has another one over what it has shown, which is a leaf, as are epochs.mu and those of
// gates. Only the locks of reports (epochs.reporting), of the watch's callback (shell.watchMu) and of batches that came too soon (early.mu) are held while one of
// the others is taken. Everything else of an
// executor belongs to whoever runs it; the hand-over between runs is through its mu.
package engine
