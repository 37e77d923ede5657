package client

import (
	"context"
	"errors"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// A Kind is what an error of this package or of a call comes down to.
type Kind int

// Kinds of errors. The first ones are exceptions that a method declares, with a message for the user.
const (
	Other           Kind = iota // not of a call: a file that cannot be read, a request too large to send
	NotAlive                    // there is no such topology
	AlreadyAlive                // there is one of that name
	InvalidTopology             // the topology, its configuration or the request is wrong
	NotAuthorized               // the caller may not do this
	KeyNotFound                 // there is no such blob
	KeyExists                   // there is one of that key
	IllegalState                // the blob is in use
	NotImplemented              // this Nimbus does not know the method
	NoResult                    // the method had nothing to answer, mostly because this Nimbus does not lead
	Internal                    // anything else went wrong in Nimbus; its log says what
	NoLeader                    // no seed could name a leader that answers, or nobody leads
	Disconnected                // the connection was lost
	Ended                       // the context ended
	InDoubt                     // leadership was lost during the call; whether it was carried out is unknown
	SessionLost                 // an upload or a listing is not known, mostly because another Nimbus leads now
)

// Reasons of the refusals (wire.Refusal) that Nimbus gives.
const (
	ReasonNoLeader = "no leader" // the call was not carried out
	ReasonInDoubt  = "outcome unknown"
	ReasonSession  = "session lost"
)

var kindNames = [...]string{
	"other", "not alive", "already alive", "invalid topology", "not authorized", "key not found", "key exists",
	"illegal state", "not implemented", "no result", "internal", "no leader", "disconnected", "ended", "in doubt", "session lost",
}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// KindOf sorts an error returned by a call. A nil error is [Other].
func KindOf(err error) Kind {
	if kind, _, ok := declared(err); ok {
		return kind
	}
	if r, ok := wire.RefusalOf(err); ok {
		switch r.Reason {
		case ReasonNoLeader:
			return NoLeader
		case ReasonInDoubt:
			return InDoubt
		case ReasonSession:
			return SessionLost
		}
	}
	if kind, ok := wire.ApplicationError(err); ok {
		switch kind {
		case wire.UnknownMethod:
			return NotImplemented
		case wire.MissingResult:
			return NoResult
		}
		return Internal
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Ended
	case errors.Is(err, ErrNoLeader):
		return NoLeader
	case errors.Is(err, ErrClosed):
		return Disconnected
	}
	if _, ok := errors.AsType[*wire.ConnError](err); ok {
		return Disconnected
	}
	return Other
}

// Message returns what to tell a user about an error of a call: the message that Nimbus gave with a declared exception or
// a refusal, else the text of the error.
func Message(err error) string {
	if err == nil {
		return ""
	}
	if _, msg, ok := declared(err); ok {
		return msg
	}
	if r, ok := wire.RefusalOf(err); ok {
		return r.Error()
	}
	return err.Error()
}

// Retryable returns whether the same work may succeed later without anybody changing anything: the call, or with SessionLost
// the upload or download that it was part of. It does not say that the failed call had no effect: see [wire.ConnError].Sent and
// InDoubt.
func Retryable(err error) bool {
	switch KindOf(err) {
	case NoResult, NoLeader, InDoubt, SessionLost:
		return true
	case Disconnected:
		return !errors.Is(err, ErrClosed)
	}
	return false
}

// Leaderless returns whether Nimbus answers but nobody leads, as during a change of leader.
func Leaderless(err error) bool {
	if lookup, ok := errors.AsType[*noLeader](err); ok {
		return lookup.leaderless()
	}
	return KindOf(err) == NoLeader
}

// declared finds a declared exception in err.
func declared(err error) (Kind, string, bool) {
	if e, ok := errors.AsType[*stormrpc.NotAliveException](err); ok {
		return NotAlive, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.AlreadyAliveException](err); ok {
		return AlreadyAlive, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.InvalidTopologyException](err); ok {
		return InvalidTopology, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.AuthorizationException](err); ok {
		return NotAuthorized, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.KeyNotFoundException](err); ok {
		return KeyNotFound, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.KeyAlreadyExistsException](err); ok {
		return KeyExists, e.Msg, true
	}
	if e, ok := errors.AsType[*stormrpc.IllegalStateException](err); ok {
		return IllegalState, e.Msg, true
	}
	return Other, "", false
}
