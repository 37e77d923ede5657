package zktest

import (
	"bytes"
	"io"
	"net"
	"sync"
)

// Proxy stands between clients and a server and can part them. Close it.
type Proxy struct {
	listener net.Listener
	target   string
	work     sync.WaitGroup

	mu        sync.Mutex
	conns     map[net.Conn]struct{}
	away      bool
	closed    bool
	deaf      bool
	heard     chan struct{} // closed when deaf ends
	deafenTo  []byte        // becomes deaf when a request with this text comes
	swallow   []byte        // from a request with this text on nothing reaches the server
	swallowed chan struct{} // closed when that has happened
}

// NewProxy starts a proxy for the server at target.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, conns: make(map[net.Conn]struct{})}
	p.work.Go(p.accept)
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections; new ones are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutLocked()
}

// Part ends all connections and refuses new ones until Join.
func (p *Proxy) Part() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	p.cutLocked()
}

// Join undoes Part.
func (p *Proxy) Join() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = false
}

// Deafen keeps the server's answers back: requests still reach it. A Cut then loses the answers. Hear undoes it.
func (p *Proxy) Deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deafenLocked()
}

func (p *Proxy) deafenLocked() {
	if !p.deaf {
		p.deaf, p.heard = true, make(chan struct{})
	}
}

// DeafenTo is Deafen from the next request on that has text in it.
func (p *Proxy) DeafenTo(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deafenTo = text
}

// Swallow loses the next request that has text in it, and what follows on the connections until Hear: none of it reaches
// the server.
func (p *Proxy) Swallow(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallow, p.swallowed = text, make(chan struct{})
}

// Swallowed is closed when a request was swallowed.
func (p *Proxy) Swallowed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallowed
}

// Hear undoes Deafen, DeafenTo and Swallow.
func (p *Proxy) Hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hearLocked()
	p.deafenTo, p.swallow = nil, nil
}

func (p *Proxy) hearLocked() {
	if p.deaf {
		p.deaf = false
		close(p.heard)
	}
}

// Close ends the proxy with all its connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.listener.Close()
	p.hearLocked()
	p.cutLocked()
	p.mu.Unlock()
	p.work.Wait()
}

func (p *Proxy) cutLocked() {
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(server) {
		return
	}
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		io.Copy(ears{client, p}, server)
		client.Close()
	}()
	io.Copy(mouth{server, p}, client)
	server.Close()
	<-answers
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

// keep remembers a connection for the next cut, unless there shall be none.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away || p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

// ears holds back what it is given while the proxy is deaf; a connection that was cut meanwhile never gets it.
type ears struct {
	client net.Conn
	proxy  *Proxy
}

// Write implements io.Writer.
func (e ears) Write(b []byte) (int, error) {
	e.proxy.mu.Lock()
	heard := e.proxy.heard
	deaf := e.proxy.deaf
	e.proxy.mu.Unlock()
	if deaf {
		<-heard
	}
	return e.client.Write(b)
}

// mouth gives requests on.
type mouth struct {
	server net.Conn
	proxy  *Proxy
}

// Write implements io.Writer.
func (m mouth) Write(b []byte) (int, error) {
	if m.proxy.swallows(b) {
		return len(b), nil
	}
	return m.server.Write(b)
}

// swallows looks at a request and tells whether it is lost.
func (p *Proxy) swallows(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deafenTo != nil && bytes.Contains(b, p.deafenTo) {
		p.deafenLocked()
	}
	if p.swallow == nil {
		return false
	}
	select {
	case <-p.swallowed:
		return true
	default:
	}
	if bytes.Contains(b, p.swallow) {
		close(p.swallowed)
		return true
	}
	return false
}
