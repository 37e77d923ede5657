package jvmhost

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Host is one Java process and the Bolts whose work it does. Run keeps the process alive; Bolts may be made, opened and
// closed at any time.
type Host struct {
	cfg     Config
	changed chan struct{} // cap 1: a bolt was attached

	mu     sync.Mutex
	nextID uint64               // guarded by mu
	bolts  map[uint64]*attached // guarded by mu: by channel
	now    *life                // guarded by mu: nil between lives
	chans  sync.WaitGroup       // channels that run
}

// attached is a Bolt that is open.
type attached struct {
	b    *Bolt
	ch   *channel  // of the present life, nil while there is none
	told time.Time // when the present life was told to open it, zero before
}

// NewHost returns a host that starts nothing before Run.
func NewHost(cfg Config) (*Host, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Host{cfg: cfg, changed: make(chan struct{}, 1), bolts: map[uint64]*attached{}}, nil
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
	dir, err := os.MkdirTemp("", "gearstorm-jvm-") // only this user may enter
	if err != nil {
		return fmt.Errorf("make a directory for the socket to Java: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("listen for Java: %w", err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() { h.accept(ln) })
	h.keep(ctx, path)
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
		lost := h.live(ctx, path)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > h.cfg.MaxWait {
			wait = h.cfg.FirstWait
		}
		lost.Wait = wait
		h.report(lost)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, h.cfg.MaxWait)
	}
}

// report tells every bolt of a loss.
func (h *Host) report(lost *LostError) {
	h.mu.Lock()
	var to []*gearcore.Async
	for _, a := range h.bolts {
		to = append(to, a.b.async)
	}
	h.mu.Unlock()
	for _, async := range to {
		_ = async.Do(0, func(c *gearcore.Collector) { c.ReportError(lost) }) // an executor that has ended needs no telling
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
	id, err := greet(conn, h.wants)
	if err != nil {
		h.cfg.Log.Warn("connection to the jvm host refused", "err", err)
		conn.Close()
		return
	}
	ch := h.join(id, conn)
	if ch == nil {
		conn.Close()
		return
	}
	go func() {
		defer h.chans.Done()
		ch.run()
	}()
}

// wants says whether a channel is to be opened by who shows t.
func (h *Host) wants(id uint64, t *token) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.bolts[id]
	return h.now != nil && h.now.token.equal(t) && a != nil && !a.told.IsZero() && a.ch == nil
}

// join gives the bolt its channel; nil if it is gone or has one by now.
func (h *Host) join(id uint64, conn net.Conn) *channel {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.bolts[id]
	if h.now == nil || a == nil || a.told.IsZero() || a.ch != nil {
		return nil
	}
	l := h.now
	a.ch = newChannel(a.b, conn, func(err error) { h.lost(id, l, err) })
	h.chans.Add(1)
	return a.ch
}

// lost kills the process of l because of a channel that ended, unless its bolt was closed.
func (h *Host) lost(id uint64, l *life, err error) {
	h.mu.Lock()
	open := h.bolts[id] != nil
	h.mu.Unlock()
	if open {
		l.kill(err)
	}
}

// attach makes the process open a channel for b, now and in every life to come.
func (h *Host) attach(b *Bolt) {
	h.mu.Lock()
	h.nextID++
	b.id = h.nextID
	h.bolts[b.id] = &attached{b: b}
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// detach ends the channel of b and waits for its goroutines.
func (h *Host) detach(b *Bolt) {
	h.mu.Lock()
	a := h.bolts[b.id]
	delete(h.bolts, b.id)
	h.mu.Unlock()
	if a != nil && a.ch != nil {
		a.ch.end(errClosed)
		<-a.ch.done
	}
}

// toOpen returns the channels that the present life was not told of, and marks them.
func (h *Host) toOpen() (ids []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, a := range h.bolts {
		if a.told.IsZero() {
			a.told = time.Now()
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
	for _, a := range h.bolts {
		if a.ch == nil && !a.told.IsZero() && (!waiting || a.told.Before(first)) {
			first, waiting = a.told, true
		}
	}
	return first.Add(h.cfg.StartTimeout), waiting
}
