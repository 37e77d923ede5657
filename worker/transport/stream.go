package transport

import (
	"errors"
	"net"
)

var errOtherUser = errors.New("the peer of a local link is another user")

// stream is a connection that has shaken hands: what sessions send frames over. Over a ring or a Unix socket frames
// carry no checksums, because the bytes never leave this machine's memory, which guards its own; over TCP they do,
// since the sums of network hardware and TCP are known to let errors through.
type stream struct {
	net.Conn
	kind   string // tcp, unix or ring
	summed bool
}
