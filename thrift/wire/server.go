package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/gearstorm/gearstorm/internal/budget"
)

// A Server answers calls of one or several services. Make it with [NewServer].
type Server struct {
	opts     Options
	calls    *dispatcher
	gate     gate
	buffered budget.Bytes
	slots    chan struct{} // one for each ordinary call in progress
	held     chan struct{} // one for each held call
	log      quietLog

	// Parents of the contexts of calls. Shutdown ends the held ones at once, the others when its patience is over.
	ctx        context.Context
	cancel     context.CancelCauseFunc
	heldCtx    context.Context
	cancelHeld context.CancelCauseFunc

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
	running   sync.WaitGroup // accept loops and connections; Add only with mu held and closing false
}

// NewServer returns a server of the methods of all processors. It is an error if two of them share a method name or if a
// field of opts is out of range. It starts nothing.
func NewServer(opts Options, processors ...thrift.TProcessor) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("check wire options: %w", err)
	}
	calls, err := newDispatcher(opts, processors)
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:      opts,
		calls:     calls,
		gate:      gate{max: opts.MaxConns, maxPerOrigin: opts.MaxConnsPerIP},
		buffered:  budget.Bytes{Limit: opts.MaxBufferedBytes},
		slots:     make(chan struct{}, opts.MaxInFlight),
		held:      make(chan struct{}, opts.MaxHeld),
		log:       quietLog{log: opts.Log},
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*serverConn]struct{}),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.heldCtx, s.cancelHeld = context.WithCancelCause(s.ctx)
	return s, nil
}

// Serve accepts connections from ln until [Server.Shutdown] and owns ln from then on. It returns nil after Shutdown,
// else the error that ended accepting.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.adopt(func() { s.listeners[ln] = struct{}{} }) {
		return nil
	}
	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, ln)
		s.mu.Unlock()
	}()
	for {
		conn, err := acceptPatiently(s.ctx, ln)
		if err != nil {
			if s.stopping() {
				return nil
			}
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		s.open(conn)
	}
}

// acceptPatiently accepts, and waits when the process is out of file descriptors or the peer was too quick to leave.
func acceptPatiently(ctx context.Context, ln net.Listener) (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, err := ln.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !isTemporary(ne) {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// isTemporary asks the error itself: the method is deprecated for want of a definition, except here.
func isTemporary(err net.Error) bool {
	t, ok := err.(interface{ Temporary() bool })
	return ok && t.Temporary()
}

// open starts the goroutine of an accepted connection, or closes it when there is no place for it.
func (s *Server) open(conn net.Conn) {
	remote := remoteOf(conn)
	if ok, why := s.gate.enter(remote.Addr()); !ok {
		conn.Close()
		s.log.write(slog.LevelWarn, "refused thrift connection", slog.Any("remote", remote), slog.String("err", why))
		return
	}
	c := newServerConn(s, conn, remote)
	if !s.adopt(func() { s.conns[c] = struct{}{} }) {
		s.gate.leave(remote.Addr())
		conn.Close()
		return
	}
	go func() {
		defer s.running.Done()
		defer s.gate.leave(remote.Addr())
		c.run()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// adopt counts one more running goroutine and calls register with the lock held; it does neither after Shutdown began.
func (s *Server) adopt(register func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.running.Add(1)
	register()
	return true
}

func (s *Server) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting, closes idle connections, ends the contexts of held calls with [ErrShutdown] and waits for all
// calls to be answered. When ctx ends first it ends the contexts of the remaining calls, closes their connections and
// returns an error without waiting further. It may be called more than once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		if !c.busy {
			c.raw.Close()
		}
	}
	s.mu.Unlock()
	s.cancelHeld(ErrShutdown)

	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.cancel(ErrShutdown)
		return nil
	case <-ctx.Done():
	}
	s.cancel(ErrShutdown)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.raw.Close()
	}
	return fmt.Errorf("shut down with %d connections busy: %w", len(s.conns), context.Cause(ctx))
}
