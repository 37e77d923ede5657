package transcript

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// maxMessage is the longest message that is passed on.
const maxMessage = 16 << 20

// A Proxy passes calls of framed Thrift on to a server and keeps them.
type Proxy struct {
	server string
	change Change
	ln     net.Listener
	ended  sync.WaitGroup

	mu    sync.Mutex
	conns int // since the last Take
	open  map[net.Conn]bool
	calls []Call
	err   error
}

// A Change makes another answer of what the server said to a call.
type Change func(p *Proxy, method string, answer []byte) []byte

// Leader is the change that has clients of Storm's Nimbus stay with the proxy: they go on where the leader says it is.
func Leader(p *Proxy, method string, answer []byte) []byte {
	_, text, _ := net.SplitHostPort(p.server)
	port, err := strconv.Atoi(text)
	if err != nil || method != "getLeader" {
		return answer
	}
	is := func(port int) []byte { // NimbusSummary.port, field 2
		return field{2, value{kind: kindI32, number: uint64(port)}}.append(nil)
	}
	return bytes.Replace(answer, is(port), is(p.Port()), 1)
}

// NewProxy listens on a free port of loopback and passes on to server until Close. Answers go through change on their way,
// if there is one.
func NewProxy(server string, change Change) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{server: server, change: change, ln: ln, open: map[net.Conn]bool{}}
	p.ended.Go(p.accept)
	return p, nil
}

// Port is the one it listens on.
func (p *Proxy) Port() int { return p.ln.Addr().(*net.TCPAddr).Port }

// Take returns the calls since the last Take, or what went wrong in one of them.
func (p *Proxy) Take() ([]Call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls, err := p.calls, p.err
	p.conns, p.calls, p.err = 0, nil, nil
	return calls, err
}

// Close ends it with all connections.
func (p *Proxy) Close() {
	p.ln.Close()
	p.mu.Lock()
	for c := range p.open {
		c.Close()
	}
	p.mu.Unlock()
	p.ended.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			p.fail(err)
			continue
		}
		p.mu.Lock()
		p.conns++
		n := p.conns
		p.open[client], p.open[server] = true, true
		p.mu.Unlock()
		p.ended.Go(func() {
			p.converse(n, client, server)
			p.mu.Lock()
			delete(p.open, client)
			delete(p.open, server)
			p.mu.Unlock()
			client.Close()
			server.Close()
		})
	}
}

// converse passes on one call after the other until the client ends its connection.
func (p *Proxy) converse(n int, client, server net.Conn) {
	for {
		request, err := readFrame(client)
		if err != nil {
			return // ended, between two calls
		}
		at := time.Now()
		method, err := Method(request)
		if err == nil {
			err = writeFrame(server, request)
		}
		var answer []byte
		if err == nil {
			answer, err = readFrame(server)
		}
		took := time.Since(at)
		if err != nil {
			p.fail(fmt.Errorf("connection %d, call %s: %w", n, method, err))
			return
		}
		if p.change != nil {
			answer = p.change(p, method, answer)
		}
		p.mu.Lock()
		p.calls = append(p.calls, Call{Conn: n, Method: method, Request: request, Answer: answer, At: at, Took: took})
		p.mu.Unlock()
		if writeFrame(client, answer) != nil {
			return
		}
	}
}

func (p *Proxy) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > maxMessage {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeFrame(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}
