package multilang

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// output is the reading end of a child's standard output. It is kept out of Go's poller, which is told of every single
// write of the child, also while nobody reads; a reader that rests between two reads (pace) would save nothing. Instead
// Read waits in the kernel, and holds a thread as long.
//
// Read and Close are the reader's; SetReadDeadline may come from anywhere, before Close.
type output struct {
	fd       int
	wakeup   *os.File // its other end closes when there is a deadline
	wakes    *os.File
	wakeOnce sync.Once
	deadline atomic.Int64 // 0: none yet; in nanoseconds since began
	began    time.Time
}

// newOutput takes r over.
func newOutput(r *os.File) (*output, error) {
	defer r.Close()
	fd, err := unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	err = unix.SetNonblock(fd, true)
	wakeup, wakes, err1 := os.Pipe()
	if err == nil {
		err = err1
	}
	if err != nil {
		unix.Close(fd)
		closeAll([]*os.File{wakeup, wakes})
		return nil, err
	}
	return &output{fd: fd, wakeup: wakeup, wakes: wakes, began: time.Now()}, nil
}

// SetReadDeadline lets Read return os.ErrDeadlineExceeded from then on, if nothing comes.
func (o *output) SetReadDeadline(t time.Time) {
	o.deadline.Store(max(int64(t.Sub(o.began)), 1))
	o.wakeOnce.Do(func() { o.wakes.Close() })
}

// Read waits for something to read.
func (o *output) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(o.fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := o.wait(); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (o *output) wait() error {
	fds := [2]unix.PollFd{{Fd: int32(o.fd), Events: unix.POLLIN}, {Fd: int32(o.wakeup.Fd()), Events: unix.POLLIN}}
	for {
		ms, watch := -1, fds[:]
		if d := o.deadline.Load(); d != 0 {
			left := time.Duration(d) - time.Since(o.began)
			if left <= 0 {
				return os.ErrDeadlineExceeded
			}
			ms, watch = int(left/time.Millisecond)+1, fds[:1]
		}
		n, err := unix.Poll(watch, ms)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n > 0 && fds[0].Revents != 0:
			return nil
		}
	}
}

// Close gives the files back.
func (o *output) Close() {
	unix.Close(o.fd)
	o.wakeup.Close()
	o.wakeOnce.Do(func() { o.wakes.Close() })
}
