package connecttest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Wire is a process's way to a server, which can be cut for ever, as the end of the process would.
type Wire struct {
	mu    sync.Mutex
	conns []net.Conn
	gone  bool
}

var errGone = errors.New("the process is gone")

// Dial is for clients that take a function to connect with.
func (w *Wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		conn.Close()
		return nil, errGone
	}
	w.conns = append(w.conns, conn)
	return conn, nil
}

// Cut ends all connections; there will be no more.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	for _, c := range w.conns {
		c.Close()
	}
}
