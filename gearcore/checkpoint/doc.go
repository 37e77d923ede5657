// Package checkpoint keeps what a topology was at some moments, so that it can go on from there as if nothing had happened
// since.
//
// # The protocol
//
// One coordinator per topology (a pure state machine, Coordinator) and one agent per worker (in package engine) exchange
// two values: the coordinator's Order and each worker's Report. Both say how things are, never what happened; each is sent when it changes and
// again now and then, so that a lost, late or repeated one does no harm.
//
//   - A generation is a stretch of work without a rollback. Order{Generation, Restore} tells every task to be what it was at
//     checkpoint Restore; batches of earlier generations are dropped wherever they are, those of a later one wait. When all
//     workers report that they are restored, Order.Go lets sources emit.
//   - Order.Cut k tells sources to fix their position and to send marker k behind what they have emitted. A task that has
//     got marker k from all its senders fixes its state and sends marker k on; until then it takes nothing more from those whose
//     marker it has. What was fixed is written in the background and reported as a Part.
//   - When every task has reported its part of k, one commit record makes k count (Log), and Order.Committed says so.
//   - A checkpoint that cannot be finished (a task cannot write it, markers wait for each other too long, a store is full) is given
//     up: Order.Dropped. The topology goes on; the next one has another number.
//   - A worker that was lost or is new, a task that failed, a frame that was lost: the coordinator begins a new generation
//     from the newest checkpoint that counts.
//
// Epochs grow by one from 1 and are never used twice in the life of a topology.
package checkpoint
