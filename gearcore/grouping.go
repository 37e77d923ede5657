package gearcore

// CustomGrouping is a grouping written in Go: it chooses which tasks of a subscriber get a tuple, as Storm's
// CustomStreamGrouping does. Each task that emits has one for each subscription that is declared with it; its methods are
// called by that task's executor only, so it needs no locks, and none may block.
type CustomGrouping interface {
	// Prepare is called once, before the emitting task is opened. ctx is that task's; targets are the tasks to choose
	// among, ascending, and may be kept. An error ends the worker, as one of Open does.
	Prepare(ctx *Context, targets []TaskID) error
	// Choose returns who gets a tuple that task emits: some of targets, or none; who stands there twice gets it twice.
	// The result is read until the next call. values may be neither changed nor kept, nor may strings in them.
	// A panic is one of the component that emits; a task that is none of targets is a mistake of its emit.
	Choose(task TaskID, values []Value) []TaskID
}
