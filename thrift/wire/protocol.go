package wire

import (
	"bytes"
	"context"
	"errors"

	"github.com/apache/thrift/lib/go/thrift"
)

// The generated processors would otherwise start a goroutine for every call that asks the transport 200 times a second
// whether it is open. Here the transport is memory; a held call has its own watch on the connection.
func init() { thrift.ServerConnectivityCheckInterval = 0 }

var errTooManyElements = errors.New("too many elements in one message")

// config is the one configuration for everything that reads or writes messages of at most maxBytes. It is handed to the
// protocol only: there is no library transport with a configuration of its own that could overwrite it.
func config(maxBytes, maxContainer int) *thrift.TConfiguration {
	strictRead, strictWrite := false, true
	return &thrift.TConfiguration{
		MaxMessageSize:     int32(maxBytes),
		MaxFrameSize:       int32(maxBytes),
		MaxContainerSize:   int32(maxContainer),
		TBinaryStrictRead:  &strictRead,
		TBinaryStrictWrite: &strictWrite,
	}
}

// newWriter returns a protocol that appends to buf.
func newWriter(buf *bytes.Buffer, cfg *thrift.TConfiguration) *thrift.TBinaryProtocol {
	return thrift.NewTBinaryProtocolConf(&thrift.TMemoryBuffer{Buffer: buf}, cfg)
}

// reader reads one message out of memory. It bounds the elements of all containers together, because an element of one
// byte can become a struct of a hundred, and lets go of the message once its end was read: the generated code calls
// ReadMessageEnd after the arguments and before the handler, and decoded values share no memory with the message.
type reader struct {
	*thrift.TBinaryProtocol
	buf      *bytes.Buffer
	elements int    // still allowed
	release  func() // called once; may be nil
	wide     int16  // the id of a field that is i64 here and may come as i32, 0 for none (Options.Wide)
	narrow   bool   // it came as one, and is read next
}

func newReader(message []byte, cfg *thrift.TConfiguration, release func()) *reader {
	buf := bytes.NewBuffer(message)
	return &reader{
		TBinaryProtocol: thrift.NewTBinaryProtocolConf(&thrift.TMemoryBuffer{Buffer: buf}, cfg),
		buf:             buf,
		elements:        max(int(cfg.GetMaxContainerSize()), len(message)/4),
		release:         release,
	}
}

// ReadMessageEnd drops the message.
func (r *reader) ReadMessageEnd(context.Context) error {
	*r.buf = bytes.Buffer{}
	if r.release != nil {
		r.release()
		r.release = nil
	}
	return nil
}

// ReadFieldBegin tells of a wide field that came as i32 as of an i64.
func (r *reader) ReadFieldBegin(ctx context.Context) (string, thrift.TType, int16, error) {
	name, t, id, err := r.TBinaryProtocol.ReadFieldBegin(ctx)
	if r.narrow = t == thrift.I32 && r.wide != 0 && id == r.wide; r.narrow {
		t = thrift.I64
	}
	return name, t, id, err
}

// ReadI64 reads an i32 where a wide field came as one.
func (r *reader) ReadI64(ctx context.Context) (int64, error) {
	if !r.narrow {
		return r.TBinaryProtocol.ReadI64(ctx)
	}
	r.narrow = false
	v, err := r.TBinaryProtocol.ReadI32(ctx)
	return int64(v), err
}

// Skip passes over a value; that of a wide field that nobody wants is as long as it came.
func (r *reader) Skip(ctx context.Context, t thrift.TType) error {
	if r.narrow {
		r.narrow, t = false, thrift.I32
	}
	return r.TBinaryProtocol.Skip(ctx, t)
}

// ReadListBegin counts the elements.
func (r *reader) ReadListBegin(ctx context.Context) (thrift.TType, int, error) {
	t, n, err := r.TBinaryProtocol.ReadListBegin(ctx)
	return t, n, r.count(n, err)
}

// ReadSetBegin counts the elements.
func (r *reader) ReadSetBegin(ctx context.Context) (thrift.TType, int, error) {
	t, n, err := r.TBinaryProtocol.ReadSetBegin(ctx)
	return t, n, r.count(n, err)
}

// ReadMapBegin counts the entries.
func (r *reader) ReadMapBegin(ctx context.Context) (thrift.TType, thrift.TType, int, error) {
	k, v, n, err := r.TBinaryProtocol.ReadMapBegin(ctx)
	return k, v, n, r.count(n, err)
}

func (r *reader) count(n int, err error) error {
	if err != nil {
		return err
	}
	if r.elements -= n; r.elements < 0 {
		return thrift.NewTProtocolExceptionWithType(thrift.SIZE_LIMIT, errTooManyElements)
	}
	return nil
}
