package integration

import (
	"bytes"
	bits "encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Types of the binary Thrift protocol.
const (
	typeStruct = 12
	typeMap    = 13
	typeList   = 15
)

// call is a framed Thrift call of a method, with args as they are.
func call(method string, args []byte) []byte {
	var m []byte
	m = bits.BigEndian.AppendUint32(m, 0x80010001)
	m = bits.BigEndian.AppendUint32(m, uint32(len(method)))
	m = append(m, method...)
	m = bits.BigEndian.AppendUint32(m, 1)
	return frame(append(m, args...))
}

func frame(payload []byte) []byte {
	return append(bits.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

// noise is n bytes that are the same in every run.
func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// attacks are what somebody may send to a port. None of it is an answerable call.
func attacks() map[string][]byte {
	field1 := func(kind byte) []byte { return []byte{kind, 0, 1} }
	long := bits.BigEndian.AppendUint32(nil, 0x7fffffff)
	return map[string][]byte{
		"garbage":                 noise(64 << 10),
		"garbage in frames":       bytes.Repeat(frame(noise(1000)), 100),
		"a frame of 2 GiB":        append(long, noise(100)...),
		"a frame of 4 GiB":        bytes.Repeat([]byte{0xff}, 100),
		"a frame above the limit": append(bits.BigEndian.AppendUint32(nil, 1<<20+1), noise(100)...),
		"empty frames":            make([]byte, 4*10_000),
		"http":                    []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"tls":                     {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
		"deep structs":            call("killTopology", bytes.Repeat([]byte{typeStruct, 0, 9}, 300_000)),
		"deep lists":              call("killTopology", append(field1(typeList), bytes.Repeat([]byte{typeList, 0, 0, 0, 1}, 150_000)...)),
		"deep known structs":      call("submitTopology", append([]byte{typeStruct, 0, 4, typeMap, 0, 1}, bytes.Repeat([]byte{11, 12, 0, 0, 0, 1}, 100_000)...)),
		"a list of 2 G":           call("sendSupervisorWorkerHeartbeats", append([]byte{typeStruct, 0, 1, typeList, 0, 2, typeStruct}, long...)),
		"a map of 2 G":            call("submitTopology", append([]byte{typeStruct, 0, 4, typeMap, 0, 1, 11, 12}, long...)),
		"a text of 2 G":           call("killTopology", append(field1(11), long...)),
		"a method of 2 G":         frame(append([]byte{0x80, 1, 0, 1}, long...)),
		"an unknown method":       call("dropEverything", []byte{0}),
		"a call without its end":  call("killTopology", field1(11)),
	}
}

// The ports of Nimbus, the supervisor, the DRPC server and a worker get nonsense and idle callers from another address. The topology, its
// processes and the commands do not notice, and little memory is taken.
func TestNonsenseOnThePorts(t *testing.T) {
	c := startCluster(t)
	n := submitNumbers(t, c, 2)
	all := processes(t, c.dir)
	calls := drpcOf(t, c)
	ports := []int{c.nimbus, c.supervisor, calls.DRPC, calls.Invocations, calls.DRPCHTTP}
	for _, w := range c.workers(t) {
		ports = append(ports, w.port(t))
	}
	before := map[int]int64{}
	for pid := range all {
		before[pid] = rss(t, pid)
	}
	for _, port := range ports {
		for name, data := range attacks() {
			conn := attack(t, port)
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			conn.Write(data) // the other side may close before it has read everything
			conn.(*net.TCPConn).CloseWrite()
			if got, err := io.Copy(io.Discard, conn); timedOut(err) {
				t.Errorf("%s on port %d: neither an answer nor an end within 10 s (%d bytes)", name, port, got)
			}
			conn.Close()
		}
	}
	open := 0
	for _, port := range ports {
		open += occupy(t, port)
	}
	began := time.Now()
	if row := lineWith(c.must(t, "list"), "numbers"); !strings.Contains(row, "ACTIVE") {
		t.Errorf("the list says %q", row)
	}
	listed := time.Since(began).Round(time.Millisecond)
	t.Logf("with %d idle connections: list takes %v, numbers after %v", open, listed, n.flow(t, 20*time.Second))
	for pid, was := range before {
		if !all[pid].isWorker() && pid != c.dev.pid() {
			continue
		}
		grown := rss(t, pid) - was
		t.Logf("%v: %d MiB, grown by %d MiB", all[pid].args[1], was>>20, grown>>20)
		if grown > 200<<20 {
			t.Errorf("%v grew by %d MiB", all[pid], grown>>20)
		}
	}
	if now := processes(t, c.dir); !same(all, now) {
		t.Errorf("processes were replaced:\n%v\nare now\n%v", all, now)
	}
	n.finish(t, time.Minute)
}

// attack connects to a port from an address that nobody else uses, so that what is allowed to one address is used up
// there alone.
func attack(t *testing.T, port int) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}
	conn, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatalf("connect from 127.0.0.2: %v", err)
	}
	return conn
}

// occupy opens more connections than one address may have, every second with half a frame, and returns how many were
// not closed at once. They stay until the test ends.
func occupy(t *testing.T, port int) int {
	t.Helper()
	half := append(bits.BigEndian.AppendUint32(nil, 1<<20), noise(4096)...)
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	for i := range 1100 {
		c := attack(t, port)
		if i%2 == 0 {
			c.Write(half)
		}
		conns = append(conns, c)
	}
	return len(slices.DeleteFunc(slices.Clone(conns), func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		return !timedOut(err)
	}))
}

func timedOut(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// port returns the port that a worker was started with.
func (p process) port(t *testing.T) int {
	t.Helper()
	for i, a := range p.args[:len(p.args)-1] {
		if a == "--port" {
			n, err := strconv.Atoi(p.args[i+1])
			if err != nil {
				t.Fatalf("%v: %v", p, err)
			}
			return n
		}
	}
	t.Fatalf("no --port in %v", p)
	return 0
}
