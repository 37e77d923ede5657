package zk

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dialTimeout bounds TCP and TLS.
	dialTimeout = 2 * time.Second
	// handshakeTimeout bounds the answer to the first packet. The library would wait for seven session timeouts.
	handshakeTimeout = 3 * time.Second
	// maxHello bounds the first packet of a server; it has 37 bytes and more by a password of 16. Something that is
	// no ZooKeeper mostly begins with four bytes that are a very large number.
	maxHello = 256
	// maxResponseBytes bounds every later packet: lists of names can be long.
	maxResponseBytes = 64 << 20

	opPing       = 11  // request: nothing
	opAuth       = 100 // request: credentials
	opSetWatches = 101 // request: arm watches again
)

// hosts hands out the servers in random order, round and round. It resolves nothing: names are looked up with each dial, so a
// name that does not resolve costs only its own turn.
type hosts struct {
	servers []string
	next    int
	tried   int // in a row without a connection
}

func (h *hosts) Init(servers []string) error {
	h.servers = append([]string(nil), servers...)
	rand.Shuffle(len(h.servers), func(i, j int) { h.servers[i], h.servers[j] = h.servers[j], h.servers[i] })
	return nil
}

func (h *hosts) Len() int { return len(h.servers) }

// Next returns a server, and whether all were tried: the library then waits for a second.
func (h *hosts) Next() (string, bool) {
	server := h.servers[h.next%len(h.servers)]
	all := h.tried == len(h.servers)
	if all {
		h.tried = 0
	}
	h.tried++
	h.next++
	return server, all
}

func (h *hosts) Connected() { h.tried = 1 }

// dial connects for the library.
func (s *session) dial(network, address string, _ time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.life, dialTimeout)
	defer cancel()
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		host, _, _ := net.SplitHostPort(address)
		c := s.tls.Clone()
		c.ServerName = host
		secure := tls.Client(raw, c)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, fmt.Errorf("TLS with %s: %w", address, err)
		}
		raw = secure
	}
	w := &wire{Conn: raw, session: s, closed: make(chan struct{})}
	w.giveUp = time.AfterFunc(handshakeTimeout, func() { raw.Close() })
	return w, nil
}

// wire is a connection of the library's. It looks at the server's first packet, which the library believes blindly and whose
// timeout it does not tell, and at the kinds of requests.
type wire struct {
	net.Conn
	session *session
	giveUp  *time.Timer // ends a handshake that takes too long

	hello  []byte // what was read so far of the first packet
	greets bool   // it was read whole

	// A request that was queued when the connection before was lost goes out at once, beside the library's arming of the
	// watches. Its response would change the field from which that takes the time of the newest event that was
	// seen: a change of before could go unnoticed. So what comes after such a request waits until the watches are sent.
	armed  chan struct{} // closed when the watches are sent; nil if there are none to arm
	sent   bool          // they are; used by Write alone
	early  atomic.Bool   // a request went out before them
	closed chan struct{}
	close  sync.Once
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.giveUp.Stop()
	w.close.Do(func() { close(w.closed) })
	return w.Conn.Close()
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if w.early.Load() {
		select {
		case <-w.armed:
		case <-w.closed:
			return 0, net.ErrClosed
		}
	}
	if w.greets || n == 0 {
		return n, err
	}
	w.hello = append(w.hello, p[:n]...)
	if len(w.hello) < 4 {
		return n, err
	}
	size := binary.BigEndian.Uint32(w.hello)
	if size < 36 || size > maxHello {
		w.Close()
		return 0, fmt.Errorf("what listens at %s does not speak ZooKeeper's protocol (or wants TLS, or does not)", w.RemoteAddr())
	}
	if len(w.hello) >= 4+int(size) {
		// protocol version, timeout in milliseconds, session id
		timeout := time.Duration(binary.BigEndian.Uint32(w.hello[8:])) * time.Millisecond
		w.greets, w.hello = true, nil
		w.giveUp.Stop()
		if w.session.greeted(timeout) {
			w.armed = make(chan struct{})
		}
	}
	return n, err
}

// Write implements net.Conn. The library writes each packet whole: length, number, kind.
func (w *wire) Write(p []byte) (int, error) {
	if !w.greets || len(p) < 12 {
		return w.Conn.Write(p)
	}
	kind := int32(binary.BigEndian.Uint32(p[8:]))
	if kind != opAuth && kind != opSetWatches && kind != opPing && w.armed != nil && !w.sent {
		w.early.Store(true)
	}
	n, err := w.Conn.Write(p)
	switch kind {
	case opSetWatches:
		w.session.watchesSent()
		if w.armed != nil && !w.sent {
			w.sent = true
			close(w.armed)
		}
	case opAuth:
		if err != nil {
			// The library stands still for ever if writing credentials fails, but not if reading does.
			w.Close()
			return len(p), nil
		}
	}
	return n, err
}
