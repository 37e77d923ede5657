package isolate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Lifeline is a worker's end of the pipe that its supervisor holds open.
type Lifeline struct{ f *os.File }

// OpenLifeline takes over an inherited descriptor, LifelineFD in a worker. Children of the worker do not inherit it.
func OpenLifeline(fd int) (*Lifeline, error) {
	syscall.CloseOnExec(fd)
	// Non-blocking, so that Close ends a Wait.
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("open lifeline on descriptor %d: %w", fd, err)
	}
	return &Lifeline{f: os.NewFile(uintptr(fd), "lifeline")}, nil
}

// Wait blocks until the supervisor is gone and then returns nil. After Close it returns os.ErrClosed.
func (l *Lifeline) Wait() error {
	_, err := io.Copy(io.Discard, l.f)
	if errors.Is(err, os.ErrClosed) {
		return os.ErrClosed
	}
	return err
}

// Close ends a Wait.
func (l *Lifeline) Close() error { return l.f.Close() }
