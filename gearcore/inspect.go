package gearcore

import "errors"

// Inspected is implemented by tasks whose state people may look at while they run.
type Inspected interface {
	// Inspect returns what the task has now, beyond the newest checkpoint: what a rollback would undo is in it. It changes nothing. It is called
	// like the methods of Task, between two tuples.
	Inspect(q StateQuery) ([]StateEntry, error)
}

// StateQuery says what somebody wants to see of a task's state.
type StateQuery struct {
	// State is the name of a handle; "": all of them, but for timers where a Key is asked for, for which all timers have to be looked at.
	State string
	// Key is a key as people write it, if HasKey; else the question is which handles there are.
	Key    string
	HasKey bool
}

// StateEntry is one handle of a task's state, with what it has for the key that was asked for.
type StateEntry struct {
	State string // the name of the handle
	Kind  string // value, list, map or timers
	JSON  []byte // nil where no key was asked for
}

// ErrNoState is the error of tasks that could be Inspected and keep nothing, and of those that cannot.
var ErrNoState = errors.New("it keeps no state that can be looked at")
