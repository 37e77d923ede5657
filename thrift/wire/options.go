package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// DefaultMaxFrameBytes is Storm's default of nimbus.thrift.max_buffer_size: the largest request.
const DefaultMaxFrameBytes = 1 << 20

// Limits on what is inside a message. The first one is about requests; replies and stored structs come from our own side
// and may be larger.
const (
	maxRequestContainer = 1 << 16
	maxTrustedContainer = 1 << 20
	maxMethodName       = 128
)

// Handshake prepares a connection before its first frame: it may authenticate the peer and may replace the connection
// (TLS, SASL). It must heed the deadline already set on conn and returns the connection to use from then on and the
// principal, empty for an anonymous peer. On error the connection is closed by the caller. SASL as Storm does it keeps
// the framing used here, so a handshake is all it needs.
type Handshake func(ctx context.Context, conn net.Conn) (net.Conn, string, error)

// Options bound what a server takes from its callers. A zero field means its default.
type Options struct {
	// MaxFrameBytes is the largest request, length word not counted (nimbus.thrift.max_buffer_size,
	// supervisor.thrift.max_buffer_size, drpc.max_buffer_size). A request of exactly this size is served, a longer one
	// closes the connection. Default 1 MiB.
	MaxFrameBytes int
	// MaxReplyBytes is the largest reply; a longer one becomes an internal error. Storm's Java client takes no more than
	// its own nimbus.thrift.max_buffer_size. Default 64 MiB.
	MaxReplyBytes int
	// MaxBufferedBytes bounds the requests that all connections are reading at one time, counted as bytes arrive. A
	// connection that would exceed it is closed. Default 256 MiB.
	MaxBufferedBytes int64

	// MaxConns bounds open connections; one more is closed at once. Default 10000.
	MaxConns int
	// MaxConnsPerIP bounds those of one IPv4 address or one IPv6 /64. Default 1024.
	MaxConnsPerIP int

	// MaxInFlight bounds calls that are decoded or handled at one time (nimbus.thrift.threads). Further calls wait, at
	// most one a connection. Default 64.
	MaxInFlight int
	// Held names the methods that may wait long for something to happen: long polls, blocking RPC. They count against
	// MaxHeld, not MaxInFlight, and their context ends when the caller goes away or the server shuts down.
	Held []string
	// MaxHeld bounds held calls; one more fails with an internal error. Default 4096.
	MaxHeld int

	// Wide names a field, by its id, in the arguments of a method that some callers send as i32 and others as i64, as Storm's 2.8
	// and 3.0 do with times. Where the field is an i64 here both are read. Any i32 field of that id in the arguments counts as
	// it, so no struct in them may have another one.
	Wide map[string]int16

	// ReadTimeout bounds the time from a frame's first byte to its last, and the handshake. Default 30 s.
	ReadTimeout time.Duration
	// IdleTimeout is how long a connection may stay without a call. Default 10 min.
	IdleTimeout time.Duration
	// WriteTimeout bounds the writing of one reply. Default 60 s.
	WriteTimeout time.Duration

	// Route is asked about every call before its arguments are decoded; nil serves all of them here. It must not block.
	Route func(ctx context.Context, method string, relayed bool) Route
	// Relayed says who calls when peer passes on a call of principal, and whether it may do so. nil takes no such calls:
	// a connection that brings one is closed.
	Relayed func(peer Peer, principal string) (caller Peer, ok bool)

	// Handshake runs before the first frame; nil means anonymous callers.
	Handshake Handshake
	// Log takes what goes wrong, at a bounded rate. Default slog.Default().
	Log *slog.Logger
}

// withDefaults returns o with its zero fields filled in, or an error that names a field out of range.
func (o Options) withDefaults() (Options, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	for _, f := range []struct {
		name         string
		field        *int
		preset, most int
	}{
		{"MaxFrameBytes", &o.MaxFrameBytes, DefaultMaxFrameBytes, 1 << 30},
		{"MaxReplyBytes", &o.MaxReplyBytes, 64 << 20, 1 << 30},
		{"MaxConns", &o.MaxConns, 10000, 1 << 20},
		{"MaxConnsPerIP", &o.MaxConnsPerIP, 1024, 1 << 20},
		{"MaxInFlight", &o.MaxInFlight, 64, 1 << 16},
		{"MaxHeld", &o.MaxHeld, 4096, 1 << 20},
	} {
		if *f.field == 0 {
			*f.field = f.preset
		}
		if *f.field < 0 || *f.field > f.most {
			return o, fmt.Errorf("%s is %d, allowed are 1 to %d", f.name, *f.field, f.most)
		}
	}
	if o.MaxBufferedBytes == 0 {
		o.MaxBufferedBytes = max(256<<20, int64(o.MaxFrameBytes))
	}
	if o.MaxBufferedBytes < int64(o.MaxFrameBytes) {
		return o, fmt.Errorf("MaxBufferedBytes is %d, less than one request (%d)", o.MaxBufferedBytes, o.MaxFrameBytes)
	}
	for _, f := range []struct {
		name   string
		field  *time.Duration
		preset time.Duration
	}{
		{"ReadTimeout", &o.ReadTimeout, 30 * time.Second},
		{"IdleTimeout", &o.IdleTimeout, 10 * time.Minute},
		{"WriteTimeout", &o.WriteTimeout, time.Minute},
	} {
		if *f.field == 0 {
			*f.field = f.preset
		}
		if *f.field < 0 {
			return o, fmt.Errorf("%s is negative: %v", f.name, *f.field)
		}
	}
	return o, nil
}
