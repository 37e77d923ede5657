package gearcore

import (
	"errors"
	"fmt"
)

// MisuseError is a mistake in a component's use of its collector.
type MisuseError struct{ Err error }

func (e *MisuseError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *MisuseError) Unwrap() error { return e.Err }

// ErrOutsideCall is reported for a component that used a Collector while none of its executor's calls was under way, so
// from a goroutine of its own: nothing was done. Async is for that. A use during a call, from another goroutine, is not
// noticed and may damage what is emitted.
var ErrOutsideCall = errors.New("the collector was used outside a call of the component: from other goroutines use Async")

// ErrTupleTooLarge is the cause of a MisuseError for a tuple beyond the limit, gearstorm.tuple.max.bytes.
var ErrTupleTooLarge = errors.New("the tuple is larger than gearstorm.tuple.max.bytes")

// TupleTooLarge returns an ErrTupleTooLarge for a tuple of so many bytes.
func TupleTooLarge(bytes, most int) error {
	return fmt.Errorf("emit of %d bytes, %d are allowed: %w", bytes, most, ErrTupleTooLarge)
}
