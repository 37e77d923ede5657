package transport

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// rawConn is a Unix socket that is read and written without telling Go's scheduler of a system call that might block, since
// these never do. In a process that was idle each such call wakes the runtime's monitor, a thread that then looks around
// every 20 us: at low rates that costs more than the call. Reads have one caller at a time, and so has writeNow.
type rawConn struct {
	*net.UnixConn
	raw     syscall.RawConn
	in, out transfer
}

// transfer is one direction. It is reached by a function made once, so that a call allocates nothing.
type transfer struct {
	p   []byte
	n   int
	err error
	do  func(fd uintptr) bool
}

func newRawConn(c *net.UnixConn) (*rawConn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &rawConn{UnixConn: c, raw: raw}
	r.in.do = func(fd uintptr) bool { return r.in.call(syscall.SYS_READ, fd) }
	r.out.do = func(fd uintptr) bool { r.out.call(syscall.SYS_WRITE, fd); return true }
	return r, nil
}

// call makes the system call on a socket that does not block. It returns false if it would have to wait.
func (t *transfer) call(number, fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)))
		switch errno {
		case 0:
			t.n, t.err = int(n), nil
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			t.n, t.err = 0, nil
			return false
		default:
			t.n, t.err = 0, errno
			return true
		}
	}
}

// Read implements net.Conn.
func (c *rawConn) Read(p []byte) (int, error) {
	c.in.p = p
	if err := c.raw.Read(c.in.do); err != nil {
		return 0, err
	}
	if c.in.n == 0 && c.in.err == nil && len(p) > 0 {
		return 0, io.EOF
	}
	return c.in.n, c.in.err
}

// writeNow writes as much of p as the socket takes at once.
func (c *rawConn) writeNow(p []byte) (int, error) {
	c.out.p = p
	if err := c.raw.Write(c.out.do); err != nil {
		return 0, err
	}
	return c.out.n, c.out.err
}
