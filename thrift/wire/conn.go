package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"
)

// serverConn is one connection. Its goroutine owns everything but busy.
type serverConn struct {
	s      *Server
	raw    net.Conn // as accepted; Shutdown closes it
	conn   net.Conn // after the handshake
	in     *bufio.Reader
	out    bytes.Buffer
	remote netip.AddrPort
	peer   Peer

	busy bool // a call is being run or answered; guarded by s.mu
}

func newServerConn(s *Server, conn net.Conn, remote netip.AddrPort) *serverConn {
	return &serverConn{s: s, raw: conn, conn: conn, remote: remote, peer: Peer{Remote: remote}}
}

// run serves the connection until one side has enough of it.
func (c *serverConn) run() {
	defer c.raw.Close()
	if err := c.shake(); err != nil {
		c.complain("thrift handshake failed", err)
		return
	}
	defer c.conn.Close()
	c.in = bufio.NewReader(c.conn)
	for {
		message, err := c.read()
		if err != nil {
			c.complain("closed thrift connection", err)
			return
		}
		if !c.begin() {
			c.s.buffered.Give(cap(message))
			return
		}
		err = c.answer(message)
		if last := c.end(); err != nil || last {
			c.complain("closed thrift connection", err)
			return
		}
	}
}

func (c *serverConn) shake() error {
	if c.s.opts.Handshake == nil {
		return nil
	}
	if err := c.conn.SetDeadline(time.Now().Add(c.s.opts.ReadTimeout)); err != nil {
		return err
	}
	conn, principal, err := c.s.opts.Handshake(c.s.heldCtx, c.raw)
	if err != nil {
		return err
	}
	c.conn, c.peer.Principal = conn, principal
	return conn.SetDeadline(time.Time{})
}

// read waits for a frame: long for its first byte, not so long for the rest.
func (c *serverConn) read() ([]byte, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.s.opts.IdleTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.in.Peek(1); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, io.EOF // idle for too long is an ordinary end
		}
		return nil, err
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(c.s.opts.ReadTimeout)); err != nil {
		return nil, err
	}
	limit := c.s.opts.MaxFrameBytes
	if c.s.opts.Relayed != nil {
		limit += relayOverhead
	}
	return readFrame(c.in, limit, &c.s.buffered)
}

// begin marks the connection as busy, so that Shutdown waits for it; it returns false when Shutdown was first.
func (c *serverConn) begin() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.busy = !c.s.closing
	return c.busy
}

// end undoes begin and returns whether the connection should close.
func (c *serverConn) end() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.busy = false
	return c.s.closing
}

// answer runs the call in message and writes its reply. An error ends the connection.
func (c *serverConn) answer(message []byte) error {
	size := cap(message)
	call, err := c.s.calls.parse(c.s.ctx, message, func() { c.s.buffered.Give(size) })
	if err != nil {
		return err
	}
	peer := c.peer
	if call.method == relayMethod {
		envelope := call
		if call, peer, err = c.unwrap(c.s.ctx, envelope); err != nil {
			envelope.in.ReadMessageEnd(c.s.ctx)
			return err
		}
	}
	if n := len(call.message); n > c.s.opts.MaxFrameBytes { // it stood in the room that envelopes are given
		call.in.ReadMessageEnd(c.s.ctx)
		return fmt.Errorf("%w: %d bytes, limit %d", ErrFrameTooLarge, n, c.s.opts.MaxFrameBytes)
	}
	if err := c.serve(call, peer); err != nil {
		level := slog.LevelError
		if call.held && (errors.Is(err, ErrCallerGone) || errors.Is(err, ErrShutdown)) {
			level = slog.LevelDebug // how a held call ends when either side ends
		}
		c.s.log.write(level, "thrift call failed", slog.String("method", call.method),
			slog.Any("remote", c.remote), slog.Any("err", err))
	}
	if call.oneway {
		return nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.s.opts.WriteTimeout)); err != nil {
		return err
	}
	_, err = c.conn.Write(c.out.Bytes())
	if c.out.Cap() > 64<<10 {
		c.out = bytes.Buffer{} // an idle connection should not keep a large reply
	}
	return err
}

var errTooManyHeld = errors.New("too many held calls")

// serve leaves the reply of call in c.out and returns what the log should know.
func (c *serverConn) serve(call *call, peer Peer) error {
	if call.held {
		return c.serveHeld(call, peer)
	}
	select {
	case c.s.slots <- struct{}{}:
		defer func() { <-c.s.slots }()
	case <-c.s.ctx.Done():
		call.refuse(&c.out, nil)
		return context.Cause(c.s.ctx)
	}
	return c.routed(WithCaller(c.s.ctx, peer), call)
}

func (c *serverConn) serveHeld(call *call, peer Peer) error {
	select {
	case c.s.held <- struct{}{}:
		defer func() { <-c.s.held }()
	default:
		call.refuse(&c.out, nil)
		return errTooManyHeld
	}
	ctx, cancel := context.WithCancelCause(WithCaller(c.s.heldCtx, peer))
	defer cancel(nil)
	stop := c.watch(cancel)
	defer stop()
	return c.routed(ctx, call)
}

// routed serves a call here or passes it on, as Options.Route says.
func (c *serverConn) routed(ctx context.Context, call *call) error {
	var route Route
	if c.s.opts.Route != nil {
		route = c.s.opts.Route(ctx, call.method, call.relayed)
	}
	if route.Done != nil {
		defer route.Done()
	}
	if route.Relay == nil {
		call.message = nil // a held call must not keep it
	}
	switch {
	case route.Refuse != nil:
		call.refuse(&c.out, route.Refuse)
		return nil
	case route.Relay == nil:
		return call.serve(ctx, &c.out)
	case route.Try:
		if err := call.serve(ctx, &c.out); !errors.Is(err, ErrElsewhere) {
			return err
		}
	}
	return call.relay(ctx, route, &c.out)
}

// watch ends a held call when its caller goes away. It reads ahead by one byte of a next request at most, which stays in
// the buffer. stop ends it and waits for that.
func (c *serverConn) watch(cancel context.CancelCauseFunc) (stop func()) {
	c.conn.SetReadDeadline(time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := c.in.Peek(1); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cancel(ErrCallerGone)
		}
	}()
	return func() {
		c.conn.SetReadDeadline(time.Unix(1, 0))
		<-done
	}
}

// complain logs why the connection ends, unless that is how connections end.
func (c *serverConn) complain(what string, err error) {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return
	}
	c.s.log.write(slog.LevelWarn, what, slog.Any("remote", c.remote), slog.Any("err", err))
}
