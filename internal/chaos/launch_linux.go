package chaos

import (
	"os/exec"
	"runtime"
	"syscall"
)

// launch starts cmd from a thread of its own that enter has moved somewhere. The thread lives as long as the program,
// since the kernel sends the death signal when the thread that started it ends.
func launch(cmd *exec.Cmd, enter func() error) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is not to be used again
		err := enter()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}
