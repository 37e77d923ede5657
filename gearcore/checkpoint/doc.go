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
// Epochs grow from 1 and are never used twice in the life of a topology. They grow by one, but for a few that are left out when another
// generation begins: nobody knows which of them were cut before.
//
// # The log
//
// The log is a chain of records in a Store, each written by a conditional put at the next number (Log). A generation begins with a
// record of its own, which has the number that a coordinator before would need for its next one: who is late finds it taken and
// stops (ErrFenced), and no commit can appear any more behind a rollback's back. A generation's number is that of its record.
//
// A record or a checkpoint that is gone or damaged is passed over: the generation begins with the newest one that is whole, and
// says which were not, and why.
//
// # Who does what
//
//	Coordinator  decides; pure
//	Log          reads and writes records and manifests, cleans up; Do carries out what the Coordinator wants
//	Vault        is how tasks write and read their files
//	Store        keeps objects: Memory here, others in packages below this one
//
// Files that a task names in its part are written for that epoch (Vault), or are named by the newest checkpoint that it knows to count or was
// restored from. Nothing else is safe from cleaning.
package checkpoint
