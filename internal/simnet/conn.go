package simnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// pipeBytes is what one direction of a connection holds.
const pipeBytes = 256 << 10

// pipe is one direction of a connection.
type pipe struct {
	from, to *Process
	segments []segment
	bytes    int
	stalled  bool // nothing got through when somebody looked last
	read     *time.Timer
	write    *time.Timer
}

// segment is what one Write brought, or the end.
type segment struct {
	due  time.Time
	data []byte
	end  error // after data
}

func newPipe(from, to *Process) *pipe {
	p := &pipe{from: from, to: to, read: time.NewTimer(time.Hour), write: time.NewTimer(time.Hour)}
	p.read.Stop()
	p.write.Stop()
	return p
}

// lateLocked has nothing arrive before due.
func (p *pipe) lateLocked(due time.Time) {
	for i := range p.segments {
		if p.segments[i].due.Before(due) {
			p.segments[i].due = due
		}
	}
}

func (p *pipe) wakeLocked() {
	p.read.Reset(0)
	p.write.Reset(0)
}

// conn is one end of a connection.
type conn struct {
	n             *Net
	at            *Process
	peer          *conn
	local, remote netip.AddrPort
	in, out       *pipe
	closed        bool  // by this end
	broken        error // by the network
	readBy        time.Time
	writeBy       time.Time
}

// linkLocked makes both ends of a connection.
func (n *Net) linkLocked(from, to *Process, a, b netip.AddrPort) (*conn, *conn) {
	there, back := newPipe(from, to), newPipe(to, from)
	x := &conn{n: n, at: from, local: a, remote: b, in: back, out: there}
	y := &conn{n: n, at: to, local: b, remote: a, in: there, out: back}
	x.peer, y.peer = y, x
	n.conns = append(n.conns, x, y)
	return x, y
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	for {
		n, err := c.tryRead(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		<-c.in.read.C
	}
}

// tryRead reads what is there. When that is nothing the pipe's timer is set to when it is worth to look again.
func (c *conn) tryRead(b []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed || c.at.dead:
		return 0, c.error("read", net.ErrClosed)
	case c.broken != nil:
		return 0, c.error("read", c.broken)
	case !c.readBy.IsZero() && !now.Before(c.readBy):
		return 0, c.error("read", os.ErrDeadlineExceeded)
	}
	next := time.Hour
	if !c.n.stalledLocked(c.in) && len(c.in.segments) > 0 {
		s := &c.in.segments[0]
		if next = s.due.Sub(now); next <= 0 {
			return c.takeLocked(b, now)
		}
	}
	if !c.readBy.IsZero() {
		next = min(next, c.readBy.Sub(now))
	}
	c.in.read.Reset(next)
	return 0, nil
}

// takeLocked moves what is due into b.
func (c *conn) takeLocked(b []byte, now time.Time) (n int, err error) {
	p := c.in
	for len(p.segments) > 0 && n < len(b) && !p.segments[0].due.After(now) {
		s := &p.segments[0]
		if s.end != nil {
			if n == 0 {
				err = s.end
			}
			break
		}
		k := copy(b[n:], s.data)
		n += k
		if s.data = s.data[k:]; len(s.data) == 0 {
			p.segments = p.segments[1:]
		}
	}
	p.bytes -= n
	p.write.Reset(0)
	if err != nil && err != io.EOF {
		err = c.error("read", err)
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (n int, err error) {
	for {
		k, err := c.tryWrite(b[n:])
		if n += k; n == len(b) || err != nil {
			return n, err
		}
		<-c.out.write.C
	}
}

func (c *conn) tryWrite(b []byte) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed || c.at.dead:
		return 0, c.error("write", net.ErrClosed)
	case c.broken != nil:
		return 0, c.error("write", c.broken)
	case !c.writeBy.IsZero() && !now.Before(c.writeBy):
		return 0, c.error("write", os.ErrDeadlineExceeded)
	case c.peer.closed && !c.n.stalledLocked(c.in) && len(c.in.segments) > 0 && !c.in.segments[0].due.After(now):
		return 0, c.error("write", syscall.EPIPE)
	}
	k := min(len(b), pipeBytes-c.out.bytes)
	if k == 0 && len(b) > 0 {
		if !c.writeBy.IsZero() {
			c.out.write.Reset(c.writeBy.Sub(now))
		}
		return 0, nil
	}
	c.sendLocked(segment{data: append([]byte(nil), b[:k]...)}, now)
	return k, nil
}

func (c *conn) sendLocked(s segment, now time.Time) {
	p := c.out
	s.due = now.Add(c.n.delayLocked(p.from.host, p.to.host))
	if k := len(p.segments); k > 0 && p.segments[k-1].due.After(s.due) {
		s.due = p.segments[k-1].due
	}
	p.segments, p.bytes = append(p.segments, s), p.bytes+len(s.data)
	if len(p.segments) == 1 && !c.n.stalledLocked(p) {
		p.read.Reset(s.due.Sub(now))
	}
}

// Close implements net.Conn. What was written still arrives.
func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.closed {
		return c.error("close", net.ErrClosed)
	}
	c.closeLocked()
	return nil
}

func (c *conn) closeLocked() {
	if c.closed {
		return
	}
	c.closed = true
	c.sendLocked(segment{end: io.EOF}, time.Now())
	c.in.read.Reset(0)
	c.out.write.Reset(0)
	if c.peer.closed {
		c.forgetLocked()
	}
}

// breakLocked ends the connection for both ends.
func (c *conn) breakLocked() {
	for _, e := range []*conn{c, c.peer} {
		e.broken = syscall.ECONNRESET
		e.in.wakeLocked()
	}
	c.forgetLocked()
}

func (c *conn) forgetLocked() {
	c.n.conns = slices.DeleteFunc(c.n.conns, func(o *conn) bool { return o == c || o == c.peer })
}

func (c *conn) error(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return addrOf(c.local) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return addrOf(c.remote) }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.readBy, c.writeBy = t, t
	c.in.read.Reset(0)
	c.out.write.Reset(0)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.readBy = t
	c.in.read.Reset(0)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.writeBy = t
	c.out.write.Reset(0)
	return nil
}
