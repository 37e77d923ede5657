package wire

import (
	"errors"
	"fmt"
	"strings"

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

// A Refusal is an error of a handler or a [Route] whose text callers see: every other error reaches them without detail.
// On the wire it is an application exception of type 6, as callers expect of any failure.
type Refusal struct {
	// Reason is for programs: a few words without a colon, the same for all refusals of a kind.
	Reason string
	// Text is for people.
	Text string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Text }

// RefusalOf finds in err the [Refusal] that a server answered. It returns false for every other error.
func RefusalOf(err error) (Refusal, bool) {
	if own, ok := errors.AsType[*Refusal](err); ok {
		return *own, true
	}
	var ae thrift.TApplicationException
	if !errors.As(err, &ae) || ae.TypeId() != InternalError {
		return Refusal{}, false
	}
	rest, found := strings.CutPrefix(ae.Error(), internalText)
	_, rest, told := strings.Cut(rest, ": ")
	reason, text, whole := strings.Cut(rest, ": ")
	return Refusal{reason, text}, found && told && whole
}

// internalText begins the text of every application exception of type 6; the method follows.
const internalText = "Internal error processing "

// ErrElsewhere is returned by a handler that was only tried ([Route].Try) and leaves the call to [Route].Relay.
var ErrElsewhere = errors.New("call is served elsewhere")

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
