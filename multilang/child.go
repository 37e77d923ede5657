package multilang

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

const (
	exitWait = 500 * time.Millisecond // for a child that closed its pipes to end by itself
	lastRead = 200 * time.Millisecond // for the rest of the output of a process that ended
)

// host is the task that a child works for. Its methods run in the executor, in the order of the child's messages.
type host interface {
	up(c *gearcore.Collector, s *session)
	handle(c *gearcore.Collector, s *session, in *inbound)
	down(c *gearcore.Collector, s *session, err *ChildError)
	room(c *gearcore.Collector, s *session)
}

// child keeps one subprocess alive for a task: run starts it, and starts it again after a growing wait whenever it was
// lost. close ends it for good.
type child struct {
	spec    Spec
	ctx     *gearcore.Context
	log     *slog.Logger
	async   *gearcore.Async
	host    host
	bolt    bool
	msgpack bool
	pidDir  string
	ownDir  bool // pidDir is a temporary one of ours
	hello   []byte

	stop chan struct{}

	mu      sync.Mutex
	stopped bool
	p       *process      // the running one
	greeted *session      // the newest one that has answered the handshake
	losses  int           // how often it was lost
	last    *ChildError   // how, the last time
	lastOf  *session      // and which; nil: it did not start
	news    chan struct{} // closed when any of these is another
	turn    func()        // ends its turn to start; set before the first process
}

// ChildError tells how a child was lost. Its inputs in flight were failed and it is started again.
type ChildError struct {
	Component string
	Task      gearcore.TaskID
	PID       int
	Exit      string // how the process ended; "" if it could not be started
	Cause     error  // what this side had against it; nil if it ended by itself
	Stderr    string // the end of its standard error
	Restarts  int    // how often it was lost so far, this time included
	Wait      time.Duration
}

func (e *ChildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "multilang child of %s (task %d", e.Component, e.Task)
	if e.PID != 0 {
		fmt.Fprintf(&b, ", pid %d", e.PID)
	}
	b.WriteString(") was lost")
	if e.Cause != nil {
		b.WriteString(": " + e.Cause.Error())
	}
	if e.Exit != "" {
		b.WriteString(": " + e.Exit)
	}
	fmt.Fprintf(&b, "; restart %d in %v", e.Restarts, e.Wait)
	if e.Stderr != "" {
		b.WriteString("; its standard error ends: " + e.Stderr)
	}
	return b.String()
}

// Lost says that a process that executes tasks ended.
func (e *ChildError) Lost() bool { return true }

// Unwrap returns the cause.
func (e *ChildError) Unwrap() error { return e.Cause }

// newChild prepares a child for the task of ctx; nothing runs yet.
func newChild(spec Spec, ctx *gearcore.Context, async *gearcore.Async, h host, bolt bool) (*child, error) {
	spec, err := spec.resolved(ctx)
	if err != nil {
		return nil, err
	}
	log := ctx.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &child{spec: spec, ctx: ctx, log: log, async: async, host: h, bolt: bolt, stop: make(chan struct{}), news: make(chan struct{}), pidDir: ctx.PidDir}
	c.msgpack = UsesMsgpack(spec.Command, ctx.Conf)
	if c.pidDir == "" {
		if c.pidDir, err = os.MkdirTemp("", "gearstorm-pids-"); err != nil {
			return nil, fmt.Errorf("make a directory for pid files: %w", err)
		}
		c.ownDir = true
	}
	if c.hello, err = helloJSON(ctx, &spec.Wiring, c.pidDir, spec.Plain); err != nil {
		c.removeDir()
		return nil, err
	}
	return c, nil
}

func (c *child) removeDir() {
	if c.ownDir {
		os.RemoveAll(c.pidDir)
	}
}

// run keeps the child alive until close or the executor's end.
func (c *child) run() {
	turn, ok := c.spec.Turns.take(c.stop)
	if !ok {
		return
	}
	c.turn = turn
	wait := newBackoff(c.spec.FirstBackoff, c.spec.MaxBackoff)
	for restarts := 1; ; restarts++ {
		began := time.Now()
		s, lost := c.live()
		c.turn()
		select {
		case <-c.stop:
			return
		default:
		}
		if s != nil && errors.Is(s.cause, errRenewed) {
			restarts--
			continue
		}
		if s != nil && s.byItself && s.p.terminated() { // somebody wants it started anew, as gearstorm dev --reload does
			wait.forget()
		}
		c.forgetCompiled(s, lost)
		lost.Restarts, lost.Wait = restarts, wait.after(time.Since(began))
		c.lose(s, lost)
		if c.async.Report(lost) != nil || c.async.Do(16, func(col *gearcore.Collector) { c.host.down(col, s, lost) }) != nil {
			return
		}
		select {
		case <-c.stop:
			return
		case <-time.After(lost.Wait):
		}
	}
}

// live starts the process and returns when it has ended and all it said was delivered. s is nil if it did not start.
func (c *child) live() (s *session, lost *ChildError) {
	lost = &ChildError{Component: c.ctx.Component, Task: c.ctx.Task}
	env := childEnv(os.Environ(), c.spec.Env)
	dir := c.dir()
	client := identify(c.spec.Command, dir, env)
	p, err := c.launch(dir, env)
	if err != nil {
		lost.Cause = err
		return nil, lost
	}
	lost.PID = p.pid()
	s = &session{c: c, p: p, dir: dir, failed: make(chan struct{}), readDone: make(chan struct{}), writeDone: make(chan struct{}),
		free: make(chan *inbound, 4), client: client, ahead: newAhead(&c.spec, c.ctx, client)}
	s.out = newOutbox(format{msgpack: c.msgpack, limit: c.spec.Limits.MessageBytes}, c.spec.MaxPending, func() {
		_ = c.async.Do(16, func(col *gearcore.Collector) { c.host.room(col, s) }) // an error: the executor has ended
	})
	s.errs = newStderrPump(func(line string) { c.log.Info("child wrote to standard error", "pid", p.pid(), "text", line) })
	if err := s.out.addHello(c.hello); err != nil {
		s.fail(err)
	}
	go s.errs.run(p.stderr)
	go s.read()
	go s.write()
	go s.beat()
	s.await()
	lost.Cause = s.reason()
	lost.Exit, lost.Stderr = p.status(), s.errs.last()
	os.Remove(filepath.Join(c.pidDir, strconv.Itoa(p.pid())))
	if pid := int(s.pid.Load()); pid != p.pid() {
		os.Remove(filepath.Join(c.pidDir, strconv.Itoa(pid)))
	}
	return s, lost
}

// await returns when the process is reaped and the goroutines that use its files have ended.
func (s *session) await() {
	select {
	case <-s.p.exited:
		s.byItself = true
	case <-s.failed:
		s.end()
	}
	s.out.close()
	s.p.stdin.Close()
	// A grandchild that left the group may hold the pipes open: do not wait for its end.
	s.p.stdout.SetReadDeadline(time.Now().Add(lastRead))
	_ = s.p.stderr.SetReadDeadline(time.Now().Add(lastRead))
	<-s.readDone
	<-s.writeDone
	<-s.errs.done
	s.p.closeFiles()
	s.fail(nil)
}

// end ends a process that was given up. One that closed its pipes is probably ending and gets a moment to say how.
func (s *session) end() {
	if pipe := errors.Is(s.cause, errOutputClosed) || errors.Is(s.cause, syscall.EPIPE); pipe && s.p.wait(exitWait) {
		s.byItself = true
		return
	}
	s.p.kill()
}

// dir is the working directory of a process that starts now.
func (c *child) dir() string {
	if c.spec.ofCode && c.ctx.CodeDirNow != nil {
		return c.ctx.CodeDirNow()
	}
	return c.spec.Dir
}

// launch starts the process unless close came first.
func (c *child) launch(dir string, env []string) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, errStopped
	}
	p, err := startProcess(c.spec.Command, dir, env)
	if err != nil {
		return nil, err
	}
	c.p = p
	return p, nil
}

var (
	errStopped = errors.New("stopped")
	errRenewed = errors.New("it is to begin anew")
)

// greet notes that s has answered the handshake.
func (c *child) greet(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.greeted = s
	c.newsLocked()
	c.turn()
}

// lose notes that s was lost.
func (c *child) lose(s *session, lost *ChildError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losses, c.last, c.lastOf = c.losses+1, lost, s
	c.newsLocked()
}

func (c *child) newsLocked() {
	close(c.news)
	c.news = make(chan struct{})
}

// up says whether it is known what becomes of a process: one has answered the handshake, or was lost.
func (c *child) up() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.greeted != nil || c.losses > 0
}

// renew returns a session that has answered the handshake and is not old, which is ended, without a word to the host. old may
// be nil. It fails when the child is lost meanwhile, and does not wait beyond ended.
func (c *child) renew(old *session, ended <-chan struct{}) (*session, error) {
	if old != nil {
		old.fail(errRenewed)
	}
	c.mu.Lock()
	losses := c.losses
	c.mu.Unlock()
	for {
		c.mu.Lock()
		s, news, lost := c.greeted, c.news, c.last
		if c.losses == losses || old != nil && c.lastOf == old {
			lost = nil
		}
		c.mu.Unlock()
		switch {
		case lost != nil:
			return nil, lost
		case s != nil && s != old && !s.over():
			return s, nil
		}
		select {
		case <-news:
		case <-c.stop:
			return nil, errStopped
		case <-ended:
			return nil, gearcore.ErrClosed
		}
	}
}

// close ends the child and waits until it is reaped. The goroutines of run and the session end soon after, at the latest
// when the executor has ended and Async.Do returns.
func (c *child) close() {
	c.mu.Lock()
	c.stopped = true
	p := c.p
	c.mu.Unlock()
	close(c.stop)
	if p != nil {
		p.stop(c.spec.Grace)
	}
	c.removeDir()
}
