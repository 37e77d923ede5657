// Package ackers keeps the books of at-least-once processing, with the rules of Storm's acker bolt and spout executors
// (org.apache.storm.daemon.Acker, executor.spout.SpoutExecutor, utils.RotatingMap), by counting instead of XOR.
//
// Every spout tuple with a message id is the root of a tree. Each tuple of the tree holds one reference to the root. A
// bolt that emits tuples anchored to T passes T's reference on to one of them when it acks T, and makes one more for each
// of the others; when the last reference is given back, the tree is complete. A failed tuple's reference is never given
// back, so that a failed tree is never complete.
//
//   - Counts is the count of each root, for everybody who holds references.
//   - Pending is what a spout executor knows of its own roots: counts, message ids, timeouts.
//   - Between workers no root travels. Outstanding is what the sending end of a link knows: which references went with
//     which row. Proxies are the receiving end's own roots, one for each tracked row, and what became of them; a Result
//     says that for up to 64 rows.
//
// Storm's ledger of XORs is the model that tests hold all this against (gearcore/sim).
//
// The package is pure: no clock, no goroutine, no randomness. Time enters as calls of Rotate, one per message timeout: a
// spout tuple fails with the second rotation after it was emitted or reset, so after one to two periods; what a link
// knows is forgotten without a word with the third.
package ackers
