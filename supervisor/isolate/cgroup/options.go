package cgroup

import (
	"errors"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// Options say where groups are made and what all workers of the node together may use.
type Options struct {
	// Name is a directory that the supervisors of this machine share; Node this supervisor's below it.
	Name, Node string
	// Dir is a directory of a mounted hierarchy to make groups in, instead of the mount or the delegated group.
	Dir string
	// All limits the workers of the node together.
	All isolate.Limits
	// Cpuset has the groups use the same processors and memory nodes as the group above them; version 2 always does.
	Cpuset bool
	// NoCPU makes no groups for the processor: neither weights nor caps.
	NoCPU bool
	// Disk is a file on the disk that Limits.DiskBytesPerSec is about.
	Disk string

	// Root is where the file system is mounted, "/" but in tests.
	Root string
}

// ErrUnavailable says that this machine, or this user, has no control groups to use.
var ErrUnavailable = errors.New("no control groups to use")
