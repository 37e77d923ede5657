package zk

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// packet is one of a client: its length, a number, a kind.
func packet(kind int32) []byte {
	p := binary.BigEndian.AppendUint32(nil, 8)
	p = binary.BigEndian.AppendUint32(p, 1)
	return binary.BigEndian.AppendUint32(p, uint32(kind))
}

// armedWire returns a wire of a session with watches, after its handshake, and the server's end.
func armedWire(t *testing.T) (*wire, net.Conn) {
	t.Helper()
	ours, server := net.Pipe()
	t.Cleanup(func() { server.Close() })
	s := &session{armed: true, changed: make(chan struct{})}
	w := &wire{Conn: ours, session: s, closed: make(chan struct{}), giveUp: time.NewTimer(time.Hour)}
	t.Cleanup(func() { w.Close() })
	hello := binary.BigEndian.AppendUint32(nil, 36)
	hello = append(hello, make([]byte, 36)...)
	binary.BigEndian.PutUint32(hello[8:], 6000)
	go server.Write(hello)
	if _, err := io.ReadFull(w, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, server)
	return w, server
}

// What answers a request that was queued before the reconnect is not seen before the watches are on their way.
func TestResponseWaitsForWatches(t *testing.T) {
	const exists = 3
	w, server := armedWire(t)
	if _, err := w.Write(packet(exists)); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := w.Read(make([]byte, 4))
		read <- err
	}()
	if _, err := server.Write([]byte{0, 0, 0, 16}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-read:
		t.Fatalf("read at once, %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	if _, err := w.Write(packet(opSetWatches)); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if !w.session.linked {
		t.Error("the session is not up")
	}
}

func TestCloseEndsTheWaitForWatches(t *testing.T) {
	w, server := armedWire(t)
	if _, err := w.Write(packet(3)); err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		_, err := w.Read(make([]byte, 4))
		read <- err
	}()
	if _, err := server.Write([]byte{0, 0, 0, 16}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := <-read; err == nil {
		t.Error("read without an error")
	}
}

// Credentials are answered before the library goes on to its watches.
func TestCredentialsAreAnsweredAtOnce(t *testing.T) {
	w, server := armedWire(t)
	for _, kind := range []int32{opAuth, opPing} {
		if _, err := w.Write(packet(kind)); err != nil {
			t.Fatal(err)
		}
		go server.Write([]byte{0, 0, 0, 16})
		if _, err := w.Read(make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
	}
}
