package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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
			c.s.buffered.give(cap(message))
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
	return readFrame(c.in, c.s.opts.MaxFrameBytes, &c.s.buffered)
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
	call, err := c.s.calls.parse(c.s.ctx, message, func() { c.s.buffered.give(size) })
	if err != nil {
		return err
	}
	if err := c.serve(call); err != nil {
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
func (c *serverConn) serve(call *call) error {
	if call.held {
		return c.serveHeld(call)
	}
	select {
	case c.s.slots <- struct{}{}:
		defer func() { <-c.s.slots }()
	case <-c.s.ctx.Done():
		call.refuse(&c.out)
		return context.Cause(c.s.ctx)
	}
	return call.serve(WithCaller(c.s.ctx, c.peer), &c.out)
}

func (c *serverConn) serveHeld(call *call) error {
	select {
	case c.s.held <- struct{}{}:
		defer func() { <-c.s.held }()
	default:
		call.refuse(&c.out)
		return errTooManyHeld
	}
	ctx, cancel := context.WithCancelCause(WithCaller(c.s.heldCtx, c.peer))
	defer cancel(nil)
	stop := c.watch(cancel)
	defer stop()
	return call.serve(ctx, &c.out)
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
