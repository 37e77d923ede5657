package gearcore

import (
	"context"
	"io"
	"slices"
)

// Checkpointed is implemented by tasks and sources that have something to lose. A task without it has no state: after a
// rollback it is used on as it is. In a topology with checkpoints every source has to implement it.
//
// All methods are called like those of Task, by the executor, never at the same time as others.
type Checkpointed interface {
	// Freeze fixes what the task knows at this moment, for the checkpoint of that epoch. It should take no longer than a
	// call of Execute may: what it returns is written by another goroutine while the task goes on. A source fixes the
	// position behind the last record that it emitted.
	Freeze(epoch uint64) (Frozen, error)
	// Restore makes the task what it was at the checkpoint that r holds; if that is the beginning (r.Epoch 0), as new. It is
	// called after Open and before anything else, and again at each rollback: whatever the task did or heard since then did not happen.
	// It may block for as long as reading takes. What was posted through Async before is forgotten; a task with goroutines of its own
	// ends them here, or tells apart what those of an earlier life post later. An error breaks the generation, so that all tasks begin again;
	// it is reported unless it says that a process was Lost, which whoever keeps that has told of (Async.Report). MisfitError says that trying
	// again is of no use.
	Restore(r *Recovery) error
}

// MisfitError is what a Restore returns, wrapped perhaps, where the program cannot take up what is in the checkpoint, however often it is
// tried: it has no such state any more, or another one of that name. A new version of a topology with it is given up at once.
type MisfitError struct{ Err error }

func (e *MisfitError) Error() string { return e.Err.Error() }

// Unwrap returns what does not fit.
func (e *MisfitError) Unwrap() error { return e.Err }

// Committer is implemented by tasks that hold back effects until the checkpoint that contains them counts (two-phase sinks).
type Committer interface {
	// Commit says that the checkpoint of that epoch and all before it are committed. It returns at once; the task does the work elsewhere. It
	// may come late, more than once, and not at all for an epoch after which there was a rollback: Restore tells then.
	// What was committed and not made visible when the task ended is the affair of the next Restore.
	Commit(epoch uint64)
}

// Preparer is implemented by tasks that are Holders and Checkpointed, and whose state is elsewhere: in another process, say.
type Preparer interface {
	// Prepare says that the state of this moment is that of the checkpoint: all that came before it was executed and the task
	// holds nothing. Holding is true from then on until the task has what Freeze is to return, and has emitted what belongs
	// before it; Freeze comes next then. If the checkpoint is given up meanwhile nobody says so: more tuples come, and
	// another one is prepared.
	Prepare(epoch uint64, c *Collector)
}

// Frozen is the state of a task at one moment.
type Frozen interface {
	// Save makes it durable and says where it is. It is called once, by a goroutine of the engine's, or not at all (then
	// Drop is). ctx ends when the checkpoint is given up.
	Save(ctx context.Context, to Vault) (Part, error)
	// Drop says that nobody will Save it.
	Drop()
}

// MaxInline bounds Part.Inline, in bytes; what is longer goes into a file.
const MaxInline = 64 << 10

// Part is what one task has in a checkpoint. Files may be shared with earlier checkpoints: they are kept for as long as a
// checkpoint that counts names them.
type Part struct {
	Inline []byte `json:"inline,omitempty"`
	Files  []File `json:"files,omitempty"`
	// Note says for people what it is, as "offset 30" or "12 keys".
	Note string `json:"note,omitempty"`
	// Clock is what time it was for the task, in milliseconds since 1970, where that must not go back with the clock of another machine; else 0.
	Clock int64 `json:"clock,omitempty"`
}

// File is an immutable file of a checkpoint store.
type File struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Sum   uint64 `json:"sum"` // xxhash64 of the content
	// First and Last are the key groups it holds; both 0 where it is not by key.
	First uint16 `json:"first,omitempty"`
	Last  uint16 `json:"last,omitempty"`
	// Meta is the writer's.
	Meta string `json:"meta,omitempty"`
}

// Vault is a task's way to the checkpoint store. It is safe for concurrent use; calls block.
type Vault interface {
	// Put writes a new file. name is a hint (letters, digits, "-"); the Vault makes it unique. Nothing of content is kept.
	Put(ctx context.Context, name string, content io.Reader) (File, error)
	// Get opens a file. If it is not what was put, Get says so of a small one, and the reader at its end of a large one: what of that is
	// read in parts is to be believed only when Read has returned io.EOF. What a Restore leaves before its end is read to it afterwards.
	Get(ctx context.Context, f File) (io.ReadCloser, error)
}

// Recovery is what a task is restored from.
type Recovery struct {
	// Epoch of the checkpoint; 0: the beginning.
	Epoch uint64
	// Generation grows with every rollback. What keeps effects outside can refuse a task whose Generation is not larger than that of the last one
	// that was restored: it is left over from before.
	Generation uint64
	// Parts are those of all tasks of the component, in the order of their indices then: their number may have been another one.
	Parts []TaskPart
	// Index and Tasks say which of how many the task is now; First and Last are the key groups that are its own now.
	Index, Tasks int
	First, Last  int
	Vault        Vault
	// Ended is closed when nobody wants the task restored any more, because it is about to be closed or to be restored again: a Restore that
	// waits for anybody returns ErrClosed then. May be nil.
	Ended <-chan struct{}
	// Grow, if not nil, may be told that about so many bytes of memory are about to be taken and kept: nothing is collected in vain on the way.
	Grow func(bytes int64)
}

// EventTime is what a task goes on with: the watermark of the checkpoint's task of the same index, or the least of all where their
// number was another one; 0 if none was known.
func (r *Recovery) EventTime() Watermark {
	i := slices.IndexFunc(r.Parts, func(p TaskPart) bool { return p.Index == r.Index })
	if i >= 0 && len(r.Parts) == r.Tasks {
		return r.Parts[i].eventTime()
	}
	low := Watermark(0)
	for i := range r.Parts {
		if w := r.Parts[i].eventTime(); i == 0 || w < low {
			low = w
		}
	}
	return low
}

func (p *TaskPart) eventTime() Watermark {
	if p.Watermark == Idle {
		return 0
	}
	return p.Watermark
}

// TaskPart is one task's part in a checkpoint.
type TaskPart struct {
	Task  TaskID `json:"task"`
	Index int    `json:"index"`
	// Watermark is that of the task's input (a source's: its own) at the checkpoint. 0: none yet.
	Watermark Watermark `json:"watermark,omitempty"`
	Part
}
