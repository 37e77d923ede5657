package chaos

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// Proxy is a link that can be made bad: it passes TCP connections from Addr on to a target. What flows is bad as the last
// Set says, from the next chunk on, in connections that are open too.
type Proxy struct {
	ln     net.Listener
	target string

	mu      sync.Mutex
	link    Link
	changed chan struct{} // closed by the next Set
	conns   map[*proxied]struct{}
	closed  bool
	wg      sync.WaitGroup
}

// Link says how bad a link is. The zero value is a good one.
type Link struct {
	// Up is from the side that dials to the target, Down back.
	Up, Down Way
	// Refuse closes new connections at once.
	Refuse bool
}

// Way is one direction of a link.
type Way struct {
	// Delay is added to every chunk, and up to Jitter more.
	Delay, Jitter time.Duration
	// BytesPerSecond bounds the throughput; 0 does not.
	BytesPerSecond int
	// Hole swallows what comes, and the end of the connection too: the other side sees a peer that says nothing.
	Hole bool
}

type proxied struct{ near, far net.Conn }

// NewProxy listens on host, on a free port. Close ends it.
func NewProxy(host, target string) (*Proxy, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	p := &Proxy{ln: ln, target: target, changed: make(chan struct{}), conns: map[*proxied]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Set makes the link as bad as that.
func (p *Proxy) Set(l Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = l
	close(p.changed)
	p.changed = make(chan struct{})
}

// Reset breaks all connections off with a TCP reset.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.reset()
	}
}

// Conns is the number of open connections.
func (p *Proxy) Conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// Close ends the proxy and all connections, and waits for its goroutines.
func (p *Proxy) Close() error {
	err := p.ln.Close()
	p.mu.Lock()
	p.closed = true
	close(p.changed)
	p.changed = make(chan struct{})
	for c := range p.conns {
		c.near.Close()
		c.far.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
	return err
}

func (p *Proxy) now() (l Link, changed <-chan struct{}, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link, p.changed, p.closed
}

func (p *Proxy) accept() {
	for {
		near, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(near) })
	}
}

// dialLimit is how long the target may take to answer.
const dialLimit = 5 * time.Second

func (p *Proxy) serve(near net.Conn) {
	defer near.Close()
	if l, _, _ := p.now(); l.Refuse {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	defer cancel()
	var d net.Dialer
	far, err := d.DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer far.Close()
	c := &proxied{near, far}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	var both sync.WaitGroup
	both.Go(func() { p.pass(far, near, func(l Link) Way { return l.Up }) })
	both.Go(func() { p.pass(near, far, func(l Link) Way { return l.Down }) })
	both.Wait()
}

// pass carries one direction until it ends. An end is passed on as one, a reset as a reset.
func (p *Proxy) pass(to, from net.Conn, way func(Link) Way) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		swallow, open := p.slow(n, way)
		if !open {
			return
		}
		if n > 0 && !swallow {
			if _, err := to.Write(buf[:n]); err != nil {
				from.Close()
				return
			}
		}
		if err == nil {
			continue
		}
		if swallow && !p.healed(way) {
			return
		}
		if errors.Is(err, io.EOF) {
			to.(*net.TCPConn).CloseWrite()
		} else {
			(&proxied{to, from}).reset()
		}
		return
	}
}

// slow waits as long as n bytes take. swallow says that they never arrive; open is false once the proxy is closed.
func (p *Proxy) slow(n int, way func(Link) Way) (swallow, open bool) {
	l, _, closed := p.now()
	w := way(l)
	d := w.Delay
	if w.Jitter > 0 {
		d += rand.N(w.Jitter)
	}
	if w.BytesPerSecond > 0 {
		d += time.Duration(n) * time.Second / time.Duration(w.BytesPerSecond)
	}
	for end := time.Now().Add(d); !closed && time.Now().Before(end); {
		_, changed, _ := p.now()
		select {
		case <-time.After(time.Until(end)):
		case <-changed: // perhaps to an end of the proxy
		}
		_, _, closed = p.now()
	}
	return w.Hole, !closed
}

// healed waits until the direction is no hole any more; false if the proxy is closed before.
func (p *Proxy) healed(way func(Link) Way) bool {
	for {
		l, changed, closed := p.now()
		if closed {
			return false
		}
		if !way(l).Hole {
			return true
		}
		<-changed
	}
}

// reset closes both ends so that the peers see a reset.
func (c *proxied) reset() {
	for _, conn := range []net.Conn{c.near, c.far} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
}
