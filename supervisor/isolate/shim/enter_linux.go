package shim

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// enter returns only with an error.
func enter(e isolate.Entry) error {
	runtime.LockOSThread() // what follows binds this thread, and execve keeps this thread
	for _, path := range e.Join {
		if err := join(path); err != nil {
			return fmt.Errorf("enter control group: %w", err)
		}
	}
	if err := limit(e); err != nil {
		return err
	}
	if e.User != nil {
		if err := become(*e.User); err != nil {
			return fmt.Errorf("become user %s (%d): %w", e.User.Name, e.User.UID, err)
		}
	}
	if err := sandbox(e.Sandbox); err != nil {
		return err
	}
	if err := syscall.Exec(e.Path, e.Args, e.Env); err != nil {
		return &os.PathError{Op: "execute", Path: e.Path, Err: err}
	}
	return nil
}

func join(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(os.Getpid()))
	f.Close()
	return err
}

func limit(e isolate.Entry) error {
	if e.NoCore {
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
			return fmt.Errorf("forbid core dumps: %w", err)
		}
	}
	if e.NoFile == 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return fmt.Errorf("read limit of open files: %w", err)
	}
	want := min(e.NoFile, now.Max)
	// By way of the runtime, which else restores the value of its start before it executes another program.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}); err != nil {
		return fmt.Errorf("limit open files to %d: %w", want, err)
	}
	return nil
}

func become(u isolate.User) error {
	if u.UID == 0 {
		return fmt.Errorf("workers do not become root")
	}
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(u.GID); err != nil {
		return fmt.Errorf("set group %d: %w", u.GID, err)
	}
	return syscall.Setuid(u.UID)
}
