package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

var (
	// ErrPeerGone says that a batch was not received because its worker is gone.
	ErrPeerGone = errors.New("the worker of the target task is gone")
	// ErrRefused says that a frame was sent several times and the other worker could not read it.
	ErrRefused = errors.New("the worker of the target task cannot read what it is sent")

	errNowhere = errors.New("no worker is known for the task")
)

const (
	// writeBytes is how much the writer gathers before it writes; it writes less when there is nothing more.
	writeBytes = 128 << 10
	takeBytes  = 64 << 10
)

// link is the sending side towards one worker. run's goroutine owns ring and what follows it.
type link struct {
	t      *Transport
	addr   string // "" for tasks whose worker is not known
	cancel context.CancelFunc
	work   chan struct{} // one token: look at flow, acked or dues
	now    chan struct{} // one token: connect at once
	home   bool          // it leads to this worker itself
	dues   dues

	retired *retirement // guarded by Transport.mu: no task is behind it any more

	mu      sync.Mutex
	flow    flow
	outlets map[gearcore.TaskID]*Outlet
	gone    bool // absent for PeerTimeout: what is pushed is dropped
	up      bool
	stalled bool                       // the writer waits until the receiver has more frames
	acked   uint64                     // number up to which the receiver has frames
	conn    net.Conn                   // while up
	peer    identity                   // while up
	past    map[gearcore.TaskID]uint64 // frames sent in this session for tasks that have moved away
	notes   notes

	// pen is held by who encodes and writes: run's goroutine, unless it waits for work, or who pushes a small batch
	// (quick.go). It guards quick, and what follows while quick is set.
	pen     sync.Mutex
	quick   quickWriter
	ring    resend
	session uint64
	process uint64 // of the peer
	told    uint64 // the version of the plan that the peer knows us by
	maxBody int    // of a frame, what both sides take
	jobs    []job
	bad     []rejected
	wake    []func()
}

func newLink(t *Transport, addr string) *link {
	return &link{
		t: t, addr: addr, work: make(chan struct{}, 1), now: make(chan struct{}, 1),
		outlets: map[gearcore.TaskID]*Outlet{}, past: map[gearcore.TaskID]uint64{}, session: rand.Uint64() | 1, dues: dues{t: t},
	}
}

func (l *link) kick() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// run keeps the link connected until ctx ends.
func (l *link) run(ctx context.Context) {
	down, backoff, told := time.Now(), l.t.cfg.MinBackoff, ""
	absent := time.AfterFunc(l.t.cfg.FailTimeout, l.dues.fail) // also while an attempt to connect hangs
	defer absent.Stop()
	for ctx.Err() == nil {
		conn, w, err := l.connect(ctx)
		if err == nil {
			if err = l.begin(conn, &w); err == nil {
				absent.Stop()
				told, backoff = "", l.t.cfg.MinBackoff
				l.t.log.Info("worker link is up", slog.String("peer", l.addr), slog.String("worker", w.self.worker), slog.String("over", conn.kind))
				err = l.serve(ctx, conn)
				down = time.Now()
				absent.Reset(l.t.cfg.FailTimeout)
				l.t.stats.Disconnects.Add(1)
			}
			conn.Close()
			l.end()
		}
		if ctx.Err() != nil {
			break
		}
		if l.addr != "" && err.Error() != told {
			told = err.Error()
			l.t.log.Warn("worker link is down", slog.String("peer", l.addr), slog.Any("err", err))
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			l.dues.fail() // its process is gone, and what it had with it
		}
		l.pause(ctx, backoff, down)
		backoff = min(2*backoff, l.t.cfg.MaxBackoff)
	}
	if l.t.ctx.Err() == nil {
		l.loseSent()
		l.dues.fail()
	}
}

// connect dials and shakes hands: where the peer says that it is on this host, once more over a local link. When that
// does not work, TCP does.
func (l *link) connect(ctx context.Context) (stream, welcome, error) {
	if l.addr == "" {
		return stream{}, welcome{}, errNowhere
	}
	s, w, err := l.dial(ctx, "tcp", l.addr, l.t.local != nil)
	if err != nil || w.code != answerLocal {
		return s, w, err
	}
	s.Close()
	at := w.local
	if s, w, err = l.dial(ctx, "unix", at, false); err == nil {
		return s, w, nil
	}
	l.t.log.Debug("worker link cannot be local", slog.String("peer", l.addr), slog.Any("err", err))
	return l.dial(ctx, "tcp", l.addr, false)
}

func (l *link) dial(ctx context.Context, network, addr string, local bool) (s stream, w welcome, err error) {
	deadline := time.Now().Add(l.t.cfg.HandshakeTimeout)
	conn, err := l.open(ctx, network, addr, deadline)
	if err != nil {
		return stream{}, welcome{}, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer func() {
		if err != nil {
			conn.Close()
			err = fmt.Errorf("shake hands with worker at %s: %w", addr, err)
		}
	}()
	conn.SetDeadline(deadline)
	unixConn, isLocal := conn.(*net.UnixConn)
	if isLocal {
		if err = sameUser(unixConn); err != nil {
			return stream{}, welcome{}, err
		}
	}
	self := l.t.identity()
	self.session, self.local = l.session, local
	if w, err = dialHandshake(conn, l.t.cfg.Secret, &self); err != nil {
		return stream{}, welcome{}, err
	}
	if !l.t.admits(&w.self) {
		err = ErrStale
		return stream{}, welcome{}, err
	}
	l.told = self.plan
	s = stream{Conn: conn, kind: "tcp", summed: true}
	if isLocal {
		if s, err = offer(unixConn, !l.t.cfg.NoRing); err != nil {
			return stream{}, welcome{}, err
		}
	}
	conn.SetDeadline(time.Time{})
	return s, w, nil
}

func (l *link) open(ctx context.Context, network, addr string, deadline time.Time) (net.Conn, error) {
	if network == "unix" {
		return (&net.Dialer{Deadline: deadline}).DialContext(ctx, network, addr)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return l.t.cfg.Dial(ctx, network, addr)
}

// begin makes the session go on, or start anew when the peer is another process or has forgotten it.
func (l *link) begin(conn stream, w *welcome) error {
	same := w.resumed && w.self.process == l.process && w.received >= l.acked && w.received <= l.ring.seq
	if same && w.refused {
		same = l.skip(w.received + 1)
	}
	if !same {
		l.loseSent()
		l.dues.restart()
		l.ring = resend{spare: l.ring.spare}
	}
	if !same && w.received != 0 {
		l.session = rand.Uint64() | 1
		return errors.New("worker link: the peer remembers another session")
	}
	l.process, l.maxBody = w.self.process, min(l.t.cfg.MaxFrameBytes, int(w.maxFrame))
	l.ring.received(w.received)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !same {
		clear(l.past)
		for _, o := range l.outlets {
			l.flow.reset(o)
		}
	}
	l.flow.win, l.acked, l.gone, l.up, l.conn, l.peer = w.win, w.received, false, true, conn, w.self
	l.notes.restart()
	for _, o := range l.outlets {
		l.flow.schedule(o)
	}
	return nil
}

func (l *link) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.conn = false, nil
}

// pause waits before the next dial, and gives up what is queued when the peer has been away too long.
func (l *link) pause(ctx context.Context, backoff time.Duration, down time.Time) {
	wait := backoff/2 + rand.N(backoff/2+1)
	if left := time.Until(down.Add(l.t.cfg.PeerTimeout)); left <= 0 || l.addr == "" {
		l.giveUp()
	} else {
		wait = min(wait, left)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.now:
	case <-timer.C:
	}
}

// giveUp drops what has waited for PeerTimeout: everything, but where there is no address each outlet has its own time.
func (l *link) giveUp() {
	var batches []*gearcore.Batch
	var wake []func()
	l.mu.Lock()
	l.gone = l.addr != ""
	for _, o := range l.outlets {
		if !l.gone && (o.queue.len() == 0 || !o.stranded()) {
			continue
		}
		batches = l.flow.drop(o, batches)
		wake = o.takeWakers(wake)
	}
	l.mu.Unlock()
	for _, b := range batches {
		l.t.lose(b, ErrPeerGone)
	}
	for _, f := range wake {
		f()
	}
	l.dues.fail()
}

// loseSent gives up the frames that were sent in this session and not received.
func (l *link) loseSent() {
	l.mu.Lock()
	acked := l.acked
	l.mu.Unlock()
	for _, blk := range l.ring.blocks {
		rest := blk.buf
		for len(rest) > 0 {
			body, tail, _, err := nextFrame(rest, l.t.cfg.MaxFrameBytes, false)
			if err != nil || body == nil {
				break // our own frames are whole
			}
			rest = tail
			if seq, err := frameSeq(body); err == nil && seq > acked {
				l.loseFrame(body, ErrPeerGone)
			}
		}
	}
	l.ring.blocks, l.ring.written = nil, 0
}

// skip gives up one frame. It returns false if that does not help: the frame is none of those that were sent, or a
// skip itself.
func (l *link) skip(seq uint64) bool {
	body := l.ring.skip(seq)
	if body == nil {
		return false
	}
	l.t.log.Warn("a frame is given up: the peer could not read it", slog.String("peer", l.addr), slog.Int("bytes", len(body)))
	l.dues.failFrame(seq, l.loseFrame(body, ErrRefused))
	return true
}

// loseFrame tells of the rows of a frame and returns how many of them are tracked; their roots are among the dues.
func (l *link) loseFrame(body []byte, why error) (tracked int) {
	if body[0] != frameData {
		return 0
	}
	b := &gearcore.Batch{}
	if err := decodeData(b, body, l.t.graph.Load().Layout); err != nil {
		return 0
	}
	tracked = len(b.Roots)
	b.Untrack()
	l.t.lose(b, why)
	return tracked
}

// isUp reports whether the link is connected.
func (l *link) isUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// over returns what the link is connected by, "" if it is not.
func (l *link) over() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.conn.(stream); ok {
		return s.kind
	}
	return ""
}
