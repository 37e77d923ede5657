package transport

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Workers on one host talk over a Unix socket in the abstract namespace, which leaves no file behind and ends at the
// border of a container as loopback does. Its name is random and told in the authenticated answer to a TCP handshake,
// so that who can connect to it is on this host and nobody can be there first. Both ends check that the other belongs
// to the same user; then the same handshake follows as over TCP.
//
// After it the dialler says in one byte how data will travel, and the acceptor agrees or falls back in one:
const (
	localRing   byte = 'R' // over a ring; with the memory and an event descriptor for free space
	localSocket byte = 'S' // over the socket
)

// ringSeals keep the ring's memory from shrinking under the other process's feet.
const ringSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

func listenLocal() (net.Listener, error) {
	var b [16]byte
	rand.Read(b[:])
	return net.Listen("unix", "@gearstorm-"+hex.EncodeToString(b[:]))
}

// sameUser fails if the other end of c belongs to another user.
func sameUser(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); cerr != nil {
		return cerr
	}
	if err != nil {
		return fmt.Errorf("ask who the peer is: %w", err)
	}
	if int(cred.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: uid %d", errOtherUser, cred.Uid)
	}
	return nil
}

// offer is the dialler's last step on a fresh local connection: it makes a ring if it may and returns what the
// acceptor agreed to.
func offer(c *net.UnixConn, shm bool) (stream, error) {
	var w *ringWriter
	if shm {
		w, _ = newRingWriter(c) // without memory for it, the socket will do
	}
	said, fds := []byte{localSocket}, []byte(nil)
	if w != nil {
		said, fds = []byte{localRing}, unix.UnixRights(w.memfd, w.event)
	}
	_, _, err := c.WriteMsgUnix(said, fds, nil)
	if w != nil {
		unix.Close(w.memfd)
	}
	var answer [1]byte
	if err == nil {
		_, err = io.ReadFull(c, answer[:])
	}
	switch {
	case err != nil:
		err = fmt.Errorf("agree on a local link: %w", err)
	case answer[0] == localRing && w != nil:
		return stream{Conn: w, kind: "ring"}, nil
	case answer[0] != localSocket:
		err = badFrame("answer %d to a local link", answer[0])
	}
	if w != nil {
		w.unmap()
	}
	return stream{Conn: c, kind: "unix"}, err
}

// agree is the acceptor's half of offer.
func agree(c *net.UnixConn, shm bool) (stream, error) {
	var said [1]byte
	fds, err := readRights(c, said[:])
	if err != nil {
		return stream{}, fmt.Errorf("agree on a local link: %w", err)
	}
	answer, s := localSocket, stream{Conn: c, kind: "unix"}
	if shm && said[0] == localRing && len(fds) == 2 {
		if r, err := newRingReader(c, fds[0], fds[1]); err == nil {
			answer, s = localRing, stream{Conn: r, kind: "ring"}
			fds = fds[:1] // the memory is mapped, the event descriptor is r's
		}
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	if said[0] != localRing && said[0] != localSocket {
		return stream{}, badFrame("local link of kind %d", said[0])
	}
	if _, err := c.Write([]byte{answer}); err != nil {
		s.Close()
		return stream{}, fmt.Errorf("agree on a local link: %w", err)
	}
	return s, nil
}

// readRights reads len(p) = 1 byte and the descriptors that came with it.
func readRights(c *net.UnixConn, p []byte) (fds []int, err error) {
	oob := make([]byte, unix.CmsgSpace(2*4))
	n, on, _, _, err := c.ReadMsgUnix(p, oob)
	if err != nil {
		return nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:on])
	for i := range msgs {
		got, perr := unix.ParseUnixRights(&msgs[i])
		if perr != nil {
			err = perr
		}
		fds = append(fds, got...)
	}
	if n == 0 && err == nil {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, err
	}
	return fds, nil
}

// ringWriter is the dialler's end of a local link: what is written goes through the ring, grants are read from the
// socket. mu guards the memory against being unmapped while it is copied to; Write has one caller at a time.
type ringWriter struct {
	*rawConn
	memfd    int      // until it was sent
	event    int      // what space reads from
	space    *os.File // an event of the reader: there is space again
	deadline time.Time

	mu  sync.Mutex
	mem []byte // nil once closed
	p   producer
}

func newRingWriter(c *net.UnixConn) (w *ringWriter, err error) {
	raw, err := newRawConn(c)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("gearstorm-ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	// Allocated now, a page that is missing for lack of memory is an error here and not a signal later.
	if err = unix.Fallocate(fd, 0, 0, ringHead+ringBytes); err != nil {
		return nil, err
	}
	if _, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, ringSeals); err != nil {
		return nil, err
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, ringHead+ringBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(event)
		return nil, err
	}
	return &ringWriter{rawConn: raw, memfd: fd, event: event, space: os.NewFile(uintptr(event), "ring space"), mem: mem, p: producer{ringMem: newRingMem(mem)}}, nil
}

func (w *ringWriter) unmap() {
	w.space.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mem != nil {
		unix.Munmap(w.mem)
		w.mem = nil
	}
}

func (w *ringWriter) Close() error {
	err := w.UnixConn.Close()
	w.unmap()
	return err
}

// SetWriteDeadline is called by who calls Write.
func (w *ringWriter) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return w.UnixConn.SetWriteDeadline(t)
}

func (w *ringWriter) Write(b []byte) (n int, err error) {
	for {
		put, full, err := w.put(b[n:])
		if n += put; err != nil || n == len(b) {
			return n, err
		}
		if full {
			var event [8]byte
			w.space.SetReadDeadline(w.deadline)
			if _, err := w.space.Read(event[:]); err != nil {
				return n, err
			}
		}
	}
}

// tryWrite writes all of b if there is space for it.
func (w *ringWriter) tryWrite(b []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mem == nil {
		return false
	}
	if used, err := w.p.used(); err != nil || len(b) > len(w.p.data)-int(used) {
		return false
	}
	_, wake, err := w.p.put(b)
	if wake && err == nil {
		w.ring() // if it fails the connection is at its end, which others notice
	}
	return true
}

// put writes what fits and wakes the reader. full tells that the caller must wait for space.
func (w *ringWriter) put(b []byte) (n int, full bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mem == nil {
		return 0, false, net.ErrClosed
	}
	n, wake, err := w.p.put(b)
	if wake && err == nil {
		err = w.ring()
	}
	if err == nil && n < len(b) {
		full, err = w.p.sleep()
	}
	return n, full, err
}

var doorbell = []byte{1}

// ring wakes the reader. There is no place for another bell only where it has many to hear.
func (w *ringWriter) ring() error {
	_, err := w.writeNow(doorbell)
	return err
}

// ringReader is the acceptor's end of a local link: what is read comes through the ring, grants are written to the
// socket. What comes over the socket is only doorbells, and its end is the peer's.
type ringReader struct {
	*rawConn
	bells [64]byte

	mu    sync.Mutex // guards the memory and space against the end of both
	mem   []byte     // nil once closed
	space int
	c     consumer
}

// newRingReader takes the peer's memory only if it cannot shrink and has a size we know. It keeps space, not memfd.
func newRingReader(c *net.UnixConn, memfd, space int) (*ringReader, error) {
	raw, err := newRawConn(c)
	if err != nil {
		return nil, err
	}
	seals, err := unix.FcntlInt(uintptr(memfd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(memfd, &st); err != nil {
		return nil, err
	}
	if seals&ringSeals != ringSeals || !ringSize(st.Size) {
		return nil, errors.New("shared memory is not sealed or has a strange size")
	}
	if err := unix.SetNonblock(space, true); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(memfd, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(space)
	return &ringReader{rawConn: raw, mem: mem, space: space, c: consumer{ringMem: newRingMem(mem)}}, nil
}

func (r *ringReader) Close() error {
	err := r.UnixConn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mem != nil {
		unix.Munmap(r.mem)
		unix.Close(r.space)
		r.mem = nil
	}
	return err
}

func (r *ringReader) Read(b []byte) (int, error) {
	for {
		n, err := r.take(b)
		if n > 0 || err != nil {
			return n, err
		}
		if _, err := r.rawConn.Read(r.bells[:]); err != nil {
			if n, _ := r.take(b); n > 0 { // written before the peer ended
				return n, nil
			}
			return 0, err
		}
	}
}

// take reads what there is. It returns 0 and no error when the caller must wait for a doorbell.
func (r *ringReader) take(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mem == nil {
		return 0, net.ErrClosed
	}
	for {
		n, wake, err := r.c.take(b)
		if wake {
			var one = [8]byte{1}
			syscall.Write(r.space, one[:]) // cannot block; fails only where the peer spoiled it
		}
		if n > 0 || err != nil || r.c.sleep() {
			return n, err
		}
	}
}
