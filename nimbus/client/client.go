package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// A Client reaches the leading Nimbus of one cluster. Make it with [New].
type Client struct {
	calls *lane // everything but long polls
	polls *lane // Gearstorm
}

// New returns a client; it connects at the first call. Options that name no host are an error.
func New(opts Options) (*Client, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("nimbus client: %w", err)
	}
	return &Client{calls: newLane(opts), polls: newLane(opts)}, nil
}

// Nimbus returns Storm's service. Its calls return the generated exceptions; see [KindOf].
func (c *Client) Nimbus() *stormrpc.NimbusClient { return stormrpc.NewNimbusClient(c.calls) }

// Gearstorm returns our own service, on a connection of its own.
func (c *Client) Gearstorm() *stormrpc.GearstormClient { return stormrpc.NewGearstormClient(c.polls) }

// Leader returns the address in use, connecting if there is no connection.
func (c *Client) Leader(ctx context.Context) (string, error) {
	conn, err := c.calls.connection(ctx)
	if err != nil {
		return "", err
	}
	return conn.Addr(), nil
}

// Close closes the connections; calls in progress fail. Later calls fail with [ErrClosed].
func (c *Client) Close() error {
	c.calls.close()
	c.polls.close()
	return nil
}

// ErrClosed is returned by calls on a closed client.
var ErrClosed = errors.New("nimbus client is closed")

// Call makes a lane the transport of a generated client. A connection that turned out to be gone before the call was sent
// is replaced once.
func (l *lane) Call(ctx context.Context, method string, args, result wire.Struct) (wire.ResponseMeta, error) {
	for again := false; ; again = true {
		conn, err := l.connection(ctx)
		if err != nil {
			return wire.ResponseMeta{}, fmt.Errorf("call %s: %w", method, err)
		}
		meta, err := conn.Call(ctx, method, args, result)
		if lost, ok := errors.AsType[*wire.ConnError](err); !ok || lost.Sent || again || ctx.Err() != nil {
			return meta, err
		}
	}
}
