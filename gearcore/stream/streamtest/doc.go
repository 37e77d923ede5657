// Package streamtest runs topologies of package stream in tests: what sources emit is said by the test, what sinks would get is
// asked for, and time passes when the test says so. There is no network, no goroutine and no real time, and the same test gives the same run.
//
//	h := streamtest.Run(t, topology)
//	h.Send("lines", streamtest.At(1, "a b"), streamtest.At(2, "a"))
//	h.End("lines")
//	h.Expect("out", ...)
//
// The steps, codecs, windows, state, watermarks and checkpoints are the real ones, and the engine is too, driven by hand.
//
// # Sources and ends
//
// Every From emits what Send gives it, instead of what its source would, and every To gives what it gets to the test, instead of its
// sink. Event times of At are in seconds since 1970, so that windows have numbers that can be read.
//
// # Time
//
// After every call all that can happen has happened, at a standstill of the clock. Advance lets it go on; it begins at 2096-10-02
// 07:06:40 UTC. Watermarks follow from the events, as the topology says; Watermark and End raise them by hand.
//
// # Checkpoints
//
// Checkpoint makes one and returns when it counts. Rollback makes every task what it was at the last one, Crash also makes
// new tasks first, and Rescale makes so many as it is told. What ends got after that checkpoint is taken back, as by a sink
// that takes part in them; what sources were sent stays, and comes again from where they were.
package streamtest
