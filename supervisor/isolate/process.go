package isolate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// reapInterval is how often the processes of an ended worker are looked for until none is left.
	reapInterval = 10 * time.Millisecond
	// killGiveUp bounds the wait for processes that SIGKILL does not end, as those in an uninterruptible system call.
	killGiveUp = 2 * time.Minute
)

// Exit is how a process ended.
type Exit struct {
	// Known is false for an adopted process, whose status went to another parent.
	Known bool
	// Code is the exit code, 128 + the number for a signal as shells have it.
	Code int
	// Signal is 0 unless a signal ended it.
	Signal syscall.Signal
	// OutOfMemory says that the kernel ended the worker, or a process that it started, for want of memory.
	OutOfMemory bool
}

// String is a phrase for people.
func (e Exit) String() string {
	switch {
	case e.OutOfMemory:
		return "was killed: out of memory"
	case !e.Known:
		return "exit status unknown"
	case e.Signal != 0:
		return fmt.Sprintf("ended by signal %d (%s)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Process is a running or ended worker process, launched or adopted. One goroutine watches it until it ended or Release;
// when the worker ends, what it left behind in its group or with its environment is killed before Done.
// All methods may be called from any goroutine.
type Process struct {
	id       Identity
	h        handle
	cage     Cage
	lifeline *os.File // nil without

	done     chan struct{} // closed by watch once the process ended, never after Release
	stopped  chan struct{} // closed when watch returned
	watchers sync.WaitGroup
	exit     Exit // written before done is closed
	closeOne sync.Once
}

// Adopt finds a process again that another Process, perhaps of another supervisor process, launched. ErrGone says that it
// does not run any more; Sweep then ends what it may have left.
func Adopt(id Identity, by Isolator) (*Process, error) {
	h, err := openHandle(id)
	if err != nil {
		return nil, err
	}
	return start(id, h, by.Find(id.Worker), nil), nil
}

func start(id Identity, h handle, cage Cage, lifeline *os.File) *Process {
	p := &Process{id: id, h: h, cage: cage, lifeline: lifeline, done: make(chan struct{}), stopped: make(chan struct{})}
	p.watchers.Go(p.watch)
	p.watchers.Go(func() { cage.Watch(func() { cage.Kill() }) })
	return p
}

func (p *Process) watch() {
	defer close(p.stopped)
	if p.h.wait() != nil {
		p.cage.Forget()
		return // released
	}
	// Before the status is taken the ended leader still holds its number, and with it the name of its group.
	deadline := time.Now().Add(killGiveUp)
	hunt := hunt{id: p.id, cage: p.cage}
	for hunt.round() > 0 && time.Now().Before(deadline) {
		time.Sleep(reapInterval)
	}
	p.exit = p.h.reap(p.id)
	p.exit.OutOfMemory = p.cage.OutOfMemory()
	p.cage.Release()
	p.closeFiles()
	close(p.done)
}

// Identity is what Adopt needs.
func (p *Process) Identity() Identity { return p.id }

// Done is closed when the process and what it started have ended. It stays open after Release.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit says how the process ended. Call it after Done.
func (p *Process) Exit() Exit { return p.exit }

// Kill ends the worker: SIGTERM to the worker itself, which ends its children as it likes, after grace SIGKILL to all that
// belongs to it. It blocks until all have ended, ctx is over or nothing helped for two minutes.
func (p *Process) Kill(ctx context.Context, grace time.Duration) error {
	if err := p.h.signal(syscall.SIGTERM); errors.Is(err, os.ErrClosed) {
		return p.killClosed()
	} else if err != nil {
		return fmt.Errorf("terminate worker %s (pid %d): %w", p.id.Worker, p.id.Pid, err)
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	(&hunt{id: p.id, cage: p.cage}).round()
	t.Reset(killGiveUp)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return fmt.Errorf("worker %s (pid %d) did not end %v after SIGKILL", p.id.Worker, p.id.Pid, killGiveUp)
	}
}

// killClosed is Kill of a process that ended or was released.
func (p *Process) killClosed() error {
	<-p.stopped
	select {
	case <-p.done:
		return nil
	default:
		return fmt.Errorf("worker %s was released: %w", p.id.Worker, os.ErrClosed)
	}
}

// Release forgets the process and lets it run on, unless it has a lifeline, which is cut. It returns when nothing of this
// package looks at the process any more.
func (p *Process) Release() {
	p.closeFiles()
	p.watchers.Wait()
}

func (p *Process) closeFiles() {
	p.closeOne.Do(func() {
		p.h.close()
		if p.lifeline != nil {
			p.lifeline.Close()
		}
	})
}

// Usage says what the worker, with all it started, uses. What its cage cannot tell is added up from its processes.
func (p *Process) Usage() Usage {
	u := p.cage.Usage()
	if u.MemoryBytes > 0 && u.CPUUser+u.CPUSystem > 0 && u.Pids > 0 {
		return u
	}
	each := p.id.usage()
	if u.MemoryBytes == 0 {
		u.MemoryBytes = each.MemoryBytes
	}
	if u.CPUUser+u.CPUSystem == 0 {
		u.CPUUser, u.CPUSystem = each.CPUUser, each.CPUSystem
	}
	if u.Pids == 0 {
		u.Pids = each.Pids
	}
	return u
}

// SetLimits changes what a running worker may use, but for its number of open files.
func (p *Process) SetLimits(l Limits) error { return p.cage.Set(l) }

// Find gives the identity of a worker's process that was not kept when it was launched. False if there is none, or where
// the system does not show it.
func Find(worker string) (Identity, bool) { return leader(worker) }

// Sweep kills everything whose environment carries the worker id and what is in its cage, waits until it has ended or ctx
// is over, and removes the cage. For workers
// whose leader is gone or whose launch was cut short before its identity was kept. It says how many processes it found.
func Sweep(ctx context.Context, worker string, by Isolator) (int, error) {
	cage := by.Find(worker)
	hunt := hunt{id: Identity{Worker: worker}, cage: cage}
	first := hunt.round()
	for left := first; left > 0; left = hunt.round() {
		select {
		case <-ctx.Done():
			cage.Forget()
			return first, fmt.Errorf("%d processes of worker %s still run: %w", left, worker, ctx.Err())
		case <-time.After(reapInterval):
		}
	}
	cage.Release()
	return first, nil
}
