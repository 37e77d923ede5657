// Package sim runs a whole topology under virtual time on one goroutine: the engines of several workers and the links
// between them. A seed decides which executor runs next and for how many calls, how long messages travel and how time
// passes; the same seed gives the same run, which Trace proves. Workers can be crashed, with everything in flight to
// and from them lost, and started again.
//
// A World with Checkpoints has a coordinator as well (package checkpoint), whose messages are late and lost like others, and which can
// be replaced at any moment.
//
// It is for tests: of the engine, and of components that want to see every interleaving of a small topology. A World
// is not safe for concurrent use.
package sim
