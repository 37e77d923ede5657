//go:build !unix

package wire

import "net"

// peek is not available here.
func peek(net.Conn) (readable, known bool) { return false, false }
