package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Process is a server's process, which can be killed and started again.
type Process struct {
	launch *Launcher
	log    string

	mu    sync.Mutex
	cmd   *exec.Cmd       // nil while it does not run
	ended <-chan struct{} // closed when cmd has ended
}

// NewProcess returns one that does not run yet. What it writes is added to the file log.
func NewProcess(l *Launcher, log string) *Process { return &Process{launch: l, log: log} }

// Start starts cmd, after a Kill if it runs.
func (p *Process) Start(cmd *exec.Cmd) error {
	p.Kill()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p.mu.Lock()
	defer p.mu.Unlock()
	ended, err := p.launch.Start(cmd)
	if err != nil {
		return err
	}
	p.cmd, p.ended = cmd, ended
	return nil
}

// Kill ends the process as a power cut would (SIGKILL) and waits until it is gone. Its files stay.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Kill()
	<-p.ended
	p.cmd = nil
}

// Signal sends the process a signal.
func (p *Process) Signal(sig os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return errors.New("the server does not run")
	}
	return p.cmd.Process.Signal(sig)
}

// PID is the process's id, 0 while it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// Finish waits until the process has ended by itself, which it should have done well; it is killed when ctx ends.
func (p *Process) Finish(ctx context.Context) error {
	p.mu.Lock()
	cmd, ended := p.cmd, p.ended
	p.mu.Unlock()
	select {
	case <-ended:
	case <-ctx.Done():
		p.Kill()
		return ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s", cmd.ProcessState, p.lastWords())
	}
	return nil
}

// Await waits until serves, which is called again and again, returns no error. If the process or ctx ends before, the end of the log is in the
// error.
func (p *Process) Await(ctx context.Context, serves func(context.Context) error) error {
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	for {
		err := serves(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it ended by itself: %s", p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("it does not serve: %w: %w: %s", ctx.Err(), err, p.lastWords())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lastWords is the end of the log.
func (p *Process) lastWords() string {
	const most = 2000
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
