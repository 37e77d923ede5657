//go:build !linux

package transport

import (
	"errors"
	"net"
)

// Elsewhere than on Linux links are TCP.

var errNoLocal = errors.New("local links are made on Linux only")

func listenLocal() (net.Listener, error)        { return nil, errNoLocal }
func sameUser(*net.UnixConn) error              { return errNoLocal }
func offer(*net.UnixConn, bool) (stream, error) { return stream{}, errNoLocal }
func agree(*net.UnixConn, bool) (stream, error) { return stream{}, errNoLocal }
