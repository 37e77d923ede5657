package isolate

import (
	"os/exec"
	"time"
)

// Isolator makes the cage that a worker and all it starts run in.
type Isolator interface {
	// Name is a word for logs.
	Name() string
	// Cage makes the cage of a worker that is about to start.
	Cage(worker string, l Limits) (Cage, error)
	// Find gives the cage that a worker was started in, by any supervisor process of this node. It never fails: a cage
	// that is not there any more holds nobody.
	Find(worker string) Cage
	// Sweep ends what is in cages of workers not in keep, and removes these cages.
	Sweep(keep map[string]bool) error
}

// Cage limits one worker. For a new worker its methods are called in the order Configure, Started, Watch, then Release or
// Forget; for one that is adopted without the first two. Kill, OutOfMemory and Usage may be called from any goroutine.
type Cage interface {
	// Configure may change how the process is started.
	Configure(cmd *exec.Cmd) error
	// Entrances are files that the process has to write its number to before it runs any code of the topology.
	Entrances() []string
	// Started is called when the attempt to start the process is over, with success or without.
	Started()
	// Watch blocks until Release or Forget. It calls kill when the kernel ended a process of the cage for want of memory
	// and leaves the others alive.
	Watch(kill func())
	// Kill sends SIGKILL to every process in the cage and says how many it found.
	Kill() int
	// OutOfMemory says whether the kernel ended a process of the cage for want of memory.
	OutOfMemory() bool
	// Set changes the limits.
	Set(l Limits) error
	// Usage says what the cage uses. It is zero for what cannot be told.
	Usage() Usage
	// Release removes the cage, after the last process in it ended.
	Release()
	// Forget leaves the cage to a later Find.
	Forget()
}

// Limits is what a worker, with all it starts, may use. Zero values limit nothing.
type Limits struct {
	// CPU is the share in points, 100 for one processor's: a weight that counts when processors are scarce. Default 100.
	CPU float64
	// CPUCap is the most processor time in points, also when processors are idle.
	CPUCap float64
	// MemoryBytes is the most memory. What would exceed it ends the whole worker.
	MemoryBytes int64
	// MemoryHighBytes is where the kernel begins to slow the worker down and to take its page cache away.
	MemoryHighBytes int64
	// Pids is the largest number of processes and threads.
	Pids int64
	// NoFile is the largest number of open files of each process, never over what the supervisor itself may use.
	NoFile uint64
	// DiskBytesPerSec is the rate of reads, and that of writes, from and to the disk with the supervisor's state.
	DiskBytesPerSec int64
}

// Usage is what a worker, with all it started, uses.
type Usage struct {
	// MemoryBytes counts what cannot be given back: no page cache. MemoryLimitBytes is 0 without a limit.
	MemoryBytes, MemoryLimitBytes int64
	// CPU times since the start of the worker.
	CPUUser, CPUSystem time.Duration
	// Periods of the cap, those in which the worker was stopped by it, and for how long.
	Periods, ThrottledPeriods uint64
	Throttled                 time.Duration
	// Pids is the number of processes and threads.
	Pids int64
}

// None limits nothing.
type None struct{}

// Name is "none".
func (None) Name() string { return "none" }

// Cage never fails.
func (None) Cage(string, Limits) (Cage, error) { return noCage{}, nil }

// Find gives a cage with nobody in it.
func (None) Find(string) Cage { return noCage{} }

// Sweep has nothing to do.
func (None) Sweep(map[string]bool) error { return nil }

// Rlimit limits what the kernel counts per process: open files, and no core dumps, which would hold the topology's secret.
// It needs Launch.Shim, which sets them.
type Rlimit struct{ None }

// Name is "rlimit".
func (Rlimit) Name() string { return "rlimit" }

type noCage struct{}

func (noCage) Configure(*exec.Cmd) error { return nil }
func (noCage) Entrances() []string       { return nil }
func (noCage) Started()                  {}
func (noCage) Watch(func())              {}
func (noCage) Kill() int                 { return 0 }
func (noCage) OutOfMemory() bool         { return false }
func (noCage) Set(Limits) error          { return nil }
func (noCage) Usage() Usage              { return Usage{} }
func (noCage) Release()                  {}
func (noCage) Forget()                   {}
