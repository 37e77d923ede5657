//go:build linux

package transport

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gearstorm/gearstorm/gearcore"
)

// over returns what the links of a transport travel over.
func (e *end) over() (kinds []string) {
	e.Transport.mu.Lock()
	defer e.Transport.mu.Unlock()
	for _, l := range e.links {
		l.mu.Lock()
		if s, ok := l.conn.(stream); ok {
			kinds = append(kinds, s.kind)
		}
		l.mu.Unlock()
	}
	return kinds
}

// cut closes the connections of all links.
func (e *end) cut() {
	e.Transport.mu.Lock()
	defer e.Transport.mu.Unlock()
	for _, l := range e.links {
		l.mu.Lock()
		if l.conn != nil {
			l.conn.Close()
		}
		l.mu.Unlock()
	}
}

func TestWhatLinksTravelOver(t *testing.T) {
	noRing := func(c *Config) { c.NoRing = true }
	for _, c := range []struct {
		name           string
		dials, accepts func(*Config)
		want           string
	}{
		{"by itself", nil, nil, "ring"},
		{"dialler wants no ring", noRing, nil, "unix"},
		{"acceptor wants no ring", nil, noRing, "unix"},
		{"dialler is TCP only", overTCP, nil, "tcp"},
		{"acceptor is TCP only", nil, overTCP, "tcp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := start(t, "a", c.dials), start(t, "b", c.accepts)
			a.to(b.Addr().String(), 4)
			pump(a.Outlet(4), 4, 0, 300)
			await(t, "all arrive", func() bool { return b.count() == 300 })
			inOrder(t, b.of(4), 300)
			if got := a.over(); len(got) != 1 || got[0] != c.want {
				t.Errorf("the link is over %v, want %s", got, c.want)
			}
		})
	}
}

func TestCutLocalLinksLoseAndRepeatNothing(t *testing.T) {
	for _, k := range kinds[1:] {
		t.Run(k.name, func(t *testing.T) {
			a, b := start(t, "a", k.change), start(t, "b", k.change)
			a.to(b.Addr().String(), 4, 5)
			const n = 20000
			var wg sync.WaitGroup
			for _, task := range []gearcore.TaskID{4, 5} {
				wg.Go(func() { pump(a.Outlet(task), task, 0, n) })
			}
			for cut := 1; cut <= 20; cut++ {
				await(t, "traffic goes on", func() bool { return b.count() > cut*n/20 })
				if cut%2 == 0 {
					a.cut()
				} else {
					b.Transport.mu.Lock()
					for _, s := range b.sessions {
						s.cut(func(*identity) bool { return true })
					}
					b.Transport.mu.Unlock()
				}
			}
			wg.Wait()
			await(t, "all tuples arrive", func() bool { return b.count() >= 2*n })
			inOrder(t, b.of(4), n)
			inOrder(t, b.of(5), n)
			if a.lost.Load() != 0 || a.Stats().Disconnects.Load() == 0 {
				t.Errorf("%d lost, %d disconnects", a.lost.Load(), a.Stats().Disconnects.Load())
			}
		})
	}
}

// TestResendAfterTheRing cuts a ring and makes the next connection TCP: what was written without checksums is sent
// again with them.
func TestResendAfterTheRing(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	a.to(b.Addr().String(), 4)
	const n = 5000
	pumped := make(chan struct{})
	go func() { pump(a.Outlet(4), 4, 0, n); close(pumped) }()
	await(t, "traffic goes on", func() bool { return b.count() > n/4 })
	b.local.Close()
	a.cut()
	<-pumped
	await(t, "all tuples arrive", func() bool { return b.count() >= n })
	inOrder(t, b.of(4), n)
	if got := a.over(); len(got) != 1 || got[0] != "tcp" {
		t.Errorf("the link is over %v, want tcp", got)
	}
}

func TestNewAssignmentCutsLocalLinks(t *testing.T) {
	a, b := start(t, "a", nil), start(t, "b", nil)
	a.to(b.Addr().String(), 4)
	await(t, "link is up", a.Ready)
	b.SetAssignment(Assignment{ID: "2-1", Epoch: 2})
	await(t, "the ring of the older epoch is cut", func() bool { return !a.Ready() })
	a.Outlet(4).Push(batch(testLayout(), 4, "0"))
	a.SetAssignment(Assignment{ID: "2-1", Epoch: 2})
	await(t, "the session goes on", func() bool { return b.count() == 1 })
}

// localPeer shakes hands with b over its local address like a worker, and returns the connection before it is agreed
// what travels over it.
func localPeer(t *testing.T, b *end, session uint64) *net.UnixConn {
	t.Helper()
	c, err := net.Dial("unix", b.local.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	self := b.identity()
	self.worker, self.session = "a", session
	if _, err := dialHandshake(c, testSecret, &self); err != nil {
		t.Fatal(err)
	}
	return c.(*net.UnixConn)
}

func memfd(t *testing.T, size int64, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Ftruncate(fd, size); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestBadRingsAreNotMapped offers memory that could shrink, has a wrong size, is none, or comes in a wrong number: the
// acceptor falls back to the socket, over which frames then go.
func TestBadRingsAreNotMapped(t *testing.T) {
	b := start(t, "b", nil)
	good := int64(ringHead + ringBytes)
	file, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(event)
	before, frames := openFiles(t), 0
	for i, c := range []struct {
		name string
		fds  []int
	}{
		{"can shrink", []int{memfd(t, good, unix.F_SEAL_GROW|unix.F_SEAL_SEAL), event}},
		{"can be unsealed", []int{memfd(t, good, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK), event}},
		{"too small", []int{memfd(t, 100, ringSeals), event}},
		{"too large", []int{memfd(t, 1<<40, ringSeals), event}},
		{"no power of two", []int{memfd(t, good+4096, ringSeals), event}},
		{"cannot be written", []int{memfd(t, good, ringSeals|unix.F_SEAL_WRITE), event}},
		{"a file", []int{int(file.Fd()), event}},
		{"no event", []int{memfd(t, good, ringSeals)}},
		{"many descriptors", []int{memfd(t, good, ringSeals), event, event, event, event, event}},
		{"nothing", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := localPeer(t, b, uint64(100+i))
			if _, _, err := conn.WriteMsgUnix([]byte{localRing}, unix.UnixRights(c.fds...), nil); err != nil {
				t.Fatal(err)
			}
			var answer [1]byte
			if _, err := conn.Read(answer[:]); err != nil || answer[0] != localSocket && c.name != "many descriptors" {
				t.Fatalf("answer %q, %v", answer, err)
			}
			if answer[0] == localSocket {
				buf, _, _, _ := appendData(nil, 1, batch(testLayout(), 4, strconv.Itoa(i)), 0, 1<<20, nil)
				frames++
				conn.Write(buf)
				await(t, "a frame goes over the socket", func() bool { return b.count() == frames })
			}
			conn.Close()
		})
	}
	b.stop()
	if after := openFiles(t); after > before+8 { // those of this test that are closed at its end
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	es, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(es)
}

// TestStrangersAtTheLocalAddress lets peers without the secret send garbage, and descriptors with it: they are refused,
// nothing of theirs stays open, and peers get through.
func TestStrangersAtTheLocalAddress(t *testing.T) {
	b := start(t, "b", nil)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(event)
	before := openFiles(t)
	for _, in := range [][]byte{{localRing}, greeting(), append(greeting(), 0xFF, 0xFF), append(append(greeting(), 64, 0), make([]byte, 64)...)} {
		c, err := net.Dial("unix", b.local.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		refused := b.Stats().HandshakesRefused.Load()
		if _, _, err := c.(*net.UnixConn).WriteMsgUnix(in, unix.UnixRights(event, event), nil); err != nil {
			t.Fatal(err)
		}
		c.(*net.UnixConn).CloseWrite()
		await(t, "a stranger is refused", func() bool { return b.Stats().HandshakesRefused.Load() == refused+1 })
		c.Close()
	}
	await(t, "nothing stays open", func() bool { return openFiles(t) <= before })
	a := start(t, "a", nil)
	a.to(b.Addr().String(), 4)
	pump(a.Outlet(4), 4, 0, 10)
	await(t, "a peer gets through", func() bool { return b.count() == 10 })
}

// TestOtherUsersAreRefused dials the local address as another user who holds the secret.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	b := start(t, "b", nil)
	name := b.local.Addr().String()
	dialled := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread, which alone is another user, ends with the goroutine
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			dialled <- errno
			return
		}
		c, err := net.Dial("unix", name)
		if err != nil {
			dialled <- err
			return
		}
		defer c.Close()
		self := b.identity()
		self.worker, self.session = "a", 300
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = dialHandshake(c, testSecret, &self); err == nil {
			err = errors.New("the handshake went through")
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // closed without an answer
		}
		dialled <- err
	}()
	if err := <-dialled; err != nil {
		t.Fatal(err)
	}
	await(t, "the refusal is counted", func() bool { return b.Stats().HandshakesRefused.Load() == 1 })
	if b.Stats().Sessions.Load() != 0 {
		t.Error("another user has a session")
	}
}

// TestHostileRing is a peer that holds the secret and then writes nonsense into the shared indices: its connection
// ends and nothing else does.
func TestHostileRing(t *testing.T) {
	b := start(t, "b", nil)
	for i, tail := range []uint64{ringBytes + 1, 1 << 63, ^uint64(0)} {
		conn := localPeer(t, b, uint64(200+i))
		st, err := offer(conn, true)
		if err != nil || st.kind != "ring" {
			t.Fatalf("%s, %v", st.kind, err)
		}
		w := st.Conn.(*ringWriter)
		w.p.tail.Store(tail)
		conn.Write(doorbell)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for buf := make([]byte, 256); ; {
			if _, err := conn.Read(buf); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("tail %d: the connection stays open", tail)
				}
				break
			}
		}
		w.Close()
	}
	a := start(t, "a", nil)
	a.to(b.Addr().String(), 4)
	pump(a.Outlet(4), 4, 0, 100)
	await(t, "others are served", func() bool { return b.count() == 100 })
}

// TestRingWriterNoticesItsPeersEnd fills a ring that nobody reads.
func TestRingWriterNoticesItsPeersEnd(t *testing.T) {
	b := start(t, "b", nil)
	b.hold[4] = true
	for _, c := range []struct {
		name string
		end  func(*ringWriter)
		want error
	}{
		{"deadline", func(w *ringWriter) { w.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) }, os.ErrDeadlineExceeded},
		{"closed", func(w *ringWriter) {
			go func() {
				for w.p.tail.Load() < ringBytes {
					time.Sleep(time.Millisecond)
				}
				w.Close()
			}()
		}, os.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, y := unixPair(t)
			agreed := make(chan stream, 1)
			go func() {
				s, _ := agree(y, true)
				agreed <- s
			}()
			s, err := offer(x, true)
			if err != nil || s.kind != "ring" {
				t.Fatalf("%s, %v", s.kind, err)
			}
			r := <-agreed
			defer r.Close()
			defer s.Close()
			c.end(s.Conn.(*ringWriter))
			n, err := s.Write(make([]byte, 2*ringBytes))
			if n != ringBytes || !errors.Is(err, c.want) {
				t.Errorf("%d bytes written, %v; want %d, %v", n, err, ringBytes, c.want)
			}
			if _, err := s.Write([]byte(strings.Repeat("x", 10))); err == nil {
				t.Error("a full ring takes more")
			}
		})
	}
}

// unixPair is a pair of connected Unix sockets.
func unixPair(t *testing.T) (x, y *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var cs [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		cs[i] = c.(*net.UnixConn)
	}
	return cs[0], cs[1]
}
