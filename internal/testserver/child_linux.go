package testserver

import (
	"runtime"
	"syscall"
)

// ownChild has the kernel kill the child with the thread that started it.
func ownChild() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// lockedLoop runs work on one thread, which ends with it.
func lockedLoop(work <-chan func()) {
	runtime.LockOSThread()
	for f := range work {
		f()
	}
}
