package multilang

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bounds of one delivery to the executor.
const (
	deliverMessages = 512
	deliverBytes    = 256 << 10
	textBytes       = 64 << 10 // of a log or error text
)

// session is one life of a child. Its goroutines: read parses what the child writes and posts it to the executor, the
// outbox's writer writes, beat asks for signs of life and judges silence, stderrPump drains standard error. All end with the
// process, read and the writer at the latest when the executor has ended.
type session struct {
	c    *child
	p    *process
	dir  string // its working directory
	out  *outbox
	errs *stderrPump

	// failed is closed with cause set when this side gives the child up: it hangs, breaks the protocol, or its pipes did.
	failed    chan struct{}
	failOnce  sync.Once
	cause     error
	byItself  bool // the process ended before it was given up, and cause is only how that was noticed; for await
	readDone  chan struct{}
	readErr   error // why the reader ended, unless the output did; to be read after readDone
	writeDone chan struct{}

	greeted    atomic.Bool  // the child answered the handshake
	heard      atomic.Bool  // a message came since the last look
	delivering atomic.Bool  // the reader waits for the executor: the child is not to blame
	owing      atomic.Bool  // the child owes an answer; bolts always do
	waits      atomic.Bool  // the child was answered and may have waited for it
	backlog    atomic.Int64 // tuples of a bolt that are not settled
	pid        atomic.Int64

	free chan *inbound // for reuse

	// framing is set by the reader before the executor hears of the session.
	framing framing
	states  []stateDecl // what its component keeps; as framing
	client  client
	// ahead belongs to the executor.
	ahead ahead
	// broken belongs to the executor: it found a protocol error and takes no more messages of this session.
	broken bool
	// toldUnknown belongs to the executor: an unknown command was logged.
	toldUnknown bool
}

// inOrder reports whether the client does one command after the other, whatever it finds in its pipe.
func (s *session) inOrder() bool { return s.framing != framingPlain || s.client != clientUnknown }

// errOutputClosed is the cause when a child closed its standard output.
var errOutputClosed = errors.New("closed its standard output")

// fail gives the child up; the first cause stays.
func (s *session) fail(cause error) {
	s.failOnce.Do(func() {
		s.cause = cause
		close(s.failed)
	})
}

// over says whether the child was given up or has ended.
func (s *session) over() bool {
	select {
	case <-s.failed:
		return true
	case <-s.p.exited:
		return true
	default:
		return false
	}
}

// read is the reader goroutine.
func (s *session) read() {
	defer close(s.readDone)
	d := newDecoder(s.c.spec.Limits)
	f := newFrameReader(s.p.stdout, &d.limits, s.c.msgpack)
	last := false
	var pace pace
	for {
		err := s.readAvailable(f, d)
		if err == nil {
			pace.rest(s)
			err = f.fill()
		}
		switch {
		case err == nil:
			last = false
		case errors.Is(err, os.ErrDeadlineExceeded) && !last:
			// The process ended (run set the deadline) while this goroutine was busy: see once more what is in the pipe.
			last = true
			s.p.stdout.SetReadDeadline(time.Now().Add(lastRead))
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			s.fail(errOutputClosed)
			return
		default:
			s.readErr = err
			s.fail(err)
			return
		}
	}
}

// reason returns why the child was lost, nil if the end of its process says it all. A child that says nonsense and ends
// may be seen to end first, or to have closed its input; what it said is the better reason. Call it after await.
func (s *session) reason() error {
	if !s.byItself {
		return s.cause
	}
	for _, err := range []error{s.readErr, s.cause} {
		if _, ok := errors.AsType[*ProtocolError](err); ok {
			return err
		}
	}
	return nil
}

// readAvailable decodes and delivers the messages that have arrived.
func (s *session) readAvailable(f *frameReader, d *decoder) error {
	for {
		in := s.inbound()
		frameErr := s.readSome(f, d, in)
		if len(in.msgs) == 0 {
			s.recycle(in)
			return frameErr
		}
		s.heard.Store(true)
		if err := s.deliver(in); err != nil {
			return err
		}
		if frameErr != nil {
			return frameErr
		}
	}
}

// readSome fills in with what has arrived, up to the bounds of one delivery. What came before an error is in in.
func (s *session) readSome(f *frameReader, d *decoder, in *inbound) error {
	for len(in.msgs) < deliverMessages && in.bytes < deliverBytes {
		if s.framing != framingPlain {
			rest, ok, err := f.batch()
			if !ok || err != nil {
				return err
			}
			n, err := d.op(s.framing, rest, in)
			if err != nil {
				return err
			}
			f.consume(n)
			continue
		}
		frame, ok, err := f.next()
		if !ok || err != nil {
			return err
		}
		if s.c.msgpack {
			err = d.decodeMsgpack(frame, in)
		} else {
			err = d.decodeJSON(frame, in)
		}
		if err != nil {
			return err
		}
		if !s.greeted.Load() {
			return nil // what follows may have another framing
		}
	}
	return nil
}

// deliver handles what needs no executor and posts the rest in order.
func (s *session) deliver(in *inbound) error {
	msgs := 0
	for i := range in.msgs {
		forExecutor, err := s.here(&in.msgs[i])
		if err != nil {
			return err
		}
		if !forExecutor {
			continue
		}
		if msgs < i {
			in.msgs[msgs] = in.msgs[i]
		}
		msgs++
	}
	clear(in.msgs[msgs:])
	if in.msgs = in.msgs[:msgs]; msgs == 0 {
		s.recycle(in)
		return nil
	}
	return s.post(in.bytes+16*msgs, func(c *gearcore.Collector) {
		s.out.hold()
		s.c.host.handle(c, s, in)
		if !s.broken {
			s.ahead.topUp(c, s.out)
		}
		s.out.release()
		s.recycle(in)
	})
}

// post is Async.Do, during which the child's silence is not its fault.
func (s *session) post(size int, f func(*gearcore.Collector)) error {
	s.delivering.Store(true)
	defer s.delivering.Store(false)
	err := s.c.async.Do(size, f)
	s.heard.Store(true)
	return err
}

// here handles one message in the reader, or says that it is for the executor.
func (s *session) here(m *message) (forExecutor bool, err error) {
	if !s.greeted.Load() {
		return false, s.greet(m)
	}
	switch m.cmd {
	case cmdLog:
		s.log(m)
		return false, nil
	case cmdMetrics:
		if m.text == "" {
			return false, &ProtocolError{What: `"metrics" without a "name"`}
		}
		if err := report(s.c.spec.Metrics, s.c.ctx.Task, m.text, m.params); err != nil {
			return false, &ProtocolError{What: "metrics message of the child", Err: err}
		}
		return false, nil
	case cmdPID:
		return false, nil
	}
	return true, nil
}

// greet takes the answer to the handshake.
func (s *session) greet(m *message) error {
	if m.cmd != cmdPID {
		return &ProtocolError{What: `first message of the child should be {"pid": number}`}
	}
	if m.framing != "" {
		kind, ok := framings[m.framing]
		if !ok || s.c.spec.Plain {
			return &ProtocolError{What: fmt.Sprintf("child chose framing %q, which was not offered", clip(m.framing))}
		}
		s.framing = kind
		s.out.speak(kind)
	}
	if err := s.declare(m.params); err != nil {
		return &ProtocolError{What: "child declares its states", Err: err}
	}
	s.pid.Store(m.pid)
	s.greeted.Store(true)
	s.c.greet(s)
	return s.post(16, func(c *gearcore.Collector) {
		s.out.hold()
		s.ahead.topUp(c, s.out)
		s.c.host.up(c, s)
		s.out.release()
	})
}

// declare takes the states that the child names, none for null.
func (s *session) declare(v gearcore.Value) (err error) {
	if v.IsNull() {
		return nil
	}
	if s.framing == framingPlain || !s.c.bolt {
		return errors.New("only bolts may that chose a batched framing")
	}
	s.states, err = readStates(v)
	return err
}

var slogLevels = [...]slog.Level{slog.LevelDebug - 4, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

func (s *session) log(m *message) {
	s.c.log.Log(context.Background(), slogLevels[m.level], "shell log", "pid", s.pid.Load(), "text", clip(m.text))
}

// clip bounds a text for logs and errors.
func clip(s string) string {
	if len(s) <= textBytes {
		return s
	}
	return s[:textBytes] + fmt.Sprintf("... (%d bytes)", len(s))
}

func (s *session) inbound() *inbound {
	select {
	case in := <-s.free:
		return in
	default:
		return &inbound{}
	}
}

// recycle keeps in for reuse; what TrySend was given was copied.
func (s *session) recycle(in *inbound) {
	if cap(in.vals) > 64<<10 {
		return
	}
	in.reset()
	select {
	case s.free <- in:
	default:
	}
}

// write is the writer goroutine.
func (s *session) write() {
	defer close(s.writeDone)
	if err := s.out.run(s.p.stdin); err != nil {
		s.fail(fmt.Errorf("write to the child: %w", err))
	}
}

// beat asks a bolt's child for a sign of life every period and gives a child up that was silent for too long while it owed
// an answer.
func (s *session) beat() {
	t := time.NewTicker(s.c.spec.Heartbeat)
	defer t.Stop()
	var quiet silence
	for {
		select {
		case <-s.failed:
			return
		case <-s.p.exited:
			return
		case <-t.C:
		}
		limit, greeted := s.c.spec.StartTimeout, s.greeted.Load()
		if greeted {
			limit = s.c.spec.Timeout
			if s.c.bolt {
				s.out.addHeartbeat()
			}
		}
		owing := s.c.bolt || !greeted || s.owing.Load()
		if quiet.look(s.heard.Swap(false) || s.delivering.Load() || !owing, s.c.spec.Heartbeat, limit) {
			s.fail(fmt.Errorf("silent for more than %v: taken for hung", limit))
			return
		}
	}
}

// silence measures how long a child has been silent, in looks and not in time of day: a machine that was suspended, or too
// busy to look, does not count against the child.
type silence struct{ looks int }

// look notes whether there was a reason to be content since the last look, a period ago, and reports whether the limit is
// passed.
func (q *silence) look(content bool, period, limit time.Duration) (over bool) {
	if content {
		q.looks = 0
		return false
	}
	q.looks++
	return time.Duration(q.looks)*period > limit
}
