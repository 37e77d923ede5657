// Package connecttest checks what sources and sinks of package connect promise, the same way for each: it plays a topology
// and its coordinator, one step at a time, by a seed. Steps are records, checkpoints that count or are given up, commits that come late,
// twice or not at all, rollbacks in place, processes that end as in a power cut, and other numbers of tasks.
//
// [SinkTest] holds a sink to: what is visible came before a checkpoint that counts, nothing is there twice, and in the end all
// is there. [SourceTest] holds a source to: from every checkpoint that counts on, each record is emitted once.
package connecttest
