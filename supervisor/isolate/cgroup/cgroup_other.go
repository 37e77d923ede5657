//go:build !linux

package cgroup

import "github.com/gearstorm/gearstorm/supervisor/isolate"

// Isolator exists on Linux only.
type Isolator struct{ isolate.None }

// Missing is never called.
func (*Isolator) Missing() map[string]string { return nil }

// Open says that there are none.
func Open(Options) (*Isolator, error) { return nil, ErrUnavailable }
