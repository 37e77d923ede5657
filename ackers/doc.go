// Package ackers keeps the books of at-least-once processing, as Storm's acker bolt and spout executors do
// (org.apache.storm.daemon.Acker, executor.spout.SpoutExecutor, utils.RotatingMap).
//
// Every spout tuple with a message id is the root of a tree. Each edge of the tree has a random 64-bit id; an edge is
// told to the root's acker once when it is made and once when it is done, and the acker XORs what it is told. When
// the result is zero, every edge was told twice: the tree is complete.
//
// The package is pure: no clock, no goroutine, no randomness. A Ledger is what an acker task knows; Pending is what a
// spout executor knows. Time enters as calls of Rotate, one per message timeout: an entry dies with the third
// (ledger) or second (spout) rotation after it was last touched, so a ledger forgets silently after two to three
// periods and a spout fails a tuple after one to two.
//
// Root 0 is no root: messages about it are ignored. Roots need to be unique, not random: a spout executor numbers its
// own from a random start, which keeps the books of tuples that live at the same time close together in memory.
// Edges must be random.
package ackers
