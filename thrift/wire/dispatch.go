package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/apache/thrift/lib/go/thrift"
)

// dispatcher finds the method of a message among those of several services. It is not changed after newDispatcher.
type dispatcher struct {
	methods  map[string]thrift.TProcessorFunction
	held     map[string]bool
	wide     map[string]int16
	request  *thrift.TConfiguration
	reply    *thrift.TConfiguration
	maxReply int
}

func newDispatcher(o Options, processors []thrift.TProcessor) (*dispatcher, error) {
	d := &dispatcher{
		methods:  make(map[string]thrift.TProcessorFunction),
		held:     make(map[string]bool),
		wide:     o.Wide,
		request:  config(o.MaxFrameBytes, maxRequestContainer),
		reply:    config(o.MaxReplyBytes, maxTrustedContainer),
		maxReply: o.MaxReplyBytes,
	}
	for _, p := range processors {
		for name, f := range p.ProcessorMap() {
			if d.methods[name] != nil {
				return nil, fmt.Errorf("method %s is in two of the services", name)
			}
			d.methods[name] = f
		}
	}
	for name := range o.Wide {
		if d.methods[name] == nil {
			return nil, fmt.Errorf("method %s with a wide field is in none of the services", name)
		}
	}
	for _, name := range o.Held {
		if d.methods[name] == nil {
			return nil, fmt.Errorf("held method %s is in none of the services", name)
		}
		d.held[name] = true
	}
	return d, nil
}

// A call is a request whose header was read. Its arguments are still bytes.
type call struct {
	d       *dispatcher
	message []byte // whole; not to be used once in was read to its end, unless it is relayed
	method  string
	seq     int32
	run     thrift.TProcessorFunction // nil for an unknown method
	held    bool
	oneway  bool
	relayed bool // by another server
	in      *reader
}

// parse reads the header of a message. An error means that the peer does not speak the protocol, or that nothing can be
// answered; the message is then released.
func (d *dispatcher) parse(ctx context.Context, message []byte, release func()) (*call, error) {
	in := newReader(message, d.request, release)
	method, kind, seq, err := in.ReadMessageBegin(ctx)
	switch {
	case err != nil:
		err = fmt.Errorf("read message header: %w", err)
	case kind != thrift.CALL && kind != thrift.ONEWAY:
		err = fmt.Errorf("message of type %d is not a call", kind)
	case len(method) > maxMethodName:
		err = fmt.Errorf("method name of %d bytes", len(method))
	}
	if err != nil {
		in.ReadMessageEnd(ctx)
		return nil, err
	}
	in.wide = d.wide[method]
	return &call{
		d: d, message: message, method: method, seq: seq, run: d.methods[method], held: d.held[method], oneway: kind == thrift.ONEWAY, in: in,
	}, nil
}

// serve decodes the arguments, runs the handler and leaves a sealed reply frame in out. The error is for the log: the
// reply, if there is one, already says to the caller what he may know.
func (c *call) serve(ctx context.Context, out *bytes.Buffer) error {
	newFrame(out)
	err := c.process(ctx, out)
	c.in.ReadMessageEnd(ctx)
	if size := out.Len() - frameHeader; size > c.d.maxReply {
		err = fmt.Errorf("%w: reply of %d bytes, limit %d", ErrFrameTooLarge, size, c.d.maxReply)
		c.fail(out, thrift.INTERNAL_ERROR, internalText+c.method)
	}
	sealFrame(out)
	return err
}

func (c *call) process(ctx context.Context, out *bytes.Buffer) error {
	if c.run == nil {
		c.invalidMethod(out)
		return nil
	}
	decoded, err := c.invoke(ctx, out)
	var writeError *thrift.ProcessorError
	switch {
	case err == nil:
		return nil
	case !decoded && !errors.As(err, &writeError) && kindOf(out) == thrift.EXCEPTION:
		return fmt.Errorf("decode arguments: %w", err) // the generated code answered with exception 7 and this text
	case decoded && kindOf(out) == thrift.REPLY:
		return nil // a declared exception
	case errors.Is(err, ErrUnknownResult):
		c.noResult(out)
		return nil
	case errors.Is(err, ErrNotImplemented):
		c.invalidMethod(out)
		return nil
	case errors.Is(err, ErrElsewhere):
		return err
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		c.fail(out, thrift.INTERNAL_ERROR, internalText+c.method+": "+refusal.Error())
		return nil
	}
	c.fail(out, thrift.INTERNAL_ERROR, internalText+c.method)
	return err
}

// invoke runs the generated function, which returns false when the arguments did not decode or the reply did not encode.
func (c *call) invoke(ctx context.Context, out *bytes.Buffer) (decoded bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			decoded, err = true, &panicError{value: v, stack: debug.Stack()}
			newFrame(out)
		}
	}()
	// A nil TException must not become a non-nil error.
	if ok, te := c.run.Process(ctx, c.seq, c.in, newWriter(out, c.d.reply)); te != nil {
		return ok, te
	}
	return true, nil
}

// panicError is what a handler panicked with.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("handler panicked: %v\n%s", p.value, p.stack) }

// kindOf returns the message type of the frame begun in out, 0 when there is no message yet.
func kindOf(out *bytes.Buffer) thrift.TMessageType {
	if out.Len() < 2*frameHeader {
		return thrift.INVALID_TMESSAGE_TYPE
	}
	return thrift.TMessageType(binary.BigEndian.Uint32(out.Bytes()[frameHeader:]) & 0xff)
}

func (c *call) invalidMethod(out *bytes.Buffer) {
	c.fail(out, thrift.UNKNOWN_METHOD, "Invalid method name: '"+c.method+"'")
}

// refuse answers a call that is not run. The caller is told why by a Refusal only.
func (c *call) refuse(out *bytes.Buffer, err error) {
	c.in.ReadMessageEnd(context.Background())
	text := internalText + c.method
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		text += ": " + refusal.Error()
	}
	c.fail(out, thrift.INTERNAL_ERROR, text)
	sealFrame(out)
}

// fail replaces the frame begun in out by an application exception. Writing to memory cannot fail.
func (c *call) fail(out *bytes.Buffer, kind int32, text string) {
	ctx := context.Background()
	newFrame(out)
	p := newWriter(out, c.d.reply)
	p.WriteMessageBegin(ctx, c.method, thrift.EXCEPTION, c.seq)
	thrift.NewTApplicationException(kind, text).Write(ctx, p)
}

// noResult replaces the frame begun in out by a reply with no field set: what Storm sends for a null result.
func (c *call) noResult(out *bytes.Buffer) {
	ctx := context.Background()
	newFrame(out)
	p := newWriter(out, c.d.reply)
	p.WriteMessageBegin(ctx, c.method, thrift.REPLY, c.seq)
	p.WriteFieldStop(ctx)
}
