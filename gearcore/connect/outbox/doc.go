// Package outbox holds back what a sink got of an epoch until the checkpoint of that epoch counts, and publishes it once, for sinks whose
// other side can make a batch visible all or nothing and remember a number with it (Kafka, Redis).
//
// # How
//
// Records of an epoch gather in a spool (memory, then a file without a name). Freeze makes them a batch with a number; the checkpoint holds every
// batch that is not known to be published, content and all. When the checkpoint counts, a goroutine publishes them in the order
// of their numbers. The target remembers the newest number under the task's identity, in the same step that makes the batch visible.
//
// After a failure the checkpoint says which batches there were and the target which of them were published; the rest is published by
// Restore. So it does not matter when a task ended: before the publication, within it, or after it and before anybody knew.
//
// # Numbers
//
// The numbers of an identity only grow. They are part of the checkpoint, and Restore goes on behind both what the checkpoint and what
// the target knows. So a topology that starts again from nothing or from an old savepoint under the same names does not take its new batches for old
// ones.
//
// # Who may publish
//
// Restore claims an identity, which ends every claim before it: a task that was replaced and does not know cannot publish. After an
// error the goroutine settles what became of its batch, which never takes the identity back from another. With another number of tasks the batches of former ones are published
// under their own identities, each by one of the tasks now.
package outbox
