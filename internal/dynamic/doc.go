// Package dynamic shows that a topology can be changed while it runs: random edits, chosen by a seed, made one after the other by the
// commands that a user has (apply, rollback), under load and with checkpoints.
//
// The topology is written as YAML (Spec). Sources emit numbered records; a step passes them on, in Go or Python, with one task or
// eight; another one in Go stands between it and the counters, which keep their state by key group; sinks make visible what counts.
// Taps listen beside that line, and a second step may be put into it. Source, sink and check are those of package exact, so what is lost
// or doubled is told by files alone. Choose draws edits: a pure function of a random source and of the versions so far.
//
// How long a task stood still is measured in the tasks themselves (probe.go). Each tuple carries the moment at which the task before
// emitted it. A task that begins to execute one looks back to the end of its last call or to that moment, whichever is later: since
// then it had something to do and did not. That counts all that can be in the way: the engine, credit, alignment of markers, the link, the
// machine. A task of the line that runs in another process than before, or went back to a checkpoint, has stood still since its last call, whatever was waiting. A
// source has always something to do. What is longer than a millisecond is noted in a file, and afterwards laid beside the edits (gaps.go): a gap belongs to the edit
// after whose beginning it began, and counts if that edit did not touch the component. Before the edits the same is measured without any.
//
// An Edited is the same topology and the same edits on a cluster that is being broken. There commands fail whose edits are made; book.go
// knows which versions there can be, and what the cluster must not tell.
package dynamic
