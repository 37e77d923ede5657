package simnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// dialPatience is how long a dial that nobody answers takes at most.
const dialPatience = 2 * time.Minute

// dialling is somebody who waits for a way to a host.
type dialling struct{ look chan struct{} }

func (d *dialling) wakeLocked() {
	select {
	case d.look <- struct{}{}:
	default:
	}
}

// Dial connects to an address of the form IP:port. It has the signature of net.Dialer.DialContext.
func (p *Process) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	d := &dialling{look: make(chan struct{}, 1)}
	trip := p.n.begin(p, d, to)
	defer p.n.end(d)
	timer := time.NewTimer(trip)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-d.look:
			timer.Reset(trip)
			continue
		case <-ctx.Done():
			err := ctx.Err()
			if err == context.DeadlineExceeded {
				err = os.ErrDeadlineExceeded
			}
			return nil, &net.OpError{Op: "dial", Net: network, Addr: addrOf(to), Err: err}
		}
		c, err := p.connect(to)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Addr: addrOf(to), Err: err}
		}
		if c != nil {
			return c, nil
		}
	}
}

func (n *Net) begin(p *Process, d *dialling, to netip.AddrPort) (trip time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting[d] = struct{}{}
	return n.delayLocked(p.host, to.Addr()) + n.delayLocked(to.Addr(), p.host)
}

func (n *Net) end(d *dialling) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, d)
}

// connect makes the connection; nil, and no error, while there is no way.
func (p *Process) connect(to netip.AddrPort) (*conn, error) {
	n := p.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.dead {
		return nil, net.ErrClosed
	}
	if p.frozen || n.cuts[path{p.host, to.Addr()}] || n.cuts[path{to.Addr(), p.host}] {
		return nil, nil
	}
	l := n.listeners[to]
	if l == nil {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	mine, theirs := n.linkLocked(p, l.at, netip.AddrPortFrom(p.host, n.nextPortLocked()), to)
	l.queue = append(l.queue, theirs)
	l.wakeLocked()
	return mine, nil
}

// listener implements net.Listener.
type listener struct {
	at     *Process
	addr   netip.AddrPort
	queue  []*conn
	closed bool
	look   chan struct{}
}

// Listen listens on IP:port of the process's host; port 0 takes a free one. It has the signature of net.Listen.
func (p *Process) Listen(network, address string) (net.Listener, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	n := p.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr.Port() == 0 || n.listeners[addr] != nil && address != addr.String() {
		addr = netip.AddrPortFrom(addr.Addr(), n.nextPortLocked())
	}
	switch {
	case p.dead:
		err = net.ErrClosed
	case addr.Addr() != p.host:
		err = fmt.Errorf("%s is not an address of host %s", addr, p.host)
	case n.listeners[addr] != nil:
		err = os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addrOf(addr), Err: err}
	}
	l := &listener{at: p, addr: addr, look: make(chan struct{}, 1)}
	n.listeners[addr] = l
	return l, nil
}

func (l *listener) wakeLocked() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, closed := l.take()
		switch {
		case closed:
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
		case c != nil:
			return c, nil
		}
		<-l.look
	}
}

func (l *listener) take() (*conn, bool) {
	l.at.n.mu.Lock()
	defer l.at.n.mu.Unlock()
	if l.closed {
		l.wakeLocked() // whoever else waits
		return nil, true
	}
	if len(l.queue) == 0 {
		return nil, false
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	if len(l.queue) > 0 {
		l.wakeLocked()
	}
	return c, false
}

// Close implements net.Listener. Connections that nobody accepted end.
func (l *listener) Close() error {
	l.at.n.mu.Lock()
	defer l.at.n.mu.Unlock()
	if l.closed {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
	l.closeLocked()
	return nil
}

func (l *listener) closeLocked() {
	l.closed = true
	if l.at.n.listeners[l.addr] == l {
		delete(l.at.n.listeners, l.addr)
	}
	for _, c := range l.queue {
		c.closeLocked()
	}
	l.queue = nil
	l.wakeLocked()
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return addrOf(l.addr) }
