package transport

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func TestRawConn(t *testing.T) {
	x, y := unixPair(t)
	c, err := newRawConn(x)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 8)
	if n, err := c.writeNow([]byte("out")); n != 3 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if n, err := y.Read(p); string(p[:n]) != "out" || err != nil {
		t.Fatalf("the peer read %q, %v", p[:n], err)
	}
	y.Write([]byte("in"))
	if n, err := c.Read(p); string(p[:n]) != "in" || err != nil {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	c.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := c.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	c.SetReadDeadline(time.Time{})
	sent := 0
	for { // nobody reads
		n, err := c.writeNow(make([]byte, 4096))
		if err != nil {
			t.Fatal(err)
		}
		if sent += n; n == 0 {
			break
		}
	}
	if n, err := io.CopyN(io.Discard, y, int64(sent)); n != int64(sent) || err != nil {
		t.Errorf("of %d bytes %d arrived, %v", sent, n, err)
	}
	if n := testing.AllocsPerRun(100, func() { c.writeNow(p[:1]); y.Read(p); y.Write(p[:1]); c.Read(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	y.Close()
	if _, err := c.Read(p); err != io.EOF {
		t.Errorf("after the peer's end: %v", err)
	}
	if _, err := c.writeNow(p); err == nil {
		t.Error("wrote to a peer that is gone")
	}
}
