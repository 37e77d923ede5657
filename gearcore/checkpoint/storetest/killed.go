package storetest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
)

// KilledWriter tests what a server makes of a put whose process is killed behind so many bytes: nothing. open opens the same store each time, whose
// requests go by via.
func KilledWriter(t *testing.T, bytes int, open func(t *testing.T, via http.RoundTripper) checkpoint.Store) {
	p := &process{}
	p.transport = &http.Transport{DialContext: p.dial}
	s := open(t, p.transport)
	rest, written := io.Pipe()
	put := make(chan error, 1)
	go func() {
		put <- s.Put(t.Context(), "a/b", rest)
		rest.Close()
	}()
	if _, err := written.Write(make([]byte, bytes)); err != nil { // the server has taken most of it
		t.Fatal(err)
	}
	p.kill()
	go written.Write(make([]byte, bytes)) // it would go on
	if err := <-put; err == nil {
		t.Fatal("a put without a connection succeeds")
	}
	other := open(t, http.DefaultTransport)
	if _, err := other.Get(t.Context(), "a/b"); !errors.Is(err, checkpoint.ErrNotFound) {
		t.Errorf("half of it is there: %v", err)
	}
	if l, err := other.List(t.Context(), ""); err != nil || len(l) != 0 {
		t.Errorf("there is %v, %v", l, err)
	}
	if err := other.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil || get(t, other, "a/b") != "x" {
		t.Errorf("the next one cannot put it: %v", err)
	}
}

// process has connections, which end when it is killed.
type process struct {
	transport *http.Transport

	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

func (p *process) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || p.dead {
		if err == nil {
			c.Close()
		}
		return nil, errors.Join(err, net.ErrClosed)
	}
	p.conns = append(p.conns, c)
	return c, nil
}

// kill ends all connections as the kernel does with those of a process that is killed: what is behind them gets no more of what was to come.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	for _, c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
}
