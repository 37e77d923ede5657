package isolate

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Rlimit limits what the kernel counts per process: open files, and no core dumps, which would hold the topology's secret.
// The limits are set on the started process, so a worker runs for an instant without them; what it starts inherits them.
type Rlimit struct {
	noCage
	// NoFile is the largest number of open files. It is never raised over what the supervisor itself may use. Default:
	// as the supervisor.
	NoFile uint64
}

// Name is "rlimit".
func (Rlimit) Name() string { return "rlimit" }

// Cage never fails.
func (r Rlimit) Cage(string) (Cage, error) { return r, nil }

// Started sets the limits of a process.
func (r Rlimit) Started(pid int) error {
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{}, nil); err != nil {
		return fmt.Errorf("forbid core dumps of %d: %w", pid, err)
	}
	if r.NoFile == 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now); err != nil {
		return fmt.Errorf("read file limit of %d: %w", pid, err)
	}
	want := min(r.NoFile, now.Max)
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: want, Max: want}, nil); err != nil {
		return fmt.Errorf("limit open files of %d to %d: %w", pid, want, err)
	}
	return nil
}

// Default is the isolator to use when nothing is said: no core dumps.
func Default() Isolator { return Rlimit{} }
