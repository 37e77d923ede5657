package multilang

import (
	"io"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// outboxBytes is where an outbox counts as full whatever the number of its tuples.
const outboxBytes = 1 << 20

// outbox holds what is to be written to one child. The executor encodes into it and never blocks; one writer goroutine
// (run) takes all that is there and writes it at once. It has two lanes: answers with task ids go before tuples and commands
// and do not count against the bound, because the child may be waiting for them; they have a limit of their own.
//
// The bound is soft, it is for the owner to keep: addTuple tells when the lane is full, and run calls room when a full lane
// was taken away. What is added after close is dropped.
type outbox struct {
	format format
	bound  int // tuples
	room   func()

	mu     sync.Mutex
	wake   sync.Cond
	ids    lane
	data   lane
	told   map[gearcore.StreamID]bool // origins that the child knows, in batched framing
	tuples int
	sent   uint64   // tuples so far
	marks  []uint64 // what sent was at each heartbeat that is not answered
	beat   bool     // a heartbeat is in data
	held   bool     // the writer is not woken for what is added
	closed bool
}

func newOutbox(f format, bound int, room func()) *outbox {
	f.heads = new(heads)
	o := &outbox{format: f, bound: max(bound, 1), room: room}
	o.wake.L = &o.mu
	return o
}

// addTuple queues an input tuple, with its key where the child keeps state, and reports whether the lane is now full and how many tuples there
// were so far. On an error nothing was queued.
func (o *outbox) addTuple(id uint64, t gearcore.Tuple, key *keyRef) (full bool, sent uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, 0, nil
	}
	if o.format.framing != framingPlain && !o.told[t.Row().Stream] {
		o.format.item(&o.data)
		o.data.buf = o.format.origin(o.data.buf, t.Row().Stream, t.Component(), t.Stream())
		o.told[t.Row().Stream] = true
	}
	at := len(o.data.buf)
	o.format.item(&o.data)
	if o.data.buf, err = o.format.keyed(o.data.buf, id, t, key); err != nil {
		o.format.undo(&o.data, at)
		return o.fullLocked(), o.sent, err
	}
	full, sent = o.addedLocked()
	return full, sent, nil
}

// addTimer queues a timer, which counts as a tuple. key are the values of its key, ref its place.
func (o *outbox) addTimer(id uint64, d dueTimer, key []gearcore.Value, ref *keyRef) (full bool, sent uint64, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, 0, nil
	}
	if !o.told[timerOrigin] {
		o.format.item(&o.data)
		o.data.buf = o.format.origin(o.data.buf, timerOrigin, gearcore.SystemComponent, timerStream)
		o.told[timerOrigin] = true
	}
	at := len(o.data.buf)
	o.format.item(&o.data)
	if o.data.buf, err = o.format.timer(o.data.buf, id, d, key, ref); err != nil {
		o.format.undo(&o.data, at)
		return o.fullLocked(), o.sent, err
	}
	full, sent = o.addedLocked()
	return full, sent, nil
}

// addedLocked counts what was added for the child to settle.
func (o *outbox) addedLocked() (full bool, sent uint64) {
	o.tuples++
	o.sent++
	o.wakeLocked()
	return o.fullLocked(), o.sent
}

func (o *outbox) fullLocked() bool { return o.tuples >= o.bound || len(o.data.buf) >= outboxBytes }

// hold keeps the writer asleep until release, for an owner that is about to add much: one write is for all of it.
func (o *outbox) hold() {
	o.mu.Lock()
	o.held = true
	o.mu.Unlock()
}

// release ends a hold.
func (o *outbox) release() {
	o.mu.Lock()
	o.held = false
	if len(o.ids.buf) > 0 || len(o.data.buf) > 0 {
		o.wake.Signal()
	}
	o.mu.Unlock()
}

func (o *outbox) wakeLocked() {
	if !o.held {
		o.wake.Signal()
	}
}

// addCommand queues a spout command.
func (o *outbox) addCommand(name string, id gearcore.Value) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	at := len(o.data.buf)
	o.format.item(&o.data)
	if o.data.buf, err = o.format.command(o.data.buf, name, id); err != nil {
		o.format.undo(&o.data, at)
	}
	o.wakeLocked()
	return err
}

// addTaskIDs queues the answer to an emit. It refuses when as many answers as one message may have bytes wait already: the
// child emits but does not read.
func (o *outbox) addTaskIDs(ids []gearcore.TaskID) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	if len(o.ids.buf) >= o.format.limit {
		return tooLarge("unread answers", o.format.limit)
	}
	o.format.item(&o.ids)
	o.ids.buf = o.format.taskIDs(o.ids.buf, ids)
	o.wakeLocked()
	return nil
}

// maxMarks is how many heartbeats a child may leave unanswered before it gets no more of them.
const maxMarks = 1024

// addHeartbeat queues a heartbeat unless one is waiting already.
func (o *outbox) addHeartbeat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.beat {
		o.heartbeatLocked()
	}
}

// addProbe queues a heartbeat behind everything else.
func (o *outbox) addProbe() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heartbeatLocked()
}

func (o *outbox) heartbeatLocked() {
	if o.closed || len(o.marks) >= maxMarks {
		return
	}
	o.beat = true
	o.marks = append(o.marks, o.sent)
	o.format.item(&o.data)
	o.data.buf = o.format.heartbeat(o.data.buf)
	o.wake.Signal()
}

// answered is called when the child answered a heartbeat: it has seen that many tuples. ok is false if none was open.
func (o *outbox) answered() (seen uint64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.marks) == 0 {
		return 0, false
	}
	seen = o.marks[0]
	o.marks = o.marks[:copy(o.marks, o.marks[1:])]
	return seen, true
}

// addHello queues the handshake.
func (o *outbox) addHello(text []byte) (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.data.buf, err = o.format.hello(o.data.buf, text)
	o.wake.Signal()
	return err
}

// speak changes to another framing: the child, which has read all that was written so far, named it.
func (o *outbox) speak(f framing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.format.framing, o.told = f, map[gearcore.StreamID]bool{}
}

// close ends run and drops what is queued.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.ids, o.data = lane{}, lane{}
	o.wake.Signal()
}

// run writes to w until close or an error of w.
func (o *outbox) run(w io.Writer) error {
	var ids, data []byte
	for {
		var full bool
		var ok bool
		if ids, data, full, ok = o.take(ids, data); !ok {
			return nil
		}
		if full {
			o.room()
		}
		if len(ids) > 0 {
			ids = append(ids, data...)
			data = data[:0]
		}
		for _, b := range [2][]byte{ids, data} {
			if len(b) == 0 {
				continue
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		ids, data = recycle(ids), recycle(data)
	}
}

// recycle keeps a buffer for the next round unless one large message blew it up.
func recycle(b []byte) []byte {
	if cap(b) > 2*outboxBytes {
		return nil
	}
	return b[:0]
}

// take waits for something to write and swaps it for the empty buffers given.
func (o *outbox) take(ids, data []byte) (_, _ []byte, full, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.closed && len(o.ids.buf) == 0 && len(o.data.buf) == 0 {
		o.wake.Wait()
	}
	if o.closed {
		return nil, nil, false, false
	}
	full = o.fullLocked()
	o.format.seal(&o.ids)
	o.format.seal(&o.data)
	ids, o.ids.buf = o.ids.buf, ids
	data, o.data.buf = o.data.buf, data
	o.tuples, o.beat = 0, false
	return ids, data, full, true
}
