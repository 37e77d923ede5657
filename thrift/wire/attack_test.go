package wire

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// heapBound is how much a server's heap may have grown after an attack.
const heapBound = 4 << 20

// allocBound is how much the server may allocate for one attack of at most one frame, freed or not.
const allocBound = 32 << 20

func heap() (live, allocated uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.TotalAlloc
}

// drain reads until the server closes; it returns what came, and false when the server did not close.
func drain(conn net.Conn) ([]byte, bool) {
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(conn)
	var ne net.Error
	return got, !errors.As(err, &ne) || !ne.Timeout()
}

func nested(depth int) message {
	m := strict("getLeader", 1, 1)
	for range depth {
		m = m.field(tStruct, 9)
	}
	return append(m, make([]byte, depth+1)...)
}

func TestAttacks(t *testing.T) {
	garbage := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(garbage)
	list := func(elem byte, n int32) message {
		return strict("submitTopology", 1, 1).field(tStruct, 4).field(tList, 4).bytes(elem).i32(n)
	}
	// Elements that cost one byte here and a struct there: more than a message may have in all, each list within bounds.
	args := message{}
	for range 20 {
		args = args.field(tList, 2).bytes(tStruct).i32(maxRequestContainer).bytes(make([]byte, maxRequestContainer)...)
	}
	expanding := message{}.field(tStruct, 4).field(tMap, 1).bytes(tString, tStruct).i32(1).str("s").
		field(tStruct, 1).field(tStruct, 3).bytes(args...)
	tests := []struct {
		name  string
		send  []byte
		reply string // in the reply; empty when the server closes without one
	}{
		{"garbage", garbage, ""},
		{"http", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ""},
		{"tls hello", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), ""},
		{"frame of 2 GiB", message{}.i32(1<<31 - 1).bytes(garbage...), ""},
		{"one byte over the limit", message{}.i32(DefaultMaxFrameBytes + 1), ""},
		{"negative length", message{}.i32(-1).bytes(garbage...), ""},
		{"3 million empty frames", make([]byte, 12_000_000), ""},
		{"frame of one byte", message{1}.frame(), ""},
		{"other protocol version", message{0x80, 0x02, 0, 1}.str("getLeader").i32(1).stop().frame(), ""},
		{"method name longer than the frame", message{}.i32(1 << 30).bytes('x').frame(), ""},
		{"method name of 64 KiB", strict(strings.Repeat("m", 1<<16), 1, 1).stop().frame(), ""},
		{"a reply", strict("getLeader", 2, 1).stop().frame(), ""},
		{"no arguments at all", strict("getLeader", 1, 1).frame(), "EOF"},
		{"list of 2^31 - 1 numbers", list(tI64, 1<<31-1).frame(), "limit of 65536"},
		{"list of negative length", list(tString, -1).frame(), "negative size"},
		{"list longer than the frame", list(tString, 60000).frame(), "remaining"},
		{"too many elements in all", strict("submitTopology", 1, 1).bytes(expanding[:DefaultMaxFrameBytes-30]...).frame(), "too many elements"},
		{"string longer than the frame", strict("killTopology", 1, 1).field(tString, 1).i32(1 << 19).frame(), "EOF"},
		{"200000 nested structs", nested(200_000).frame(), "epth"},
		{"65 nested structs", nested(65).frame(), "epth"},
		{"half a frame", strict("getLeader", 1, 1).frame()[:10], ""},
		{"a length and nothing", message{}.i32(1 << 20), ""},
	}
	addr, srv, _ := start(t, Options{ReadTimeout: 150 * time.Millisecond, IdleTimeout: 5 * time.Second}, &nimbus{}, nil)
	before, _ := heap()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_, allocated := heap()
			conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			conn.Write(tt.send) // fails when the server has closed already
			if tt.reply != "" {
				conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				reply, err := readFrame(conn, 1<<20, nil)
				if err != nil || !bytes.Contains(reply, []byte(tt.reply)) || reply[3] != 3 {
					t.Fatalf("reply %q, %v; want an exception with %q", reply, err, tt.reply)
				}
			} else if got, closed := drain(conn); !closed || len(got) > 0 {
				t.Fatalf("got %q, closed %v", got, closed)
			}
			if _, now := heap(); now-allocated > allocBound {
				t.Errorf("allocated %d bytes", now-allocated)
			}
			if reply := exchange(t, addr, strict("getLeader", 1, 1).stop().frame()); !bytes.Contains(reply, []byte("nimbus.example")) {
				t.Errorf("afterwards the server answers %q", reply)
			}
		})
	}
	eventually(t, "all buffers are given back", func() bool { return srv.buffered.Used() == 0 })
	if after, _ := heap(); after > before+heapBound {
		t.Errorf("heap grew from %d to %d", before, after)
	}
}

func TestDepth64IsServed(t *testing.T) {
	addr, _, _ := start(t, Options{}, &nimbus{}, nil)
	if reply := exchange(t, addr, nested(63).frame()); reply[3] != 2 {
		t.Errorf("63 nested structs: %q", reply)
	}
}

func TestRequestOfExactlyTheLimit(t *testing.T) {
	got := 0
	addr, _, log := start(t, Options{}, &nimbus{chunk: func(_ string, chunk []byte) error { got = len(chunk); return nil }}, nil)
	head := strict("uploadChunk", 1, 1).field(tString, 1).str("l").field(tString, 2)
	n := DefaultMaxFrameBytes - len(head) - 4 - 1
	full := head.str(strings.Repeat("x", n)).stop()
	if len(full) != DefaultMaxFrameBytes {
		t.Fatalf("message of %d bytes", len(full))
	}
	if reply := exchange(t, addr, full.frame()); reply[3] != 2 || got != n {
		t.Errorf("reply %q, handler got %d bytes, want %d", reply, got, n)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(message{}.i32(DefaultMaxFrameBytes + 1))
	if got, closed := drain(conn); !closed || len(got) > 0 {
		t.Errorf("one more: got %q, closed %v", got, closed)
	}
	eventually(t, "the long frame is logged", func() bool { return strings.Contains(log.String(), "1048577 bytes, limit 1048576") })
}

func TestSlowLoris(t *testing.T) {
	const timeout = 100 * time.Millisecond
	addr, _, log := start(t, Options{ReadTimeout: timeout}, &nimbus{}, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	for _, b := range append(message{}.i32(1000), make([]byte, 1000)...) {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond) // the attack itself
	}
	if took := time.Since(began); took < timeout || took > 50*timeout {
		t.Errorf("closed after %v, want about %v", took, timeout)
	}
	eventually(t, "the slow caller is logged", func() bool { return strings.Contains(log.String(), "i/o timeout") })
}

func TestIdleConnectionIsClosedQuietly(t *testing.T) {
	addr, _, log := start(t, Options{IdleTimeout: 50 * time.Millisecond}, &nimbus{}, nil)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, closed := drain(conn); !closed || len(got) > 0 {
		t.Errorf("got %q, closed %v", got, closed)
	}
	if log.String() != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestConnectionCaps(t *testing.T) {
	for name, opts := range map[string]Options{"in all": {MaxConns: 3}, "of one address": {MaxConnsPerIP: 3}} {
		t.Run(name, func(t *testing.T) {
			addr, srv, log := start(t, opts, &nimbus{}, nil)
			var open []*Client
			for range 3 {
				c := dial(t, addr, DialOptions{})
				if _, err := stormrpc.NewNimbusClient(c).GetLeader(t.Context()); err != nil {
					t.Fatal(err)
				}
				open = append(open, c)
			}
			for range 50 {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				if _, closed := drain(conn); !closed {
					t.Error("one connection too many is open")
				}
				conn.Close()
			}
			if !strings.Contains(log.String(), "too many connections") {
				t.Errorf("log: %s", log)
			}
			if _, err := stormrpc.NewNimbusClient(open[0]).GetLeader(t.Context()); err != nil {
				t.Errorf("an open connection: %v", err)
			}
			open[1].Close()
			eventually(t, "the place is free again", func() bool {
				srv.gate.mu.Lock()
				defer srv.gate.mu.Unlock()
				return srv.gate.open == 2
			})
			if _, err := stormrpc.NewNimbusClient(dial(t, addr, DialOptions{})).GetLeader(t.Context()); err != nil {
				t.Errorf("a connection in the free place: %v", err)
			}
		})
	}
}

func TestBufferBudget(t *testing.T) {
	addr, srv, log := start(t, Options{MaxFrameBytes: 100_000, MaxBufferedBytes: 250_000}, &nimbus{}, nil)
	half := append(message{}.i32(100_000), make([]byte, 70_000)...)
	for range 4 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(half); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a connection is closed", func() bool { return strings.Contains(log.String(), errNoBuffer.Error()) })
	if used := srv.buffered.Used(); used > 250_000 {
		t.Errorf("%d bytes buffered", used)
	}
}

// The request is let go before the handler runs, so held calls do not keep theirs.
func TestHeldCallsHoldNoBuffer(t *testing.T) {
	started := make(chan struct{})
	addr, srv, _ := start(t, Options{Held: []string{"syncNode"}}, &nimbus{},
		&plans{node: func(ctx context.Context, _ int64) (*stormrpc.NodePlan, error) {
			close(started)
			<-ctx.Done()
			return nil, ctx.Err()
		}})
	c := dial(t, addr, DialOptions{})
	go stormrpc.NewGearstormClient(c).SyncNode(t.Context(), report(), 0, 60000)
	<-started
	if used := srv.buffered.Used(); used != 0 {
		t.Errorf("%d bytes buffered", used)
	}
}
