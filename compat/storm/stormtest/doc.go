// Package stormtest runs one component of package storm without an engine: a test hands it tuples and looks at what it
// emitted, acked and failed. Everything happens inside the calls, on the caller's goroutine, so results are there when
// a call returns. What a component does through an Async waits for Wait, and for nothing else.
//
// A component that panics or misuses its collector ends the test.
package stormtest
