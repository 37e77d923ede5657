package multilang

import (
	"errors"
	"fmt"
)

// Limits bound what a child may send before it is believed.
type Limits struct {
	// MessageBytes is the largest message in either direction, and the most answers to its emits that a child may leave
	// unread. Default gearstorm.multilang.max.message.bytes, else 16 MiB.
	MessageBytes int
	// Depth is how deep lists and maps may nest, the message itself included. Default 64.
	Depth int
	// Values is the number of values in one message, counting nested ones. Default 1,000,000.
	Values int
	// Digits is the length of one number. Default 4096.
	Digits int
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{MessageBytes: 16 << 20, Depth: 64, Values: 1_000_000, Digits: 4096}
}

// maxWidth is what a row of gearcore.Batch can hold.
const maxWidth = 65535

// ErrTooLarge is the cause when a message breaks one of the Limits.
var ErrTooLarge = errors.New("over the limit")

func tooLarge(what string, limit int) error {
	return fmt.Errorf("%s of more than %d: %w", what, limit, ErrTooLarge)
}

// ProtocolError is a mistake of the child in the multilang protocol. The child is restarted after one.
type ProtocolError struct {
	What    string // what is wrong, as a sentence part
	Excerpt string // the beginning of what the child wrote, bounded; "" if that does not help
	Err     error  // nil, or the cause
}

func (e *ProtocolError) Error() string {
	s := e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Excerpt != "" {
		s += ": " + e.Excerpt
	}
	return s
}

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

const excerptBytes = 200

// excerpt quotes the beginning of b.
func excerpt(b []byte) string {
	if len(b) <= excerptBytes {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q... (%d bytes)", b[:excerptBytes], len(b))
}
