package gearcore

import (
	"errors"
	"log/slog"
)

// Task is a bolt's code for one task id, as the engine runs it. All methods are called by its executor, one at a
// time; none may block for long: what must wait pauses its input (Collector.Pause) and goes on through Async.
type Task interface {
	// Open is called once, before any other method: when the topology is first active, in one with checkpoints at its start.
	Open(ctx *Context, c *Collector) error
	// Execute handles one tuple. An error fails the tuple and is reported, unless it is ErrFailed. Nothing is acked by
	// itself: the task calls c.Ack or c.Fail, now or later.
	Execute(t Tuple, c *Collector) error
	// Close is called once at shutdown, also after a failed Open.
	Close()
}

// Source is a spout's code for one task id. The rules of Task hold.
type Source interface {
	Open(ctx *Context, c *Collector) error
	// Next emits at most a few tuples. ErrIdle says that there was nothing: the engine waits a little before it asks
	// again. Another error is reported. After c.Pause it is not called until c.Resume.
	Next(c *Collector) error
	// Ack says that the tree of the tuple emitted with id is complete, Fail that it failed or timed out.
	Ack(id Value, c *Collector)
	Fail(id Value, c *Collector)
	// Activate and Deactivate follow the topology's status. A source starts out deactivated; Activate comes before
	// the first Next.
	Activate(c *Collector)
	Deactivate(c *Collector)
	Close()
}

// Executor is the part of a Task that handles tuples.
type Executor interface {
	Execute(t Tuple, c *Collector) error
}

// Nexter is the part of a Source that emits them.
type Nexter interface{ Next(c *Collector) error }

// DirectTask is a Task whose Execute does no more than call that of another value, which the engine then calls itself.
type DirectTask interface{ Direct() Executor }

// DirectSource is DirectTask for sources.
type DirectSource interface{ Direct() Nexter }

// ErrFailed, returned by Execute (wrapped or not), fails the tuple without being reported.
var ErrFailed = errors.New("tuple failed")

// ErrIdle is what Source.Next returns when it had nothing to emit.
var ErrIdle = errors.New("nothing to emit")

// NoRetain is implemented by tasks that keep no tuple, string, byte slice or value after Execute returned: their input
// batches are recycled, and so may be the memory that the texts are in. A string that is to stay (the key of a map, say) is
// cloned; what is emitted need not be.
type NoRetain interface{ NoRetain() }

// Holder is implemented by tasks and sources that work between calls: they may have tuples that they have not settled,
// tracked or not, or have asked for some to emit. Their executor does not leave while one of them holds any, for as long as
// it is given to leave, and an engine with one of them is not quiet. Holding is called like the methods of Task.
type Holder interface{ Holding() bool }

// Starter is implemented by tasks and sources whose work begins some time after Open has returned: once a process has come up, say.
// Whoever waits for a topology to be at work waits for them too.
type Starter interface {
	// Started reports whether it has begun, at least once. It may be called at any time from any goroutine.
	Started() bool
}

// Riser is implemented by tasks and sources that can be restored only once something is up that Open does not wait for: a process, say. In a
// topology with checkpoints a graph that they come with is prepared when it is, so that the tasks of the graph before work until then.
type Riser interface {
	// Up reports whether it is, or was once, or nothing will come of it. It is called like the methods of Task, when Open has returned and whenever something is posted (Async).
	Up() bool
}

// Context tells a task who and where it is. It is shared read-only.
type Context struct {
	TopologyID   string
	TopologyName string
	Component    string
	Task         TaskID
	Index        int            // place among the component's tasks, from 0
	Tasks        []TaskID       // the component's tasks, ascending
	Conf         map[string]any // topology conf with the component's own keys merged in
	Layout       *Layout
	CodeDir      string // where the topology's resources are unpacked; "" without
	// CodeDirNow returns where what was in CodeDir is by now: code of another version may come while the task runs, and take its place.
	// nil: nothing moves.
	CodeDirNow  func() string
	PidDir      string // where children leave their pid files
	WorkerPort  int
	WorkerTasks []TaskID // tasks in this worker
	// Credentials are the topology's; nil where nobody gives any.
	Credentials *Credentials
	Log         *slog.Logger
}
