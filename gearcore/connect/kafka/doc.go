// Package kafka reads and writes Kafka topics, by franz-go.
//
// # Source
//
// Partitions are shared out to the tasks of a component by number, not by a consumer group: partition p of the i-th topic belongs to
// the task at (p+i) mod tasks. Each task keeps the next offset of its partitions in the checkpoint, and with another number of tasks takes what it needs of all
// former ones'. A restore settles where a partition begins that no checkpoint knows, so that every later return finds the
// same; partitions that are added while it runs are read from their beginning. A topic that a new version leaves out keeps its offsets there, so
// going back reads on.
//
// Records are fetched by goroutines of franz-go, as far as FetchBytes allows; Next takes what is there. Event time is the lowest
// of the partitions' (newest record less Lateness); one that gives nothing for IdleAfter, while nothing is fetched and not emitted, is left out.
// It does not follow records that are too far in the future (MaxAhead).
//
// Where the next record is gone (it was deleted, or the log was cut) or the partition is, the source reports ErrOutOfRange or
// ErrLost and emits nothing more, unless the options say where to go on; then it reports them once and goes on there.
//
// In a topology without checkpoints records are emitted with ids, as by Storm's KafkaSpout: failed ones again after a pause that grows, and what is
// acked without a gap is committed to the group, where the next start goes on. A partition of which MaxUncommitted records are
// under way waits; others go on.
//
//	b.SetSpout("orders", storm.SourceFactory(kafka.Sources(kafka.SourceOptions{
//		Cluster: kafka.Cluster{Brokers: []string{"kafka:9092"}}, Topics: []string{"orders"}, Group: "billing"})), 4).
//		Fields("key", "value", "topic", "partition", "offset", "timestamp")
//
// # Sink
//
// In the mode ExactlyOnce the records of an epoch are held back until the checkpoint of that epoch counts, and then written
// in one Kafka transaction (package outbox). The same transaction commits an offset: of a group that is called like the
// transactional id, for partition 0 of SinkOptions.Topic, the number of the batch. Either both are there or neither is, so after a failure the offset
// tells whether the transaction was committed, however the task ended. Nothing else is asked: no transaction has to be found
// again, none is left open over a restart.
//
// A transactional id is <ID>-<index of the task>. The start of a task takes a new producer epoch of it, which ends what a former task has
// open and refuses what it sends later. The principal needs WRITE for the transactional id and the topics, and READ for the group and the topic.
//
// Records become visible, to readers with isolation.level=read_committed, once per checkpoint. A streaming sink, which writes while the epoch is
// under way into a transaction that is open until the checkpoint counts, would show them at the same time and hold nothing back; but between the
// record that makes the checkpoint count and the end of the transaction the task may end, and then the transaction has to be found
// again and committed. Kafka's own way to that (two-phase commit, KIP-939) is not to be had: in Kafka 4.4 the version of InitProducerId that it needs is marked
// unstable, which brokers refuse by default, and franz-go 1.22 does not know it. The known way round, to send EndTxn for the producer id and epoch of the lost
// process, is lost when the brokers' transaction timeout passes first, and does not work with version 2 of transactions
// (KIP-890), where every end of one bumps the epoch. So this package writes the checkpoint's copy.
//
// What costs: an epoch's records are written twice, once to the checkpoint store and once to Kafka. What can go wrong: brokers forget offsets of groups without members
// after offsets.retention.minutes (7 days if nobody set it). A sink that has nothing to publish says the number again each hour. A topology
// that was away for longer, and had batches to publish when it went, cannot
// know whether they are there: outbox.Options.Lost says what to do, to refuse by default.
// What Kafka refuses for good (a record without a key for a topic that is compacted, a time that the topic does not take) holds up all that follows,
// and a restart too, until the topic takes it.
//
// SourceProperties and SinkProperties make options of the properties that consumers, producers and storm-kafka-client know.
//
// In the modes Idempotent and AtLeastOnce records are sent at once, and a tuple is acked when all in-sync replicas have its
// record.
package kafka
