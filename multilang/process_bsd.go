//go:build darwin || freebsd

package multilang

import "syscall"

// Without Linux's death signal a child learns of this process's end by the end of its input alone.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit blocks until the process has ended, without reaping it.
func awaitExit(pid int) {
	kq, err := syscall.Kqueue()
	if err != nil {
		return
	}
	defer syscall.Close(kq)
	change := []syscall.Kevent_t{{Filter: syscall.EVFILT_PROC, Flags: syscall.EV_ADD | syscall.EV_ONESHOT, Fflags: syscall.NOTE_EXIT}}
	syscall.SetKevent(&change[0], pid, syscall.EVFILT_PROC, syscall.EV_ADD|syscall.EV_ONESHOT)
	var events [1]syscall.Kevent_t
	for {
		if n, err := syscall.Kevent(kq, change, events[:], nil); err != syscall.EINTR || n > 0 {
			return
		}
	}
}
