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

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	away     bool
	closed   bool
	heard    chan struct{} // closed by Hear; nil while there is nothing to undo
	deaf     bool
	deafenTo []byte        // a request with this text makes it deaf
	hold     []byte        // a request with this text is kept back
	held     chan struct{} // closed when it is there
	question []byte        // is answered by the proxy itself
	answer   []byte
	answered chan struct{} // closed when it was
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
	p.deaf = true
	if p.heard == nil {
		p.heard = make(chan struct{})
	}
}

// DeafenTo is Deafen from the next request on that has text in it.
func (p *Proxy) DeafenTo(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deafenTo = text
}

// Hold keeps back the next request that has text in it, and what its client sends after it, until Hear or until the client's
// connection is cut, which loses them. The channel is closed when the request is there.
func (p *Proxy) Hold(text []byte) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold, p.held = text, make(chan struct{})
	if p.heard == nil {
		p.heard = make(chan struct{})
	}
	return p.held
}

// Hear undoes Deafen, DeafenTo and Hold.
func (p *Proxy) Hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hearLocked()
}

func (p *Proxy) hearLocked() {
	p.deafenTo, p.hold, p.deaf = nil, nil, false
	if p.heard != nil {
		close(p.heard)
		p.heard = nil
	}
}

// Answer has the proxy itself answer the request that is question, and end its connection then.
func (p *Proxy) Answer(question, answer []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.question, p.answer, p.answered = question, answer, make(chan struct{})
}

// Answered is closed when the question of Answer has come and was answered.
func (p *Proxy) Answered() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered
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
	io.Copy(mouth{server, client, p}, client)
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
	server, client net.Conn
	proxy          *Proxy
}

// Write implements io.Writer.
func (m mouth) Write(b []byte) (int, error) {
	if answer := m.proxy.answers(b); answer != nil {
		m.client.Write(answer)
		return 0, net.ErrClosed
	}
	if heard := m.proxy.holds(b); heard != nil {
		<-heard
		m.proxy.mu.Lock()
		_, open := m.proxy.conns[m.client]
		m.proxy.mu.Unlock()
		if !open {
			return 0, net.ErrClosed
		}
	}
	return m.server.Write(b)
}

// holds looks at a request, and returns what to wait for before it is given on, or nil.
func (p *Proxy) holds(b []byte) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deafenTo != nil && bytes.Contains(b, p.deafenTo) {
		p.deafenTo = nil
		p.deafenLocked()
	}
	if p.hold == nil || !bytes.Contains(b, p.hold) {
		return nil
	}
	p.hold = nil
	close(p.held)
	return p.heard
}

// answers returns what the proxy itself says to a request, nil for most.
func (p *Proxy) answers(b []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.question == nil || !bytes.Equal(b, p.question) {
		return nil
	}
	p.question = nil
	close(p.answered)
	return p.answer
}
