package jvmhost

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// life is one run of the process.
type life struct {
	token token
	cmd   *exec.Cmd

	mu    sync.Mutex
	cause error // guarded by mu: why this side killed it
}

// kill ends the process at once because of err; the first one counts.
func (l *life) kill(err error) {
	l.mu.Lock()
	if l.cause == nil {
		l.cause = err
	}
	l.mu.Unlock()
	_ = l.cmd.Process.Kill() // has ended already: fine
}

// setupFile is the name of the file beside the socket that holds Command.Setup.
const setupFile = "setup"

// live runs the process once and tells how it ended. When ctx ends, its standard input is closed, and it is killed after
// the grace time.
func (h *Host) live(ctx context.Context, path string) *LostError {
	command, err := h.cfg.Command()
	if err == nil && command.Setup != nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(path), setupFile), command.Setup, 0o600)
	}
	if err != nil {
		return &LostError{Cause: err}
	}
	out := &output{log: h.cfg.Log}
	l := &life{token: newToken(), cmd: exec.CommandContext(ctx, command.Java, command.Args...)}
	l.cmd.Stdout, l.cmd.Stderr = out, out
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the terminal is this side's to handle
	l.cmd.WaitDelay = h.cfg.Grace
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return &LostError{Cause: err}
	}
	l.cmd.Cancel = in.Close
	if err := l.cmd.Start(); err != nil {
		return &LostError{Cause: err}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.cmd.Wait() // the status is in cmd.ProcessState
	}()
	h.begin(l)
	fmt.Fprintf(in, "%s %s\n", path, hex.EncodeToString(l.token[:])) // if it has ended already, so does the loop
	h.tell(l, in, ended)
	h.over()
	l.mu.Lock()
	defer l.mu.Unlock()
	cause := l.cause
	if errors.Is(cause, errClosedByJava) && l.cmd.ProcessState.Exited() {
		cause = nil // it was ending already, and closed what it had
	}
	return &LostError{PID: l.cmd.Process.Pid, Exit: l.cmd.ProcessState.String(), Cause: cause, Output: out.tail()}
}

// ErrNotOpened is the cause of a LostError where the process did not open a channel in time.
var ErrNotOpened = errors.New("no channel was opened")

// tell names the channels to be opened until the process has ended, and kills it if it does not open them in time.
func (h *Host) tell(l *life, in io.Writer, ended <-chan struct{}) {
	late := time.NewTimer(h.cfg.StartTimeout)
	defer late.Stop()
	for {
		now := time.Now()
		for _, id := range h.toOpen(now) {
			fmt.Fprintf(in, "open %d\n", id)
		}
		wait := h.next(now)
		if due, waiting := h.due(); waiting {
			if left := due.Sub(now); left > 0 {
				wait = min(wait, left)
			} else {
				l.kill(fmt.Errorf("%w within %v", ErrNotOpened, h.cfg.StartTimeout))
			}
		}
		late.Reset(wait)
		select {
		case <-late.C:
		case <-h.changed:
		case <-ended:
			return
		}
	}
}

// begin makes l the present life, in which nothing is open.
func (h *Host) begin(l *life) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = l
	for _, a := range h.tasks {
		a.told, a.after, a.ch = time.Time{}, time.Time{}, nil
	}
}

func (h *Host) over() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = nil
}

// output logs what the process prints, line by line, and keeps the end of it. It is used by one goroutine until the
// process was waited for.
type output struct {
	log interface{ Info(string, ...any) }

	mu   sync.Mutex
	line []byte // guarded by mu: not ended
	last []byte // guarded by mu
}

const (
	maxLine = 4 << 10 // longer ones are logged in parts
	maxTail = 2 << 10
)

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = append(o.last, p...)
	o.last = o.last[max(0, len(o.last)-maxTail):]
	o.line = append(o.line, p...)
	for {
		i := bytes.IndexByte(o.line, '\n')
		if i < 0 && len(o.line) < maxLine {
			return len(p), nil
		}
		if i < 0 {
			i = len(o.line) - 1
		}
		o.log.Info("java printed", "text", string(bytes.TrimSpace(o.line[:i+1])))
		o.line = o.line[i+1:]
	}
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(bytes.TrimSpace(o.last))
}
