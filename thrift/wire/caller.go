package wire

import (
	"context"
	"net"
	"net/netip"
)

// A Peer is who sent a call.
type Peer struct {
	// Remote is the address the connection comes from; invalid for a connection that is not TCP.
	Remote netip.AddrPort
	// Principal is who the handshake found the caller to be, empty when there was none.
	Principal string
}

type peerKey struct{}

// Caller returns who sent the call that ctx belongs to, the zero Peer outside of a call.
func Caller(ctx context.Context) Peer {
	p, _ := ctx.Value(peerKey{}).(Peer)
	return p
}

// WithCaller returns a context whose [Caller] is p: for calls that do not come over a connection.
func WithCaller(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, peerKey{}, p)
}

// remoteOf returns the peer address of conn, invalid when it has none of that kind.
func remoteOf(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
