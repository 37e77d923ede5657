package jvmhost

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// life is one run of the process.
type life struct {
	token   token
	cmd     *exec.Cmd
	out     *output
	ended   chan struct{} // closed when the process has
	pings   chan struct{} // room for one: to be written
	changed chan struct{} // room for one: what is to be opened
	heard   atomic.Bool   // something, since the last ping
	used    bool          // guarded by Host.mu: a component was begun in it whose topology has checkpoints

	mu      sync.Mutex
	cause   error // guarded by mu: why this side killed it
	control bool  // guarded by mu: its control channel was opened
}

// kill ends the process, and what it has started, at once because of err; the first one counts.
func (l *life) kill(err error) {
	l.blame(err)
	_ = l.cmd.Process.Kill() // has ended already: fine
}

// blame notes why this side ends the process; the first reason counts.
func (l *life) blame(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = err
	}
}

// answers says whether the process has opened its control channel.
func (l *life) answers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.control
}

// controlled notes that it has.
func (l *life) controlled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control = true
}

const (
	stacksWait  = 2 * time.Second        // for the stacks of a process that is given up
	stacksQuiet = 200 * time.Millisecond // they have been printed then
)

// giveUp kills the process because of err. If it can, it prints the stacks of its threads before, which go to the log.
func (h *Host) giveUp(l *life, err error) {
	h.cfg.Log.Error("the java process is killed, after the stacks of its threads were asked for", "err", err, "pid", l.cmd.Process.Pid)
	l.blame(err)
	l.out.hold()
	if l.cmd.Process.Signal(syscall.SIGQUIT) == nil {
		l.awaitStacks()
	}
	l.kill(err)
}

// awaitStacks returns when the process has printed something and no more, or too little for too long.
func (l *life) awaitStacks() {
	tick := time.NewTicker(stacksQuiet)
	defer tick.Stop()
	for end := time.Now().Add(stacksWait); time.Now().Before(end); {
		select {
		case <-l.ended:
			return
		case <-tick.C:
			if l.out.settled(stacksQuiet) {
				return
			}
		}
	}
}

// live runs the process once and tells how it ended; the life is nil if it did not begin. When ctx ends, its standard input is closed,
// and it is killed after the grace time.
func (h *Host) live(ctx context.Context, path string) (*life, *LostError) {
	command, err := h.cfg.Command()
	if err != nil {
		return nil, &LostError{Cause: err}
	}
	out := &output{log: h.cfg.Output}
	l := &life{
		token: newToken(), cmd: exec.CommandContext(ctx, command.Java, command.Args...), out: out,
		ended: make(chan struct{}), pings: make(chan struct{}, 1), changed: make(chan struct{}, 1),
	}
	l.cmd.Stdout, l.cmd.Stderr = out, out
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt from the terminal is this side's to handle
	l.cmd.WaitDelay = h.cfg.Grace
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, &LostError{Cause: err}
	}
	l.cmd.Cancel = in.Close
	if err := l.cmd.Start(); err != nil {
		return nil, &LostError{Cause: err}
	}
	h.begin(l)
	var serving sync.WaitGroup
	serving.Go(func() { h.order(l, path, in) })
	serving.Go(func() { h.watch(l) })
	l.wait()
	serving.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	cause := l.cause
	if errors.Is(cause, errClosedByJava) && l.cmd.ProcessState.Exited() {
		cause = nil // it was ending already, and closed what it had
	}
	return l, &LostError{PID: l.cmd.Process.Pid, Exit: l.cmd.ProcessState.String(), Cause: cause, Output: out.tail()}
}

// wait waits for the end of the process, and ends what it has started and left.
func (l *life) wait() {
	defer close(l.ended)
	pid := l.cmd.Process.Pid
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-pid, unix.SIGKILL) // the process is not waited for, so the number is still its group's; nobody left: fine
	_ = l.cmd.Wait()                  // the status is in cmd.ProcessState
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

// over ends the life l, which was lost, unless it was retired before.
func (h *Host) over(l *life, lost *LostError) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != l {
		return
	}
	h.now = nil
	for _, a := range h.tasks {
		a.losses, a.last = a.losses+1, lost
	}
	h.news.Broadcast()
}

// output logs what the process prints, line by line, and keeps the end of it. It is used by one goroutine until the
// process was waited for.
type output struct {
	log interface{ Info(string, ...any) }

	mu   sync.Mutex
	line []byte    // guarded by mu: not ended
	last []byte    // guarded by mu
	held bool      // guarded by mu: last stays as it is
	more bool      // guarded by mu: something was printed since
	at   time.Time // guarded by mu: of the last print
}

// hold keeps what comes from now on out of the tail.
func (o *output) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
}

// settled says whether something was printed since hold, and nothing for a time.
func (o *output) settled(quiet time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.more && time.Since(o.at) >= quiet
}

const (
	maxLine = 4 << 10 // longer ones are logged in parts
	maxTail = 2 << 10
)

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		o.more, o.at = true, time.Now()
	} else {
		o.last = append(o.last, p...)
		o.last = o.last[max(0, len(o.last)-maxTail):]
	}
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
