package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore/codec"
)

func testIdentity() *identity {
	return &identity{topology: "topo-1-1", worker: "w", assignment: "1-1", epoch: 3, process: 5, layout: 6, session: 7}
}

func TestHandshake(t *testing.T) {
	d, a := net.Pipe()
	type side struct {
		id  identity
		err error
	}
	accepted := make(chan side, 1)
	go func() {
		tr, id, err := acceptHandshake(a, testSecret)
		if err == nil {
			self := *testIdentity()
			self.worker = "acceptor"
			err = tr.writeProof(a, labelAccept, appendWelcome(nil, &welcome{self: self, resumed: true, received: 42, win: window{2, 8, 100}, maxFrame: 1 << 20}))
		}
		accepted <- side{id, err}
	}()
	w, err := dialHandshake(d, testSecret, testIdentity())
	if err != nil || w.self.worker != "acceptor" || !w.resumed || w.received != 42 || w.win != (window{2, 8, 100}) || w.maxFrame != 1<<20 {
		t.Errorf("dialler: %+v, %v", w, err)
	}
	if s := <-accepted; s.err != nil || s.id != *testIdentity() {
		t.Errorf("acceptor: %+v", s)
	}
}

// recorder keeps what its side sends.
type recorder struct {
	io.ReadWriter
	sent bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) { r.sent.Write(p); return r.ReadWriter.Write(p) }

func TestHandshakeCannotBePlayedBack(t *testing.T) {
	d, a := net.Pipe()
	go acceptHandshake(a, testSecret)
	rec := &recorder{ReadWriter: d}
	d.SetDeadline(time.Now().Add(300 * time.Millisecond)) // the acceptor does not answer a welcome
	dialHandshake(rec, testSecret, testIdentity())
	played, acceptor := net.Pipe()
	go func() {
		played.Write(rec.sent.Bytes()[:helloBytes])
		io.ReadFull(played, make([]byte, helloBytes))
		played.Write(rec.sent.Bytes()[helloBytes:])
	}()
	if _, _, err := acceptHandshake(acceptor, testSecret); !errors.Is(err, ErrProof) {
		t.Errorf("a recorded handshake gives %v, want ErrProof", err)
	}
}

// TestDiallerIsNotFooledByItsOwnProof sends the dialler's proof back as the welcome.
func TestDiallerIsNotFooledByItsOwnProof(t *testing.T) {
	d, a := net.Pipe()
	go func() {
		hello := make([]byte, helloBytes)
		io.ReadFull(a, hello)
		a.Write(hello)
		proof := make([]byte, 2+maxProof)
		n, _ := a.Read(proof)
		a.Write(proof[:n])
	}()
	if _, err := dialHandshake(d, testSecret, testIdentity()); !errors.Is(err, ErrProof) {
		t.Errorf("the dialler takes its own proof for a welcome: %v", err)
	}
}

// script is a peer that says fixed things and reads everything.
type script struct{ in *bytes.Reader }

func (s script) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s script) Write(p []byte) (int, error) { return len(p), nil }

func FuzzHandshake(f *testing.F) {
	f.Add(greeting())
	f.Add(append(greeting(), 0xFF, 0xFF))
	f.Add(append(append(greeting(), 64, 0), make([]byte, 64)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, _, err := acceptHandshake(script{bytes.NewReader(in)}, testSecret); err == nil {
			t.Fatal("a peer without the secret is accepted")
		}
		if _, err := dialHandshake(script{bytes.NewReader(in)}, testSecret, testIdentity()); err == nil {
			t.Fatal("an acceptor without the secret is accepted")
		}
		r := codec.NewReader(in, ErrFrame)
		parseIdentity(&r)
		if w, err := parseWelcome(in); err == nil && !bytes.Equal(appendWelcome(nil, &w)[1:], in[1:]) && len(in) > 0 {
			again, err := parseWelcome(appendWelcome(nil, &w))
			if err != nil || again != w {
				t.Fatalf("%+v is written differently", w)
			}
		}
	})
}

func rss(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestStrangersCostNothing lets 200 peers without the secret send what they like: huge lengths, garbage, Java and Kryo
// bytes, nothing at all.
func TestStrangersCostNothing(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.MaxHandshakes = 256 })
	huge := append(greeting(), 0xFF, 0x03)
	inputs := [][]byte{
		{0xFF, 0xFF, 0xFF, 0x7F}, bytes.Repeat([]byte{0xAC, 0xED, 0, 5}, 64), bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 100),
		huge, append(huge, make([]byte, 2000)...), append(append(greeting(), 64, 0), make([]byte, 64)...), nil, greeting()[:10], greeting(),
	}
	runtime.GC()
	before := rss(t)
	var conns []net.Conn
	for i := range 200 {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		c.Write(inputs[i%len(inputs)])
	}
	a := start(t, "a", nil)
	a.to(b.Addr().String(), 4)
	pump(a.Outlet(4), 4, 0, 100)
	await(t, "a peer gets through", func() bool { return b.count() == 100 })
	if grown := rss(t) - before; grown > 16<<20 {
		t.Errorf("200 strangers took %d KiB", grown>>10)
	} else {
		t.Logf("200 strangers and a peer took %d KiB", grown>>10)
	}
	for _, c := range conns {
		c.Close()
	}
	await(t, "strangers are counted as refused", func() bool { return b.Stats().HandshakesRefused.Load() == 200 })
}

// TestHandshakeAllocatesLittle lets strangers claim the longest of everything.
func TestHandshakeAllocatesLittle(t *testing.T) {
	long := append(append(greeting(), 0xFF, 0xFF), make([]byte, 1<<20)...)
	most := append(append(greeting(), byte(maxProof&0xFF), byte(maxProof>>8)), bytes.Repeat([]byte{0xFF}, maxProof)...)
	for i, in := range [][]byte{long, most, bytes.Repeat([]byte{0xFF}, 1<<20)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := acceptHandshake(script{bytes.NewReader(in)}, testSecret)
		_, derr := dialHandshake(script{bytes.NewReader(in)}, testSecret, testIdentity())
		runtime.ReadMemStats(&after)
		if err == nil || derr == nil {
			t.Fatalf("input %d passes", i)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("input %d: %d bytes allocated", i, n)
		}
	}
}

func TestSilentStrangersMakeWay(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.MaxHandshakes, c.HandshakeTimeout = 4, time.Minute })
	var conns []net.Conn
	for range 10 {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	await(t, "the oldest are closed", func() bool { return b.Stats().HandshakesRefused.Load() == 6 })
	a := start(t, "a", nil)
	a.to(b.Addr().String(), 4)
	await(t, "a peer gets through", a.Ready)
	b.stop()
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a stranger's connection outlives the transport")
		}
	}
}

func TestStrangersThatStayAreClosed(t *testing.T) {
	b := start(t, "b", func(c *Config) { c.HandshakeTimeout = 30 * time.Millisecond })
	c, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("reading ends with %v, want the other side's close", err)
	}
}

// TestBadFramesEndTheConnection sends, after a right handshake, what no peer sends.
func TestBadFramesEndTheConnection(t *testing.T) {
	b := start(t, "b", nil)
	data := func(seq uint64, target int32) []byte {
		x := batch(testLayout(), 4, "x")
		x.Target = 0
		buf, _, _, _ := appendData(nil, seq, x, 0, 1<<20, nil)
		buf[frameHeader+10] = byte(target)
		seal(buf, 0)
		sum(buf)
		return buf
	}
	for i, in := range [][]byte{
		{0, 0, 0, 0x80, 0, 0, 0, 0},
		{1, 0, 0x40, 0, 0, 0, 0, 0}, // one byte over the bound of a frame
		append([]byte{1, 0, 0, 0, 9, 9, 9, 9}, 3),
		func() []byte { f := append(make([]byte, 8), 99, 0, 0); seal(f, 0); sum(f); return f }(),
		data(2, 4), // number 1 is missing
		data(1, 99),
	} {
		self := b.identity()
		self.worker, self.session = "a", uint64(100+i)
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dialHandshake(c, testSecret, &self); err != nil {
			t.Fatal(err)
		}
		c.Write(in)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("input %d: the connection stays open", i)
		}
		c.Close()
	}
	if b.count() != 0 {
		t.Errorf("%d tuples were delivered", b.count())
	}
	a := start(t, "a2", nil)
	a.to(b.Addr().String(), 4)
	pump(a.Outlet(4), 4, 0, 10)
	await(t, "peers are served as before", func() bool { return b.count() == 10 })
}
