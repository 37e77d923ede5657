// Package file reads records of files and writes them.
//
// A record is a line, or a frame of four bytes of length (big endian) and content.
//
// # Source
//
// Every file belongs to one task of the component, by a hash of its name. A task reads its files one after the other, in the order of
// their names. A checkpoint holds how far each file was read, so after a failure, or with another number of tasks, every
// record is emitted again from there. Files that other Paths do not mean any more keep their place, for Paths may mean them again; a followed file that is
// gone for SourceOptions.ForgetAfter is forgotten, and one of its name is a new one. Where a file was cut, or another one has its name by now
// (it begins otherwise), SourceOptions.Truncated says what to do; what was not read of the one before is not read any more, so logs are read whole
// where each keeps its name. The files have to be the same on every host that a task may run on.
//
// Without checkpoints every start reads from the beginning, and nothing is emitted again.
//
// # Sink
//
// In the mode ExactlyOnce a task writes the records of an epoch into a hidden file of its own. When a checkpoint is made the
// file is closed and forced to disk; when the checkpoint counts the file gets its name, <Name>-<index of the task>-<epoch>. A file with such a
// name is complete and never changes, and each record is in one of them. An epoch without records makes no file. After a failure the next task finishes what was committed (the
// checkpoint names those files) and removes what was not. The directory has to be the same on every host that a task may run on.
//
// The first start finds no output, and after a return to an earlier checkpoint (a savepoint, say) there is output that is going to be
// made again. Both are noticed: SinkOptions.Existing says what to do about output that the checkpoint does not know of.
// Readers that take files away are to be told of, too: SinkOptions.Lost.
//
// In the mode AtLeastOnce each life of a task appends to a file of its own, <Name>-<index>-<time>-<number>; a tuple is acked when it
// is on disk. After a crash the end of the last file may be a part of a record, which is written again to the next one.
package file
