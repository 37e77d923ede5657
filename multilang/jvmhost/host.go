package jvmhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Host is one Java process and the Bolts and Spouts whose work it does. Run keeps the process alive; tasks may be made,
// opened and closed at any time.
type Host struct {
	cfg     Config
	changed chan struct{} // cap 1: a task was attached, or is to be started anew

	mu      sync.Mutex
	nextID  uint64               // guarded by mu
	tasks   map[uint64]*attached // guarded by mu: by channel
	now     *life                // guarded by mu: nil between lives
	told    map[string]told      // guarded by mu: by name
	edition uint64               // guarded by mu: of the last change of told
	chans   sync.WaitGroup       // channels that run

	news       sync.Cond // on mu: something that a Restore may wait for
	generation uint64    // guarded by mu: the newest one that a task was restored in; 0: none
	stopped    bool      // guarded by mu: Restore does not wait any more

	newest  int64              // guarded by mu: version of the graph that was made known last; 0: none
	streams int                // guarded by mu: how many there are up to it
	retired bool               // guarded by mu: Run returns when no task is left
	end     context.CancelFunc // guarded by mu: of Run; nil before

	engine       Engine            // set by Bind before a task is opened; nil: every tuple passes Go
	hooks        gearcore.Hooks    // the same
	local        []gearcore.TaskID // guarded by mu
	localVersion int               // guarded by mu
}

// attached is a task that is open.
type attached struct {
	t     *task
	ch    *channel      // of the present life, nil while there is none
	told  time.Time     // when the present life was told to open it, zero before
	after time.Time     // not to be told before that
	wait  time.Duration // the last pause before it was started anew

	losses int   // of the process, or of the task's part in it
	last   error // the newest
}

// NewHost returns a host that starts nothing before Run.
func NewHost(cfg Config) (*Host, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, changed: make(chan struct{}, 1), tasks: map[uint64]*attached{}}
	h.news.L = &h.mu
	return h, nil
}

// PID returns the number of the running process, 0 if there is none.
func (h *Host) PID() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil {
		return 0
	}
	return h.now.cmd.Process.Pid
}

// Run keeps the process running until ctx ends. When it returns, the process has ended and no goroutine or file of the host
// is left. It may be called once, and returns nil or why it could not listen.
func (h *Host) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp(h.cfg.Dir, "gearstorm-jvm-") // only this user may enter
	if err != nil {
		return fmt.Errorf("make a directory for the socket to Java: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen for Java: %w", err)
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	h.mu.Lock()
	h.end = end
	h.endRetiredLocked()
	h.mu.Unlock()
	var accepting sync.WaitGroup
	accepting.Go(func() { h.accept(ln) })
	h.keep(ctx, path)
	h.Stop()
	ln.Close()
	accepting.Wait()
	h.chans.Wait()
	return nil
}

// keep starts the process again and again until ctx ends.
func (h *Host) keep(ctx context.Context, path string) {
	wait := h.cfg.FirstWait
	for {
		began := time.Now()
		l, lost := h.live(ctx, path)
		if time.Since(began) > h.cfg.MaxWait {
			wait = h.cfg.FirstWait
		}
		lost.Wait = wait
		if h.cfg.Explain != nil {
			lost.Hint = h.cfg.Explain(lost)
		}
		h.over(l, lost)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(lost, errRenewed):
			h.cfg.Log.Info("java process ended to begin anew", "pid", lost.PID)
			continue
		}
		h.report(lost)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, h.cfg.MaxWait)
	}
}

// report tells every task of a loss, and the log: there may be none.
func (h *Host) report(lost *LostError) {
	h.cfg.Log.Error("java process lost", "err", lost)
	h.mu.Lock()
	var to []*task
	for _, a := range h.tasks {
		to = append(to, a.t)
	}
	h.mu.Unlock()
	for _, t := range to {
		t.report(lost)
	}
}

// accept takes connections until ln is closed.
func (h *Host) accept(ln *net.UnixListener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, maxHandshakes)
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			h.open(conn)
		})
	}
}

// open makes a channel of a connection that proves itself.
func (h *Host) open(conn net.Conn) {
	var l *life
	id, err := greet(conn, func(id uint64, t *token) bool {
		l = h.wants(id, t)
		return l != nil
	})
	if err != nil {
		h.cfg.Log.Warn("connection to the jvm host refused", "err", err)
		conn.Close()
		return
	}
	serve := h.join(l, id, conn)
	if serve == nil {
		conn.Close()
		return
	}
	go func() {
		defer h.chans.Done()
		serve()
	}()
}

// wants returns the present life if a channel is to be opened by who shows t, else nil.
func (h *Host) wants(id uint64, t *token) *life {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now == nil || !h.now.token.equal(t) || !h.vacantLocked(h.now, id) {
		return nil
	}
	return h.now
}

// vacantLocked says whether l is to open the channel and has not.
func (h *Host) vacantLocked(l *life, id uint64) bool {
	if id == controlChannel {
		return !l.answers()
	}
	a := h.tasks[id]
	return a != nil && !a.told.IsZero() && a.ch == nil
}

// join gives the channel of the life l to who waits for it and returns what serves it; nil if nobody does by now.
func (h *Host) join(l *life, id uint64, conn net.Conn) (serve func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != l || !h.vacantLocked(l, id) {
		return nil
	}
	h.chans.Add(1)
	if id == controlChannel {
		l.controlled()
		return func() { h.control(l, conn) }
	}
	a := h.tasks[id]
	a.ch = newChannel(a.t, conn, func(err error) { h.lost(id, l, err) })
	h.news.Broadcast()
	return a.ch.run
}

// lost is told why a channel in the life l has ended. If the task gave up, it is started anew after a pause; else the
// process is killed, unless the task was closed or its executor has ended, which is about to close it.
func (h *Host) lost(id uint64, l *life, err error) {
	h.mu.Lock()
	a := h.tasks[id]
	gone, again := errors.AsType[*TaskError](err)
	if a == nil || h.now != l || !again {
		h.mu.Unlock()
		if a != nil && !errors.Is(err, gearcore.ErrClosed) {
			l.kill(err)
		}
		return
	}
	if a.wait == 0 || time.Since(a.told) > h.cfg.MaxWait {
		a.wait = h.cfg.FirstWait
	} else {
		a.wait = min(2*a.wait, h.cfg.MaxWait)
	}
	a.ch, a.told, a.after = nil, time.Time{}, time.Now().Add(a.wait)
	gone.Wait = a.wait
	a.losses, a.last = a.losses+1, gone
	h.mu.Unlock()
	h.news.Broadcast()
	a.t.report(gone)
	h.wake()
}

// wake lets the goroutine that talks to the process look again.
func (h *Host) wake() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// attach makes the process open a channel for t, now and in every life to come.
func (h *Host) attach(t *task) {
	h.mu.Lock()
	h.nextID++
	t.id = h.nextID
	h.tasks[t.id] = &attached{t: t}
	t.leaving.Store(h.localVersion > 0 && !slices.Contains(h.local, t.ctx.Task))
	h.mu.Unlock()
	h.wake()
}

// detach ends the channel of t and waits for its goroutines.
func (h *Host) detach(t *task) {
	h.mu.Lock()
	var ch *channel
	if a := h.tasks[t.id]; a != nil {
		ch = a.ch
	}
	delete(h.tasks, t.id)
	h.forgetVersionsLocked()
	h.mu.Unlock()
	h.news.Broadcast()
	if ch != nil {
		ch.finish()
	}
	h.mu.Lock()
	h.endRetiredLocked()
	h.mu.Unlock()
}

// toOpen returns the channels that the present life is to be told of now, and marks them.
func (h *Host) toOpen(now time.Time) (ids []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, a := range h.tasks {
		if a.told.IsZero() && !now.Before(a.after) {
			a.told = now
			ids = append(ids, id)
		}
	}
	return ids
}

// due returns when the first of the channels that the present life was told of and has not opened has to be open; false if
// there is none.
func (h *Host) due() (first time.Time, waiting bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.tasks {
		if a.ch == nil && !a.told.IsZero() && (!waiting || a.told.Before(first)) {
			first, waiting = a.told, true
		}
	}
	return first.Add(h.cfg.StartTimeout), waiting
}

// next returns how long toOpen has nothing to say unless something changes; a long time if it is only that.
func (h *Host) next(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	wait := h.cfg.MaxWait
	for _, a := range h.tasks {
		if a.told.IsZero() {
			wait = min(wait, a.after.Sub(now))
		}
	}
	return max(wait, 0)
}
