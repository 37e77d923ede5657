package chaos

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that sends back what it gets, and a proxy before it.
func echo(t *testing.T) *Proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	p, err := NewProxy("127.0.0.1", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(); ln.Close(); <-done })
	return p
}

func dialProxy(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// roundTrip sends text and reads it back within limit.
func roundTrip(t *testing.T, c net.Conn, text string, limit time.Duration) error {
	t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	b := make([]byte, len(text))
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	if string(b) != text {
		t.Errorf("%q came back as %q", text, b)
	}
	return nil
}

func TestProxyPassesOn(t *testing.T) {
	c := dialProxy(t, echo(t))
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() { c.Write(big); c.(*net.TCPConn).CloseWrite() }()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	got, err := io.ReadAll(c) // the end of one direction is passed on
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(big), err)
	}
}

func TestProxyDelays(t *testing.T) {
	p := echo(t)
	c := dialProxy(t, p)
	if err := roundTrip(t, c, "warm", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(Link{Up: Way{Delay: 50 * time.Millisecond, Jitter: 10 * time.Millisecond}, Down: Way{Delay: 30 * time.Millisecond}})
	began := time.Now()
	if err := roundTrip(t, c, "slow", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 80*time.Millisecond {
		t.Errorf("took %v, the delays are 80 ms", took)
	}
	p.Set(Link{Up: Way{BytesPerSecond: 10_000}})
	began = time.Now()
	if err := roundTrip(t, c, string(make([]byte, 1000)), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("1,000 bytes took %v at 10,000 a second", took)
	}
}

// A hole in one direction swallows what goes that way, and nothing else.
func TestProxyHole(t *testing.T) {
	p := echo(t)
	c := dialProxy(t, p)
	if err := roundTrip(t, c, "good", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(Link{Down: Way{Hole: true}})
	if err := roundTrip(t, c, "gone", 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("through a hole: %v, want silence", err)
	}
	p.Set(Link{})
	if err := roundTrip(t, c, "back", 20*time.Second); err != nil {
		t.Errorf("after the hole: %v", err)
	}
}

// A peer that ends while its direction is a hole is not missed before the hole is closed.
func TestProxyHoleHidesTheEnd(t *testing.T) {
	p := echo(t)
	c := dialProxy(t, p)
	if err := roundTrip(t, c, "good", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(Link{Down: Way{Hole: true}})
	c.(*net.TCPConn).CloseWrite() // the server ends its side
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("behind a hole: %v, want silence", err)
	}
	p.Set(Link{})
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("after the hole: %v, want the end", err)
	}
}

func TestProxyResetsAndRefuses(t *testing.T) {
	p := echo(t)
	c := dialProxy(t, p)
	if err := roundTrip(t, c, "good", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if p.Conns() != 1 {
		t.Errorf("%d connections, want 1", p.Conns())
	}
	p.Reset()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %v", err)
	}
	p.Set(Link{Refuse: true})
	c = dialProxy(t, p)
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a refused connection says %v", err)
	}
}
