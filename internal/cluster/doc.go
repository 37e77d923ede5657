// Package cluster is what the cluster agrees on: a small transactional key space (Store) and the records kept in it.
//
// # Promises
//
//   - A Txn is all or nothing and durable when it returns nil (the embedded store has it on disk by then).
//   - Every write names the epoch of the leader that makes it. An epoch that is not the newest gets ErrFenced, so a
//     master that was replaced while it slept cannot write over its successor. This is the only fence; a lock or a
//     reading of "am I still leader" before a write would not be one.
//   - Correctness comes from conditional writes (Create, PutIf, DeleteIf, Check), never from a reading alone. Watches
//     are hints: they may fire without a change and may be merged, so whoever watches also reads again at times.
//
// # Implementations
//
// embed keeps everything in one file beside one master. zk keeps it in ZooKeeper, for several masters. mem is embed's twin in
// memory for tests and for the development mode, with peers for tests of several masters. All pass clustertest.Run, and
// clustertest.Linearizable holds their histories, with leaders that change and connections that break, to a model.
//
// Get and List see every write that was acknowledged before they began, on every peer, and List is a snapshot. (Package zk
// tells of the one exception there.)
//
// # Keys
//
// Keys are paths of escaped segments; keys.go lists all of them. Values are JSON and at most MaxValueBytes long: large
// things (jars, serialized topologies, configurations) live in the blob store and only their metadata stands here.
package cluster
