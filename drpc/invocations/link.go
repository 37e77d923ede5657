package invocations

import (
	"context"
	"errors"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// callTime bounds one call; none of them waits for long at the server. An answer that took leastHold was waited for.
const (
	callTime  = 10 * time.Second
	leastHold = 100 * time.Millisecond
)

// link is the connection to the invocations service of one server, made when it is needed and again after it broke. It
// belongs to one goroutine.
type link struct {
	addr    string
	options wire.DialOptions
	client  *wire.Client
	plain   bool // the server is Storm's: it knows no awaitRequest
}

// newLink reads how large a request or result may be from the topology's configuration.
func newLink(addr string, c conf.Conf) (link, error) {
	size, err := c.IntOr("drpc.max_buffer_size", wire.DefaultMaxFrameBytes)
	if err != nil {
		return link{}, err
	}
	return link{addr: addr, options: wire.DialOptions{CallTimeout: callTime, MaxFrameBytes: int(size), MaxReplyBytes: int(size) + 1024}}, nil
}

// connect makes the connection unless there is one.
func (l *link) connect(ctx context.Context) error {
	if l.client != nil && !l.client.Closed() {
		return nil
	}
	c, err := wire.Dial(ctx, l.addr, l.options)
	if err != nil {
		return err
	}
	l.client, l.plain = c, false
	return nil
}

// call runs do over the connection.
func (l *link) call(ctx context.Context, do func(context.Context, *stormrpc.DistributedRPCInvocationsClient) error) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	return do(ctx, stormrpc.NewDistributedRPCInvocationsClient(l.client))
}

// next asks for a request: a server of ours for one that may come soon, Storm's for one that is there. held reports whether the
// server waited.
func (l *link) next(ctx context.Context, function string) (r *stormrpc.DRPCRequest, held bool, err error) {
	if err := l.connect(ctx); err != nil {
		return nil, false, err
	}
	if !l.plain {
		began := time.Now()
		r, err = stormrpc.NewGearstormDRPCClient(l.client).AwaitRequest(ctx, function)
		if kind, ok := wire.ApplicationError(err); !ok || kind != wire.UnknownMethod {
			return r, time.Since(began) > leastHold, err
		}
		l.plain = true
	}
	r, err = stormrpc.NewDistributedRPCInvocationsClient(l.client).FetchRequest(ctx, function)
	return r, false, err
}

func (l *link) close() {
	if l.client != nil {
		l.client.Close()
	}
}

// lost reports whether another try may help: the server is away, or the connection was.
func lost(err error) bool {
	_, ok := errors.AsType[*wire.ConnError](err)
	return ok
}
