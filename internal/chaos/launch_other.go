//go:build !linux

package chaos

import (
	"os/exec"
	"syscall"
)

// launch starts cmd.
func launch(cmd *exec.Cmd, enter func() error) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err := enter()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		go func() { p.err = cmd.Wait(); close(p.done) }()
	}
	return p, err
}
