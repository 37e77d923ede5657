package jvmhost

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// readBytes is how much one read takes, and so about how much one closure in the executor has to do.
const readBytes = 64 << 10

// errClosed is why a channel ended that this side closed.
var errClosed = errors.New("channel closed")

// errClosedByJava is why a channel ended that the other side closed.
var errClosedByJava = errors.New("Java closed a channel")

// channel is one connection to the Java thread of one task, with a goroutine that reads and one that writes. It ends once,
// by end or by Java, and tells its task then.
type channel struct {
	t    *task
	conn net.Conn
	lose func(error)   // tells the host why it has ended; after a detach that is nothing to it
	done chan struct{} // closed once run has returned

	// Of the executor.
	broken  bool     // the rest of the replies is ignored
	graph   int64    // the version of the graph that Java was told last; set by begin before
	exports *exports // nil before the first one

	mu      sync.Mutex
	cond    sync.Cond
	out     []byte        // guarded by mu: to be written
	spare   []byte        // guarded by mu: empty, for out
	tail    int           // guarded by mu: length of out, if an ended frame is the last in it; else 0
	grant   int           // guarded by mu: bytes of emits applied and not granted
	arrived int           // guarded by mu: bytes of emits that came and are not granted
	cause   error         // guarded by mu: set once it has ended
	written chan struct{} // guarded by mu: closed when all there is is written; nil: nobody waits for that
	begun   bool          // guarded by mu: Java was sent the start frame
	ready   bool          // guarded by mu: Java has prepared the component
	keeps   bool          // guarded by mu, set before ready: it has a state
	free    []*reply      // guarded by mu
}

func newChannel(t *task, conn net.Conn, lose func(error)) *channel {
	ch := &channel{t: t, conn: conn, lose: lose, done: make(chan struct{})}
	ch.cond.L = &ch.mu
	if !t.spec.Checkpoints {
		ch.begin(nil)
	}
	return ch
}

// begin has Java begin with the component and a state that it had, nil if it is new; false if the channel has ended. Before that
// nothing is said on either side.
func (ch *channel) begin(state []byte) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.cause != nil {
		return false
	}
	ch.begun, ch.graph = true, ch.t.graph.Load()
	ch.sendLocked(func(buf []byte) []byte {
		return appendStart(appendState(buf, state), ch.t.ctx.Task, ch.graph, &ch.t.spec)
	})
	return true
}

// has reads a flag that is guarded by mu.
func (ch *channel) has(flag *bool) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return *flag
}

// run serves the channel until it has ended.
func (ch *channel) run() {
	defer close(ch.done)
	var writing sync.WaitGroup
	writing.Go(ch.write)
	up := func(c *gearcore.Collector) { ch.t.port.up(c, ch) }
	down := func(c *gearcore.Collector) { ch.t.port.down(c, ch) }
	if !ch.t.spec.Checkpoints { // else it is a Restore that takes it
		if err := ch.t.async.Do(0, up); err != nil {
			ch.end(err)
		}
	}
	ch.end(ch.read())
	writing.Wait()
	if ch.has(&ch.begun) {
		_ = ch.t.async.Do(0, down) // an executor that has ended needs no telling
	}
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

// lastWords is how long a task that is closed waits until Java was told what there is to tell.
const lastWords = time.Second

// finish ends the channel of a task that is closed, behind what there is to tell: how the last trees of a spout ended.
func (ch *channel) finish() {
	written := make(chan struct{})
	ch.mu.Lock()
	ch.written = written
	ch.cond.Signal()
	ch.mu.Unlock()
	select {
	case <-written:
	case <-ch.done:
	case <-time.After(lastWords):
	}
	ch.end(errClosed)
	<-ch.done
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
	ch.sendLocked(fill)
	ch.mu.Unlock()
}

func (ch *channel) sendLocked(fill func([]byte) []byte) {
	if ch.out == nil {
		ch.out, ch.spare = ch.spare, nil
	}
	was := len(ch.out)
	ch.out, ch.tail = fill(ch.out), 0
	if was == 0 {
		ch.cond.Signal()
	}
}

// ended sends that the tree of a tuple has ended: a spout's, or one that Java keeps trees of (frameReturned). Tuples whose numbers follow each other share a frame. It is
// bounded by the tuples that Java has emitted.
func (ch *channel) ended(kind, op byte, number uint64) {
	ch.mu.Lock()
	if ch.tail == 0 || ch.tail != len(ch.out) || !extendEnded(ch.out, kind, op, number) {
		ch.sendLocked(func(buf []byte) []byte { return appendEnded(buf, kind, op, number) })
		ch.tail = len(ch.out)
	}
	ch.mu.Unlock()
}

// write writes what there is, as much at once as has gathered, until the channel ends.
func (ch *channel) write() {
	for {
		ch.mu.Lock()
		for len(ch.out) == 0 && !ch.grantsLocked() && ch.cause == nil && ch.written == nil {
			ch.cond.Wait()
		}
		if ch.written != nil && len(ch.out) == 0 {
			close(ch.written)
			ch.mu.Unlock()
			return
		}
		if ch.cause != nil {
			ch.mu.Unlock()
			return
		}
		buf := ch.out
		ch.out, ch.tail = nil, 0
		if ch.grant > 0 {
			buf = appendGrant(buf, ch.grant)
			ch.arrived -= ch.grant
			ch.grant = 0
		}
		ch.mu.Unlock()
		if _, err := ch.conn.Write(buf); err != nil {
			if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
				return // the reading half knows more: what Java said before it closed the connection
			}
			ch.end(fmt.Errorf("write to Java: %w", err))
			return
		}
		ch.mu.Lock()
		if cap(buf) > cap(ch.spare) && cap(buf) <= maxFrame { // not the small one of a grant alone, nor one with a large state
			ch.spare = buf[:0]
		}
		ch.mu.Unlock()
	}
}

// grantsLocked says whether there is enough to grant to write for that alone.
func (ch *channel) grantsLocked() bool { return 4*ch.grant >= ch.t.spec.EmitBytes }

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
		rest, need, err := rp.addAll(buf[:n], len(ch.t.spec.Outputs), &ts)
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
		if rp.ready {
			ch.prepared(rp.keeps)
		}
		gone := rp.gone
		if err := ch.t.async.Do(rp.bytes, rp.apply); err != nil {
			return err
		}
		if gone != "" {
			return &TaskError{Text: gone}
		}
	}
}

// prepared notes that Java has prepared the component, and whether that has a state.
func (ch *channel) prepared(keeps bool) {
	ch.mu.Lock()
	ch.ready, ch.keeps = true, keeps
	ch.mu.Unlock()
	h := ch.t.host
	h.mu.Lock() // or who looks at ready at this moment misses it
	h.news.Broadcast()
	h.mu.Unlock()
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
	if limit := ch.t.spec.EmitBytes + frameHeader + maxFrame; ch.arrived > limit {
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
	_, spout := ch.t.port.(*Spout)
	rp := &reply{spout: spout}
	rp.apply = func(c *gearcore.Collector) { ch.t.apply(c, ch, rp) }
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
