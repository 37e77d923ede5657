package checkpoint

import (
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Order is what the coordinator of a topology wants of all its workers. The zero Order wants nothing yet.
type Order struct {
	// Generation grows with every rollback, also from one coordinator to the next. Workers ignore smaller ones.
	Generation uint64 `json:"generation"`
	// Restore is the checkpoint that this generation begins with; 0: the beginning.
	Restore uint64 `json:"restore,omitempty"`
	// Go says that everybody is restored: sources may emit. A task that is not restored when its worker hears this must not be
	// restored any more, since later checkpoints may count by now and it would undo their effects: it waits for the next generation.
	Go bool `json:"go,omitempty"`
	// Cut is the newest checkpoint that sources are to begin; 0: none in this generation.
	Cut uint64 `json:"cut,omitempty"`
	// Dropped is the newest checkpoint that was given up: nobody waits for markers up to it.
	Dropped uint64 `json:"dropped,omitempty"`
	// Committed is the newest checkpoint that counts.
	Committed uint64 `json:"committed,omitempty"`
	// Version is that of the graph (dag.Graph.Version) by which tasks work. In a generation it grows only by a birth. 0: nobody asks.
	Version int64 `json:"version,omitempty"`
	// Birth is the newest one of this generation.
	Birth Birth `json:"birth,omitzero"`
}

// Birth is how another graph comes into force while a topology runs: at a checkpoint. Tasks of both graphs send by the new one behind
// their marker of Epoch. Those that the new one has not any more end with it. Those that only it has begin with what their component
// had in Epoch, once Order.Version says that it counts, in the same generation.
type Birth struct {
	Version int64  `json:"version"`
	Epoch   uint64 `json:"epoch"`
	// Done says that all tasks of the new graph are at work. A task that comes later has no part in it.
	Done bool `json:"done,omitempty"`
}

// Report is how one worker is.
type Report struct {
	// Worker is the worker's slot, and Life the process: a later one at the same slot has a larger Life, as far as clocks
	// allow (nanoseconds since 1970 when it began will do). A smaller one is heard only once the larger one is silent.
	Worker string `json:"worker"`
	Life   uint64 `json:"life"`
	// Generation is that of the newest Order it has obeyed. What follows is of that generation.
	Generation uint64 `json:"generation"`
	// Tasks are those that it has, ascending.
	Tasks []gearcore.TaskID `json:"tasks"`
	// Version is that of the graph by which its tasks work, or will when they may begin; Staged is that of the newest graph whose
	// tasks here are all made and opened. 0 where nobody asks.
	Version int64 `json:"version,omitempty"`
	Staged  int64 `json:"staged,omitempty"`
	// Birth is the epoch of Order.Birth, if it has heard of one in this generation: its tasks know what marker that is.
	Birth uint64 `json:"birth,omitempty"`
	// Shape is that of the plan by which its tasks know how many they are and what is theirs (ShapeOf); 0 where that is not checked.
	Shape uint64 `json:"shape,omitempty"`
	// Restored says that all of them are what they were at Order.Restore, and have gone on from there since. If it is not set after
	// Order.Go, that is a reason for a new generation.
	Restored bool `json:"restored,omitempty"`
	// Unrestored are those of which that is not so.
	Unrestored []gearcore.TaskID `json:"unrestored,omitempty"`
	// Broken, if not "", is why it asks for a new generation.
	Broken string `json:"broken,omitempty"`
	// Unreadable, if not 0, is the checkpoint that could not be restored because something of it is gone or damaged (Lost), rather
	// than out of reach; Broken says what. It is left aside then.
	Unreadable uint64 `json:"unreadable,omitempty"`
	// Epoch is the newest checkpoint that it has heard of, by Order.Cut or a marker.
	Epoch uint64 `json:"epoch,omitempty"`
	// Saved are the parts of its tasks that are durable, of Epoch only.
	Saved []gearcore.TaskPart `json:"saved,omitempty"`
	// Failed is why a task of it cannot contribute to Epoch.
	Failed string `json:"failed,omitempty"`
	// Waiting are tasks that have got a marker of Epoch and wait for others.
	Waiting []Wait `json:"waiting,omitempty"`
	// Clocks has a row for each component of which it has tasks.
	Clocks []Clock `json:"clocks,omitempty"`
}

// Wait is an alignment that is under way.
type Wait struct {
	Task  gearcore.TaskID `json:"task"`
	For   gearcore.TaskID `json:"for"`   // a sender whose marker is missing; Task, if none is and it holds tuples of before
	Since time.Duration   `json:"since"` // how long
}

// Text says it for people. component names that of a task.
func (w Wait) Text(component func(gearcore.TaskID) string) string {
	is := fmt.Sprintf("task %d of %s has waited %v", w.Task, component(w.Task), w.Since.Round(time.Millisecond))
	if w.For == w.Task {
		return is + " to be done with its tuples: there are some that it has not acked"
	}
	return fmt.Sprintf("%s for the marker of task %d of %s", is, w.For, component(w.For))
}

// Clock is the lowest event time of some tasks of a component.
type Clock struct {
	Component string             `json:"component"`
	Min       gearcore.Watermark `json:"min"`             // input clock; a source's: its own. Idle if all tasks are, 0 if one knows none yet
	Out       gearcore.Watermark `json:"out,omitempty"`   // output clock
	Task      gearcore.TaskID    `json:"task"`            // one that is at Min
	Stuck     []gearcore.TaskID  `json:"stuck,omitempty"` // others that are, a few
}
