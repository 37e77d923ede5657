//go:build !linux

package isolate

import "errors"

// Rlimit needs Linux: elsewhere limits of another process cannot be set.
type Rlimit struct {
	noCage
	NoFile uint64
}

// Name is "rlimit".
func (Rlimit) Name() string { return "rlimit" }

// Cage always fails.
func (Rlimit) Cage(string) (Cage, error) {
	return nil, errors.New("isolation by rlimit needs linux")
}

// Default is the isolator to use when nothing is said.
func Default() Isolator { return None{} }
