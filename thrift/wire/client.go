package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

// DialOptions are how a client connects and waits. A zero field means its default.
type DialOptions struct {
	// DialTimeout bounds connecting and the handshake. Default 5 s.
	DialTimeout time.Duration
	// CallTimeout bounds a call whose context has no earlier deadline. Default 10 min, Storm's
	// storm.thrift.socket.timeout.ms.
	CallTimeout time.Duration
	// MaxFrameBytes is the largest request; a longer one fails before anything is sent, because a server would close the
	// connection. Default 1 MiB, Storm's nimbus.thrift.max_buffer_size.
	MaxFrameBytes int
	// MaxReplyBytes is the largest reply. Default 64 MiB.
	MaxReplyBytes int
	// Handshake runs before the first call; nil means none.
	Handshake Handshake
	// Dial makes the connection; nil means a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (o DialOptions) withDefaults() DialOptions {
	o.DialTimeout = orDefault(o.DialTimeout, 5*time.Second)
	o.CallTimeout = orDefault(o.CallTimeout, 10*time.Minute)
	o.MaxFrameBytes = orDefault(o.MaxFrameBytes, DefaultMaxFrameBytes)
	o.MaxReplyBytes = orDefault(o.MaxReplyBytes, 64<<20)
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}

func orDefault[T int | time.Duration](v, preset T) T {
	if v <= 0 {
		return preset
	}
	return v
}

// A Client is one connection to a server. It is what the generated clients take:
//
//	nimbus := stormrpc.NewNimbusClient(client)
//
// It may be used from several goroutines; their calls wait for each other. A call that ends by its context closes the
// connection, since a reply to it would be taken for the next one. After a [ConnError] the client is closed.
type Client struct {
	addr string
	opts DialOptions
	conn net.Conn
	in   *bufio.Reader

	turn   chan struct{} // holds one token; who has it owns seq, used and the connection
	seq    int32
	used   time.Time // when the last call ended
	closed atomic.Bool
}

// Dial connects to addr (host:port). It fails with a [*ConnError].
func Dial(ctx context.Context, addr string, opts DialOptions) (*Client, error) {
	opts = opts.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, opts.DialTimeout)
	defer cancel()
	conn, err := opts.Dial(ctx, "tcp", addr)
	if err != nil {
		return nil, &ConnError{Addr: addr, Err: err}
	}
	if opts.Handshake != nil {
		shaken, err := shakeHands(ctx, conn, opts.Handshake)
		if err != nil {
			conn.Close()
			return nil, &ConnError{Addr: addr, Err: err}
		}
		conn = shaken
	}
	c := &Client{
		addr: addr, opts: opts, conn: conn, in: bufio.NewReader(conn),
		turn: make(chan struct{}, 1), used: time.Now(),
	}
	c.turn <- struct{}{}
	return c, nil
}

func shakeHands(ctx context.Context, conn net.Conn, handshake Handshake) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	shaken, _, err := handshake(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return shaken, shaken.SetDeadline(time.Time{})
}

// Addr returns the address that was dialed.
func (c *Client) Addr() string { return c.addr }

// Closed returns whether the connection is known to be unusable.
func (c *Client) Closed() bool { return c.closed.Load() }

// Close closes the connection; calls in progress fail.
func (c *Client) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.conn.Close()
}

// Call sends a request and reads its reply into result. The errors are a [*ConnError], an application exception (see
// [ApplicationError]) or, when nothing was sent, the reason why args cannot be; declared exceptions are in result.
func (c *Client) Call(ctx context.Context, method string, args, result thrift.TStruct) (thrift.ResponseMeta, error) {
	request := func(ctx context.Context, buf *bytes.Buffer) error { return c.encode(ctx, buf, method, args) }
	return thrift.ResponseMeta{}, c.converse(ctx, method, request, func(ctx context.Context, reply []byte) error {
		return c.decode(ctx, reply, method, result)
	})
}

// converse makes one exchange when its turn has come: request leaves a frame in the buffer, accept takes the reply.
func (c *Client) converse(ctx context.Context, method string, request func(context.Context, *bytes.Buffer) error,
	accept func(context.Context, []byte) error) error {
	callers := ctx
	ctx, cancel := context.WithTimeout(ctx, c.opts.CallTimeout)
	defer cancel()
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return fmt.Errorf("wait for an earlier call on %s: %w", c.addr, ctx.Err())
	}
	if c.Closed() || c.abandoned() {
		c.Close()
		return &ConnError{Addr: c.addr, Method: method, Err: net.ErrClosed}
	}
	c.seq++
	var frame bytes.Buffer
	if err := request(ctx, &frame); err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	reply, err := c.exchange(ctx, sealFrame(&frame))
	c.used = time.Now()
	if err == nil {
		err = accept(ctx, reply)
		if _, answered := ApplicationError(err); err == nil || answered {
			return err
		}
	}
	c.Close()
	if callers.Err() != nil {
		err = callers.Err() // the socket error is only how it was carried out
	} else if ctx.Err() != nil {
		err = ErrCallTimeout
	}
	return &ConnError{Addr: c.addr, Method: method, Sent: true, Err: err}
}

func (c *Client) encode(ctx context.Context, buf *bytes.Buffer, method string, args thrift.TStruct) error {
	newFrame(buf)
	p := newWriter(buf, config(c.opts.MaxFrameBytes, maxTrustedContainer))
	if err := p.WriteMessageBegin(ctx, method, thrift.CALL, c.seq); err != nil {
		return err
	}
	if err := args.Write(ctx, p); err != nil {
		return err
	}
	if n := buf.Len() - frameHeader; n > c.opts.MaxFrameBytes {
		return fmt.Errorf("%w: request of %d bytes, limit %d", ErrFrameTooLarge, n, c.opts.MaxFrameBytes)
	}
	return nil
}

// exchange writes a frame and reads one. The end of ctx makes both fail at once.
func (c *Client) exchange(ctx context.Context, request []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			c.Close() // its deadline has passed for good
		}
	}()
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	reply, err := readFrame(c.in, c.opts.MaxReplyBytes, nil)
	return reply, noEOF(err)
}

// abandoned returns whether the server has closed the connection, or speaks first, which is as bad: a call on it would be
// lost, and nobody could tell whether it was carried out.
func (c *Client) abandoned() bool {
	if c.in.Buffered() > 0 {
		return true
	}
	if ended, known := peek(c.conn); known {
		return ended
	}
	return c.waitForEnd()
}

// waitForEnd is for connections of which only a read tells that they ended. That takes a millisecond when the connection is
// fine, so it is done after a pause only.
func (c *Client) waitForEnd() bool {
	const idle, look = time.Second, time.Millisecond
	if time.Since(c.used) < idle {
		return false
	}
	if c.conn.SetReadDeadline(time.Now().Add(look)) != nil {
		return true
	}
	_, err := c.in.Peek(1)
	return !errors.Is(err, os.ErrDeadlineExceeded) || c.conn.SetReadDeadline(time.Time{}) != nil
}

var errBadReply = errors.New("reply does not belong to the request")

// decode reads a reply. Application exceptions come back as they are; every other error means that the peer cannot be
// trusted to be in step.
func (c *Client) decode(ctx context.Context, message []byte, method string, result thrift.TStruct) error {
	in := newReader(message, config(c.opts.MaxReplyBytes, maxTrustedContainer), nil)
	name, kind, seq, err := in.ReadMessageBegin(ctx)
	if err != nil {
		return fmt.Errorf("read reply header: %w", err)
	}
	if name != method || seq != c.seq {
		return fmt.Errorf("%w: method %q, sequence id %d; want %q, %d", errBadReply, name, seq, method, c.seq)
	}
	switch kind {
	case thrift.REPLY:
		if err := result.Read(ctx, in); err != nil {
			return fmt.Errorf("read result: %v", err) // not wrapped: it must not look like the server's answer
		}
		return nil
	case thrift.EXCEPTION:
		answer := thrift.NewTApplicationException(0, "")
		if err := answer.Read(ctx, in); err != nil {
			return fmt.Errorf("read exception: %v", err)
		}
		return answer
	}
	return fmt.Errorf("%w: message type %d", errBadReply, kind)
}
