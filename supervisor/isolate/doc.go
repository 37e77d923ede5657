// Package isolate launches one worker process, knows it again after its supervisor was replaced, limits it and ends it
// together with everything it started.
//
// # The hand-over
//
// A worker learns what it is from its command line (Args), which names it and nothing else, and from a WorkerSpec on the
// inherited descriptor SpecFD, which holds its secrets. The spec never lies in a file, so no tenant can read or replace it
// between writing and reading. With WorkerSpec.Lifeline set, LifelineFD is a pipe that reads as ended when the supervisor
// is gone, however it went; without it a worker outlives its supervisor.
//
// # Identity
//
// A process is pid, start time and boot id (Identity), never a pid alone. Signals go through a pidfd that was opened before
// the start time was compared, or to processes that provably belong to the worker: those of its session or process group
// while its leader still holds the number, and those whose environment carries its id. A number written into a file by a
// worker is never believed, so nobody can have a stranger killed.
//
// # Isolation
//
// An Isolator puts a worker, with all it starts, into a cage with Limits: None, Rlimit, or a control group (package cgroup).
// What a process has to do to itself before it becomes the worker, it does in a program of ours (Launch.Shim, package shim)
// that was told how by an Entry on a descriptor: enter the group, limits, user, sandbox, in this order. It keeps its number
// and start time when it becomes the worker, so identities know nothing of it.
//
// # Goroutines
//
// A Process has two, until it ended or Release. Process.Wait and Process.Kill block in the goroutine of their caller and may run side by side.
package isolate
