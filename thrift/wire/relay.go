package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
)

// A server may pass a call on to another one without decoding it. The message travels in an envelope, a message of its
// own whose name no service can have:
//
//	call "gearstorm:relay" (1: string principal, 2: binary message)
//
// and the reply comes back as it would to the caller: with the method and the sequence id of the inner message. So a
// relayed call counts there as what it is, held or not, and is decoded, bounded and answered by the same code. An
// envelope in an envelope is an error: whoever got a relayed call answers it or refuses it.
const relayMethod = "gearstorm:relay"

const (
	maxPrincipal = 512
	// relayOverhead is what an envelope adds to a message at most: its header, its name, the heads of two fields, the stop.
	relayOverhead = 12 + len(relayMethod) + 7 + maxPrincipal + 7 + 1
)

// A Route says what becomes of a call. The zero Route serves it here.
type Route struct {
	// Relay answers the call in place of the handlers when it is set. It returns the message of the reply, for example from
	// [Client.Relay]. Its context is that of a handler: that of a held call ends when the caller goes away.
	Relay func(ctx context.Context, call RawCall) (reply []byte, err error)
	// Try asks the handler first, and Relay only when that returns [ErrElsewhere].
	Try bool
	// Refuse answers the call with an error. Only a [Refusal] says why.
	Refuse error
	// Done is called when a call that was served or relayed has its answer. It may be nil.
	Done func()
}

// A RawCall is a call whose arguments were not decoded.
type RawCall struct {
	Method string
	// Seq is the caller's sequence id, which the reply must carry.
	Seq int32
	// Principal is who calls; see [Peer].
	Principal string
	// Message is the whole message without its frame's length. It may be used until Relay returns.
	Message []byte
}

// Relay passes on a call that another client made and returns the message of the reply, which may be an exception. The
// errors are those of [Client.Call], except that what the server answered is never an error.
func (c *Client) Relay(ctx context.Context, call RawCall) ([]byte, error) {
	var out []byte
	request := func(_ context.Context, buf *bytes.Buffer) error { return c.envelope(buf, call) }
	err := c.converse(ctx, call.Method, request, func(ctx context.Context, reply []byte) error {
		in := newReader(reply, config(c.opts.MaxReplyBytes, maxTrustedContainer), nil)
		name, kind, seq, err := in.ReadMessageBegin(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("read reply header: %w", err)
		case name != call.Method || seq != call.Seq || (kind != thrift.REPLY && kind != thrift.EXCEPTION):
			return fmt.Errorf("%w: type %d, method %q, sequence id %d; want %q, %d", errBadReply, kind, name, seq, call.Method, call.Seq)
		}
		out = reply
		return nil
	})
	return out, err
}

func (c *Client) envelope(buf *bytes.Buffer, call RawCall) error {
	if len(call.Principal) > maxPrincipal {
		return fmt.Errorf("principal of %d bytes, limit %d", len(call.Principal), maxPrincipal)
	}
	if n := len(call.Message); n > c.opts.MaxFrameBytes {
		return fmt.Errorf("%w: request of %d bytes, limit %d", ErrFrameTooLarge, n, c.opts.MaxFrameBytes)
	}
	newFrame(buf)
	ctx := context.Background()
	p := newWriter(buf, config(c.opts.MaxFrameBytes+relayOverhead, maxTrustedContainer))
	return errors.Join(
		p.WriteMessageBegin(ctx, relayMethod, thrift.CALL, c.seq),
		p.WriteFieldBegin(ctx, "", thrift.STRING, 1), p.WriteString(ctx, call.Principal),
		p.WriteFieldBegin(ctx, "", thrift.STRING, 2), p.WriteBinary(ctx, call.Message),
		p.WriteFieldStop(ctx))
}

var errBadEnvelope = errors.New("envelope of a relayed call is malformed")

// openEnvelope returns what an envelope holds; body is what follows its message header. inner is a part of body.
func openEnvelope(body []byte) (principal string, inner []byte, err error) {
	who, rest, ok := cutField(body, 1)
	if !ok || len(who) > maxPrincipal {
		return "", nil, errBadEnvelope
	}
	inner, rest, ok = cutField(rest, 2)
	if !ok || len(rest) != 1 || rest[0] != thrift.STOP {
		return "", nil, errBadEnvelope
	}
	return string(who), inner, nil
}

// cutField reads one string field.
func cutField(b []byte, id uint16) (value, rest []byte, ok bool) {
	const head = 7
	if len(b) < head || b[0] != thrift.STRING || binary.BigEndian.Uint16(b[1:]) != id {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint32(b[3:])
	if uint64(n) > uint64(len(b)-head) {
		return nil, nil, false
	}
	return b[head : head+n], b[head+n:], true
}

// unwrap returns the call in the envelope that c is, and who makes it. An error ends the connection.
func (c *serverConn) unwrap(ctx context.Context, envelope *call) (*call, Peer, error) {
	if c.s.opts.Relayed == nil {
		return nil, Peer{}, errors.New("relayed calls are not taken here")
	}
	principal, message, err := openEnvelope(envelope.in.buf.Bytes())
	if err != nil {
		return nil, Peer{}, err
	}
	who, ok := c.s.opts.Relayed(c.peer, principal)
	if !ok {
		return nil, Peer{}, fmt.Errorf("caller may not relay a call of %q", principal)
	}
	release := envelope.in.release
	envelope.in.release = nil
	inner, err := c.s.calls.parse(ctx, message, release)
	if err != nil {
		return nil, Peer{}, err
	}
	if inner.method == relayMethod {
		inner.in.ReadMessageEnd(ctx)
		return nil, Peer{}, errors.New("relayed call is a relayed call itself")
	}
	inner.relayed = true
	return inner, who, nil
}

// relay leaves in out the sealed frame of the reply that route gets.
func (c *call) relay(ctx context.Context, route Route, out *bytes.Buffer) error {
	reply, err := route.Relay(ctx, RawCall{Method: c.method, Seq: c.seq, Principal: Caller(ctx).Principal, Message: c.message})
	if err != nil {
		c.refuse(out, err)
		if _, told := errors.AsType[*Refusal](err); told {
			return nil
		}
		return err
	}
	c.in.ReadMessageEnd(ctx)
	newFrame(out)
	out.Write(reply)
	sealFrame(out)
	return nil
}
