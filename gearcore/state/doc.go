// Package state keeps the keyed state of one task: values, lists, maps and timers by key, in memory up to a limit and in
// pebble beyond it, with checkpoints that cost what has changed.
//
// A Store belongs to one task and is used by its executor only, so nothing on the way of a record takes a lock. What has
// state of several kinds registers a handle for each, by name:
//
//	s, err := state.New(state.Config{Name: "count[3]"})
//	counts := state.NewValue(s, "counts", state.Strings[string](), state.Ints[int64]())
//	counts.Update(word, func(n *int64) { *n++ })
//
// # Keys and groups
//
// A key belongs to the key group that the partitioner of the same name gives it (GroupOf), so it is where its records
// come. The group is needed in checkpoints only, and computed when one is made: reading and changing state hashes a key once.
// A key that is not one of the task's own groups cannot be found again after a change of parallelism; the checkpoint fails and names it.
//
// # Checkpoints
//
// Freeze writes what has changed since the last one into memory (a piece); nothing that goes on afterwards touches it. Save
// puts the newest pieces into one file, a segment; a Part names the segments that together are the state, oldest first. A
// segment may be named again once a checkpoint with it is committed (Commit), so until then its pieces are kept and written again. When
// segments hold much that is dead, a cycle begins: with each Freeze some of what has not changed is written
// again, no more than a few times what has, and when all was, what is older than the cycle is named no more.
//
// The segments of a Store on disk are files that pebble takes in as they are, so a state larger than memory is restored as fast as files are copied.
//
// # Failures
//
// A disk that fails below pebble makes the operation panic with a *Failure, since no answer would be right; the engine turns it into
// an error of the component, and Rescue does for others. From then on nothing but Restore works.
package state
