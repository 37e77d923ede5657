package simnet

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const delay = 10 * time.Millisecond

var (
	hostA = netip.MustParseAddr("10.0.0.1")
	hostB = netip.MustParseAddr("10.0.0.2")
)

// pair is a connection between processes on two hosts: each direction takes 10 ms.
type pair struct {
	n    *Net
	a, b *Process
	ln   net.Listener
	x, y net.Conn
}

func inBubble(t *testing.T, f func(t *testing.T, p *pair)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := New(1, func(*rand.Rand) time.Duration { return delay })
		p := &pair{n: n, a: n.Process(hostA), b: n.Process(hostB)}
		var err error
		if p.ln, err = p.b.Listen("tcp", "10.0.0.2:80"); err != nil {
			t.Fatal(err)
		}
		p.x, p.y = p.dial(t)
		f(t, p)
		p.n.HealAll()
		p.a.Kill()
		p.b.Kill()
	})
}

func (p *pair) dial(t *testing.T) (x, y net.Conn) {
	t.Helper()
	var err error
	if x, err = p.a.Dial(t.Context(), "tcp", p.ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if y, err = p.ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return x, y
}

// took says how long f took in virtual time.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func within(t *testing.T, what string, d, least time.Duration) {
	t.Helper()
	if d < least || d > least+least/5+time.Millisecond {
		t.Errorf("%s took %v, want about %v", what, d, least)
	}
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
}

func expect(t *testing.T, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != text {
		t.Fatalf("read %q, %v; want %q", b, err, text)
	}
}

func TestDelayAndOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		within(t, "a message", took(func() {
			write(t, p.x, "one ")
			write(t, p.x, "two")
			expect(t, p.y, "one two")
		}), delay)
		write(t, p.y, "back")
		p.y.Close()
		expect(t, p.x, "back")
		if _, err := p.x.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the other end was closed: %v, want EOF", err)
		}
		if _, err := p.y.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write to a closed end: %v", err)
		}
		if _, err := p.x.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a gone end: %v", err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		p.x.SetReadDeadline(time.Now().Add(time.Second))
		within(t, "a read that nobody answers", took(func() {
			_, err := p.x.Read(make([]byte, 1))
			if ne := net.Error(nil); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%v, want a timeout", err)
			}
		}), time.Second)
		p.x.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Second)
			p.x.SetReadDeadline(time.Unix(1, 0))
		}()
		within(t, "a read that somebody interrupts", took(func() { p.x.Read(make([]byte, 1)) }), time.Second)
		p.x.SetReadDeadline(time.Time{})
		write(t, p.y, "x")
		expect(t, p.x, "x")
	})
}

func TestFullPipe(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		big := strings.Repeat("x", 2*pipeBytes)
		p.x.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := io.WriteString(p.x, big)
		if n != pipeBytes || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d bytes, %v; a pipe holds %d", n, err, pipeBytes)
		}
		p.x.SetWriteDeadline(time.Time{})
		go func() { io.WriteString(p.x, big[n:]) }()
		expect(t, p.y, big)
	})
}

func TestCut(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		p.n.Cut(hostA, hostB)
		write(t, p.x, "later")
		write(t, p.y, "through")
		expect(t, p.x, "through") // the other direction
		p.y.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := p.y.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read through a cut: %v", err)
		}
		p.y.SetReadDeadline(time.Time{})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		within(t, "a dial through a cut", took(func() {
			if _, err := p.a.Dial(ctx, "tcp", "10.0.0.2:80"); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("dial through a cut: %v", err)
			}
		}), 3*time.Second)
		go func() {
			time.Sleep(time.Second)
			p.n.Heal(hostA, hostB)
		}()
		within(t, "healing", took(func() { expect(t, p.y, "later") }), time.Second+delay)
	})
}

func TestDialWaitsForHealing(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		p.n.Cut(hostB, hostA)
		go func() {
			time.Sleep(time.Second)
			p.n.HealAll()
		}()
		within(t, "the dial", took(func() { p.dial(t) }), time.Second+2*delay)
	})
}

func TestReset(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		write(t, p.x, "lost")
		p.n.Reset(hostB, hostA)
		for _, c := range []net.Conn{p.x, p.y} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read: %v", err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v", err)
			}
		}
		p.dial(t)
	})
}

func TestFreeze(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		p.b.Freeze()
		write(t, p.x, "hello")
		x, err := p.a.Dial(t.Context(), "tcp", "10.0.0.2:80") // the kernel answers
		if err != nil {
			t.Fatal(err)
		}
		x.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := x.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a frozen process says: %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			p.b.Thaw()
		}()
		within(t, "thawing", took(func() { expect(t, p.y, "hello") }), time.Second+delay)
	})
}

func TestKill(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		write(t, p.y, "last words")
		p.b.Kill()
		expect(t, p.x, "last words")
		if _, err := p.x.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("connection to a dead process: %v", err)
		}
		if _, err := p.y.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read by a dead process: %v", err)
		}
		if _, err := p.ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept by a dead process: %v", err)
		}
		if _, err := p.b.Dial(t.Context(), "tcp", "10.0.0.1:80"); err == nil {
			t.Error("a dead process dials")
		}
		if _, err := p.b.Listen("tcp", "10.0.0.2:81"); err == nil {
			t.Error("a dead process listens")
		}
		within(t, "a refusal", took(func() {
			if _, err := p.a.Dial(t.Context(), "tcp", "10.0.0.2:80"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("dial to a dead process: %v", err)
			}
		}), 2*delay)
		if _, err := p.n.Process(hostB).Listen("tcp", "10.0.0.2:80"); err != nil {
			t.Errorf("the port is not free: %v", err)
		}
	})
}

func TestListen(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pair) {
		if _, err := p.b.Listen("tcp", "10.0.0.2:80"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("listen twice: %v", err)
		}
		if _, err := p.b.Listen("tcp", "10.0.0.1:80"); err == nil {
			t.Error("listen on another host's address: no error")
		}
		free, err := p.b.Listen("tcp", "10.0.0.2:0")
		if err != nil || free.Addr().(*net.TCPAddr).Port == 0 {
			t.Errorf("listen on a free port: %v", err)
		}
		x, err := p.a.Dial(t.Context(), "tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		p.ln.Close()
		if _, err := x.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("connection that nobody accepted: %v", err)
		}
	})
}
