package jvmhost

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"

	"github.com/gearstorm/gearstorm/gearcore"
)

// readBytes is how much one read takes, and so about how much one closure in the executor has to do.
const readBytes = 64 << 10

// errClosed is why a channel ended that this side closed.
var errClosed = errors.New("channel closed")

// errClosedByJava is why a channel ended that the other side closed.
var errClosedByJava = errors.New("Java closed a channel")

// channel is one connection to the Java thread of one task, with a goroutine that reads and one that writes. It ends once,
// by end or by Java, and tells its Bolt then.
type channel struct {
	b    *Bolt
	conn net.Conn
	lose func(error)   // tells the host that the process is to go; not called after a detach
	done chan struct{} // closed once run has returned

	broken bool // of the executor: the rest of the replies is ignored

	mu      sync.Mutex
	cond    sync.Cond
	out     []byte   // guarded by mu: to be written
	spare   []byte   // guarded by mu: empty, for out
	grant   int      // guarded by mu: bytes of emits applied and not granted
	arrived int      // guarded by mu: bytes of emits that came and are not granted
	cause   error    // guarded by mu: set once it has ended
	free    []*reply // guarded by mu
}

func newChannel(b *Bolt, conn net.Conn, lose func(error)) *channel {
	ch := &channel{b: b, conn: conn, lose: lose, done: make(chan struct{})}
	ch.cond.L = &ch.mu
	ch.out = appendStart(nil, b.ctx.Task, &b.spec)
	return ch
}

// run serves the channel until it has ended.
func (ch *channel) run() {
	defer close(ch.done)
	var writing sync.WaitGroup
	writing.Go(ch.write)
	if err := ch.b.async.Do(0, func(c *gearcore.Collector) { ch.b.up(c, ch) }); err != nil {
		ch.end(err)
	}
	ch.end(ch.read())
	writing.Wait()
	_ = ch.b.async.Do(0, func(c *gearcore.Collector) { ch.b.down(c, ch) }) // an executor that has ended needs no telling
	ch.lose(ch.why())
}

// end closes the channel because of err; the first one counts.
func (ch *channel) end(err error) {
	ch.mu.Lock()
	if ch.cause == nil {
		ch.cause = err
	}
	ch.cond.Signal()
	ch.mu.Unlock()
	ch.conn.Close()
}

func (ch *channel) why() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.cause
}

// send lets fill append to what is to be written. It is called by the executor and does not wait; the window bounds how
// much there can be.
func (ch *channel) send(fill func([]byte) []byte) {
	ch.mu.Lock()
	if ch.out == nil {
		ch.out, ch.spare = ch.spare, nil
	}
	was := len(ch.out)
	ch.out = fill(ch.out)
	if was == 0 {
		ch.cond.Signal()
	}
	ch.mu.Unlock()
}

// write writes what there is, as much at once as has gathered, until the channel ends.
func (ch *channel) write() {
	for {
		ch.mu.Lock()
		for len(ch.out) == 0 && !ch.grantsLocked() && ch.cause == nil {
			ch.cond.Wait()
		}
		if ch.cause != nil {
			ch.mu.Unlock()
			return
		}
		buf := ch.out
		ch.out = nil
		if ch.grant > 0 {
			buf = appendGrant(buf, ch.grant)
			ch.arrived -= ch.grant
			ch.grant = 0
		}
		ch.mu.Unlock()
		if _, err := ch.conn.Write(buf); err != nil {
			if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
				err = errClosedByJava // as the reading half says it, whichever of them sees it first
			} else {
				err = fmt.Errorf("write to Java: %w", err)
			}
			ch.end(err)
			return
		}
		ch.mu.Lock()
		if cap(buf) > cap(ch.spare) { // not the small one of a grant alone
			ch.spare = buf[:0]
		}
		ch.mu.Unlock()
	}
}

// grantsLocked says whether there is enough to grant to write for that alone.
func (ch *channel) grantsLocked() bool { return 4*ch.grant >= ch.b.spec.EmitBytes }

// read posts what comes to the executor, one closure for a read, until the connection ends or breaks the contract.
func (ch *channel) read() error {
	buf := make([]byte, readBytes)
	n := 0
	var ts gearcore.Chunk
	for {
		got, err := ch.conn.Read(buf[n:])
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // the latter if it left something unread
				return errClosedByJava
			}
			return fmt.Errorf("read from Java: %w", err)
		}
		n += got
		rp := ch.reply()
		rest, need, err := rp.addAll(buf[:n], len(ch.b.spec.Outputs), &ts)
		if err == nil {
			err = ch.arrive(rp)
		}
		if err != nil {
			return err
		}
		n = copy(buf, rest)
		// A large frame gets room for itself alone: room for many small ones would let one reply hold the rows of them all.
		if size := max(readBytes, need); size != len(buf) {
			buf = append(make([]byte, 0, size), buf[:n]...)[:size]
		}
		if rp.bytes == 0 {
			ch.applied(rp)
			continue
		}
		if err := ch.b.async.Do(rp.bytes, rp.apply); err != nil {
			return err
		}
	}
}

// addAll decodes the whole frames of buf and returns the rest.
func (rp *reply) addAll(buf []byte, outputs int, ts *gearcore.Chunk) (rest []byte, need int, err error) {
	for {
		var kind byte
		var body []byte
		if kind, body, buf, need, err = nextFrame(buf); err != nil || body == nil {
			return buf, need, err
		}
		if err = rp.add(kind, body, outputs, ts); err != nil {
			return buf, 0, err
		}
	}
}

// arrive counts the emits of rp and says when Java sent more than it may.
func (ch *channel) arrive(rp *reply) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.arrived += rp.credit
	if limit := ch.b.spec.EmitBytes + frameHeader + maxFrame; ch.arrived > limit {
		return badFrame("%d bytes of emits without credit, allowed are %d", ch.arrived, limit)
	}
	return nil
}

// reply returns an empty reply.
func (ch *channel) reply() *reply {
	ch.mu.Lock()
	if n := len(ch.free); n > 0 {
		rp := ch.free[n-1]
		ch.free = ch.free[:n-1]
		ch.mu.Unlock()
		return rp
	}
	ch.mu.Unlock()
	rp := &reply{}
	rp.apply = func(c *gearcore.Collector) { ch.b.apply(c, ch, rp) }
	return rp
}

// applied takes a reply back and grants what it took.
func (ch *channel) applied(rp *reply) {
	credit := rp.credit
	rp.reset()
	ch.mu.Lock()
	if ch.grant += credit; ch.grantsLocked() {
		ch.cond.Signal()
	}
	if len(ch.free) < maxFreeReplies {
		ch.free = append(ch.free, rp)
	}
	ch.mu.Unlock()
}

// maxFreeReplies bounds what is kept for reuse.
const maxFreeReplies = 4
