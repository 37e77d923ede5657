package wire

import (
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
)

// What a handler may return beside the exceptions of its method; wrapped is fine.
var (
	// ErrUnknownResult makes a method answer nothing, as Storm's Nimbus does when getLeader has no leader to name. The
	// caller sees application exception 5 "<method> failed: unknown result".
	ErrUnknownResult = errors.New("no result")
	// ErrNotImplemented answers application exception 1 "Invalid method name: '<method>'", as if the method did not exist.
	ErrNotImplemented = errors.New("method is not implemented")
)

// Causes of the end of a held call's context (see [context.Cause]), and of refused frames.
var (
	ErrShutdown      = errors.New("server is shutting down")
	ErrCallerGone    = errors.New("caller closed the connection")
	ErrFrameTooLarge = errors.New("frame is larger than allowed")
)

// Types of application exceptions, as [ApplicationError] returns them.
const (
	UnknownMethod int32 = thrift.UNKNOWN_METHOD
	MissingResult int32 = thrift.MISSING_RESULT
	InternalError int32 = thrift.INTERNAL_ERROR
	ProtocolError int32 = thrift.PROTOCOL_ERROR
)

// ApplicationError returns the type of the application exception in err: what the server answered instead of a result or
// a declared exception. It returns false for every other error.
func ApplicationError(err error) (int32, bool) {
	var ae thrift.TApplicationException
	if !errors.As(err, &ae) {
		return 0, false
	}
	return ae.TypeId(), true
}

// ErrCallTimeout is inside the [ConnError] of a call that got no reply within [DialOptions].CallTimeout.
var ErrCallTimeout = errors.New("no reply in time")

// A ConnError says that a connection could not be made or was lost, or that the other side does not speak the protocol.
// The [Client] that returned it is closed. Err wraps the context's error when that ended the call.
type ConnError struct {
	Addr   string
	Method string // empty when no call was made yet
	Sent   bool   // the server may have got the request, so it may have acted on it
	Err    error
}

func (e *ConnError) Error() string {
	if e.Method == "" {
		return fmt.Sprintf("connect to %s: %v", e.Addr, e.Err)
	}
	return fmt.Sprintf("call %s at %s: %v", e.Method, e.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *ConnError) Unwrap() error { return e.Err }
