//go:build unix

package wire

import (
	"net"
	"syscall"
)

// peek tells without waiting whether there is something to read on a connection, its end included. It does not know of
// connections that are no sockets themselves.
func peek(conn net.Conn) (readable, known bool) {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false, false
	}
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		readable = err != syscall.EAGAIN && err != syscall.EINTR
		return true
	})
	return readable || err != nil, true
}
