package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
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

// Prompt returns our own service on the connection of Nimbus, for calls that are not held.
func (c *Client) Prompt() *stormrpc.GearstormClient { return stormrpc.NewGearstormClient(c.calls) }

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

// Call makes a lane the transport of a generated client. A call that was certainly not carried out is made again: at once on
// a new connection when it was not sent, after waits when nobody leads. So is, once, a call that does no harm when it is
// made twice and whose answer was lost. A Nimbus that turns out not to lead is left: the next call looks for the leader.
func (l *lane) Call(ctx context.Context, method string, args, result wire.Struct) (wire.ResponseMeta, error) {
	begun := time.Now()
	for unsent, lost, leaderless := 0, 0, 0; ; {
		conn, err := l.connection(ctx)
		if err != nil {
			return wire.ResponseMeta{}, fmt.Errorf("call %s: %w", method, err)
		}
		meta, err := conn.Call(ctx, method, args, result)
		broken, gone := errors.AsType[*wire.ConnError](err)
		kind := KindOf(err)
		unknown := err == nil && namesNobody(result)
		if kind == NoLeader || kind == InDoubt || unknown {
			l.drop(conn)
		}
		switch {
		case err == nil && !unknown || ctx.Err() != nil:
			return meta, err
		case gone && !broken.Sent && unsent < maxUnsent:
			unsent++
		case (kind == NoLeader || unknown) && l.opts.Retries >= 0 && time.Since(begun) < l.opts.LeaderPatience:
			if pause.For(ctx, l.opts.backoff(leaderless)) != nil {
				return meta, err
			}
			leaderless++
		case (gone || kind == InDoubt) && lost == 0 && repeatable(method):
			lost++
		default:
			return meta, err
		}
	}
}

// maxUnsent is how often a call is made again that was not sent. Others on the same lane may have closed its connection.
const maxUnsent = 3

// namesNobody tells whether this is getLeader's answer that nobody is known to lead, of which the generated client makes
// "unknown result".
func namesNobody(result wire.Struct) bool {
	r, ok := result.(*stormrpc.NimbusGetLeaderResult)
	return ok && !r.IsSetSuccess() && !r.IsSetAze()
}

// repeatable tells whether a method changes nothing that lasts, so that making it twice does no harm: it reads, or begins
// what is dropped when it is not gone on with.
func repeatable(method string) bool {
	switch method {
	case "beginFileUpload", "beginCreateBlob", "beginUpdateBlob", "beginBlobDownload", "planChange":
		return true
	}
	return strings.HasPrefix(method, "get") || strings.HasPrefix(method, "is")
}
