package nimbus

import (
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// The exceptions that clients know, with Storm's texts. Of every other error but a wire.Refusal a client learns that it is
// an internal error, and its text goes to the log only.

func notAlive(name string) error { return &stormrpc.NotAliveException{Msg: name + " is not alive"} }

// notAliveID is the answer to a lookup by id, whose text is the bare id.
func notAliveID(id string) error { return &stormrpc.NotAliveException{Msg: id} }

func alreadyAlive(name string) error {
	return &stormrpc.AlreadyAliveException{Msg: name + " is already alive"}
}

func invalid(format string, args ...any) error {
	return &stormrpc.InvalidTopologyException{Msg: fmt.Sprintf(format, args...)}
}

func unauthorized(format string, args ...any) error {
	return &stormrpc.AuthorizationException{Msg: fmt.Sprintf(format, args...)}
}

func keyNotFound(key string) error { return &stormrpc.KeyNotFoundException{Msg: key} }

// brokenError is the answer to a call that needs what cannot be read of a topology.
func (t *topology) brokenError() error {
	return &wire.Refusal{Reason: "topology broken", Text: fmt.Sprintf("%s cannot be read: %v", t.ID, t.broken)}
}

// isInvalid tells whether err is an InvalidTopologyException already.
func isInvalid(err error) bool {
	var e *stormrpc.InvalidTopologyException
	return errors.As(err, &e)
}

// asInvalid turns what is wrong with a topology into the exception for it.
func asInvalid(err error) error {
	if err == nil || isInvalid(err) {
		return err
	}
	return invalid("%s", err)
}
