package gearcore

import "errors"

// BatchTask is a bolt's code for one task id whose work happens elsewhere, mostly in another process: it takes its
// input batch by batch, where a Task takes it tuple by tuple. The rules of Task hold for its methods.
//
// It has three duties. It settles every row (Collector.Ack or Fail), at the latest when the other side is lost. It
// pauses its input (Collector.Pause) while the other side holds as much as it may, and never waits for it. It keeps
// nothing of a batch after ExecuteBatch but rows and anchors that it copied: the engine takes the batch back.
type BatchTask interface {
	Open(ctx *Context, c *Collector) error
	// ExecuteBatch takes all rows of b, which is for this task. A row is settled through a tuple of a batch that the
	// task owns and that holds a copy of the row and its anchors (Batch.Append without values is enough); a row is
	// settled through one such copy only.
	ExecuteBatch(b *Batch, c *Collector)
	Close()
}

// RoutedSink is a Sink that also takes tuples whose receivers were chosen outside. The engine's is one.
type RoutedSink interface {
	Sink
	// EmitTo sends one tuple to each of tasks, which the groupings of the stream are not asked about; e.Task is
	// ignored. Every task must belong to a subscriber of the stream. vals and tasks are the caller's.
	EmitTo(e *Emission, tasks []TaskID, vals []Value) error
}

// Follower is implemented by tasks that choose the receivers of what they emit themselves (SendTo), or have it done elsewhere. For
// others the engine does all there is to do when the graph changes around them.
type Follower interface {
	// Follow says that the task sends and hears by that version of the graph from now on. It is called by the executor between
	// two calls, perhaps before Open and perhaps again with the same version; in a topology with checkpoints behind the marker of the
	// checkpoint with which the version comes into force. What is chosen by the one before still arrives (Emission.Earlier).
	Follow(version int64)
}

// LossSink is a Sink that can be told of losses. The engine's is one.
type LossSink interface {
	Sink
	Lost(err error)
}

// Lost says that something is gone that the task knew or held, because of err. In a topology with checkpoints all tasks begin again at
// the last one then; without them it means nothing.
func (c *Collector) Lost(err error) {
	if s, ok := c.sink.(LossSink); ok {
		s.Lost(err)
	}
}

var errNoRouting = errors.New("emit to chosen tasks: this collector routes by itself")

// SendTo sends vals (copied) as e says to exactly the given tasks, none of them included: the groupings were applied
// elsewhere. It returns misuse as an error: a task that does not subscribe to the stream, a wrong number of values.
func (c *Collector) SendTo(e Emission, tasks []TaskID, vals []Value) error {
	s, ok := c.sink.(RoutedSink)
	if !ok {
		return errNoRouting
	}
	w := c.work()
	w.em = e
	err := s.EmitTo(&w.em, tasks, vals)
	w.em = Emission{}
	return err
}
