package isolate

import "os/exec"

// Isolator makes the cage that a worker runs in.
type Isolator interface {
	// Name is a word for logs.
	Name() string
	// Cage makes the cage of a worker, or finds it again for a worker that is adopted.
	Cage(worker string) (Cage, error)
}

// Cage limits one worker and all it starts. Its methods are called in the order Configure, Started, Release; for an
// adopted worker only Release.
type Cage interface {
	// Configure may change how the process is started.
	Configure(cmd *exec.Cmd) error
	// Started is called as soon as the process exists. After an error the process is killed.
	Started(pid int) error
	// Release gives the cage's resources back, after the last process in it ended.
	Release()
}

// None limits nothing.
type None struct{}

// Name is "none".
func (None) Name() string { return "none" }

// Cage never fails.
func (None) Cage(string) (Cage, error) { return noCage{}, nil }

type noCage struct{}

func (noCage) Configure(*exec.Cmd) error { return nil }
func (noCage) Started(int) error         { return nil }
func (noCage) Release()                  {}
