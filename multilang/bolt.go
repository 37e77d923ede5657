package multilang

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Bolt is a bolt whose code runs in a child process. It is a gearcore.Task that never holds its run loop: Execute encodes
// the tuple into a buffer, what the child answers comes back through Async.
//
// Input is paused while the child is down or starting, while MaxPending tuples wait to be written, and while the child is too
// far behind (window).
type Bolt struct {
	spec  Spec
	begun atomic.Bool // a child has answered the handshake

	// All below belongs to the executor.
	child   *child
	cur     *session // nil while the child is down
	waiting inflight
	full    bool // the outbox is; a room call will come
	window  window
	sent    uint64 // tuples to cur
	outputs map[string]int
	anchors []gearcore.Tuple
	states  *states // nil: the child declares none
	graph   int64   // the version that was followed last
}

// NewBolt returns the task for spec; nothing is started before Open.
func NewBolt(spec Spec) *Bolt { return &Bolt{spec: spec, outputs: map[string]int{}} }

var (
	_ gearcore.Task         = (*Bolt)(nil)
	_ gearcore.Checkpointed = (*Bolt)(nil)
	_ gearcore.Starter      = (*Bolt)(nil)
	_ gearcore.Riser        = (*Bolt)(nil)
	_ gearcore.Follower     = (*Bolt)(nil)
)

// Open starts the child and returns without waiting for it.
func (b *Bolt) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	ch, err := newChild(b.spec, ctx, c.Async(), b, true)
	if err != nil {
		return err
	}
	b.child = ch
	c.Pause()
	go ch.run()
	return nil
}

// Execute queues t for the child. A tuple that cannot be encoded is an error, and failed by the engine.
func (b *Bolt) Execute(t gearcore.Tuple, c *gearcore.Collector) error {
	if b.cur == nil {
		return fmt.Errorf("multilang child of %s is down", b.child.ctx.Component)
	}
	id := b.waiting.add(t)
	full, sent, err := b.queue(id, t)
	if err != nil {
		b.waiting.take(id)
		return named(t, err)
	}
	b.queued(c, full, sent)
	return nil
}

// queued follows what was put into the outbox for the child to settle.
func (b *Bolt) queued(c *gearcore.Collector, full bool, sent uint64) {
	b.full, b.sent = b.full || full, sent
	if b.window.add(b.cur.out, sent, b.waiting.len()) || b.full {
		c.Pause()
	}
}

// queue encodes t for the child.
func (b *Bolt) queue(id uint64, t gearcore.Tuple) (full bool, sent uint64, err error) {
	if b.states == nil {
		return b.cur.out.addTuple(id, t, nil)
	}
	key, err := b.states.keyOf(t, uint32(id))
	if err != nil {
		return false, 0, err
	}
	if full, sent, err = b.cur.out.addTuple(id, t, key); err != nil {
		b.states.keys.forget(uint32(id), !key.content.IsNull())
	} else {
		b.states.keys.told(key)
	}
	return full, sent, err
}

// named says which field of t holds what a child cannot have.
func named(t gearcore.Tuple, err error) error {
	for i, v := range t.Values() {
		if !crosses(v) {
			return fmt.Errorf("field %s of stream %s of %s: %w", t.Fields()[i], t.Stream(), t.Component(), err)
		}
	}
	return err
}

// crosses says whether there is nothing in v that only its own side can read.
func crosses(v gearcore.Value) bool {
	switch v.Kind() {
	case gearcore.KindOpaque, gearcore.KindObject:
		return false
	case gearcore.KindList:
		return !slices.ContainsFunc(v.List(), func(e gearcore.Value) bool { return !crosses(e) })
	case gearcore.KindMap:
		return !slices.ContainsFunc(v.Map(), func(p gearcore.Pair) bool { return !crosses(p.Key) || !crosses(p.Val) })
	}
	return true
}

// Restore implements gearcore.Checkpointed: tuples that the child has do not count any more, and it begins anew unless it never
// had one. It waits until the new child has answered, and fails with the child.
func (b *Bolt) Restore(r *gearcore.Recovery) error {
	b.waiting.drain(func(gearcore.Tuple) {})
	old := b.cur
	if b.sent == 0 {
		old = nil
	}
	b.cur = nil
	s, err := b.child.renew(old, r.Ended)
	if err != nil {
		return err
	}
	if err := b.take(s); err != nil {
		return err
	}
	if err := b.restoreState(r); err != nil {
		return err
	}
	if b.states != nil {
		b.states.setTime(r.EventTime())
		b.tellTime()
		b.states.timers.ring(time.Now().UnixMilli(), b.rung)
	}
	return nil
}

// take makes s what tuples go to.
func (b *Bolt) take(s *session) error {
	if err := b.keepStates(s); err != nil {
		return err
	}
	b.cur, b.full, b.window, b.sent = s, false, newWindow(s.c.spec.MaxPending), 0
	b.begun.Store(true)
	return nil
}

// Started implements gearcore.Starter.
func (b *Bolt) Started() bool { return b.begun.Load() }

// Up implements gearcore.Riser: Restore waits for a child that has answered the handshake, and fails with one that is lost.
func (b *Bolt) Up() bool { return b.child != nil && b.child.up() }

// Follow implements gearcore.Follower, for the receivers that the child was told ahead.
func (b *Bolt) Follow(version int64) {
	if b.cur != nil && b.graph != version {
		b.cur.ahead.moved()
	}
	b.graph = version
}

// Close ends the child and waits for its end, the grace period at most (and the kernel's time to kill it).
func (b *Bolt) Close() {
	if b.child != nil {
		b.child.close()
	}
	if b.states != nil {
		b.states.timers.silence()
		b.states.store.Close() // what it gives back is a directory that the next one removes else
	}
}

// up is called when the child has answered the handshake.
func (b *Bolt) up(c *gearcore.Collector, s *session) {
	if s != b.cur { // else Restore has waited for it
		if err := b.take(s); err != nil {
			s.broken = true
			s.fail(err)
			return
		}
		if b.states != nil {
			b.tellTime()
		}
	}
	c.Resume()
	b.fire(c)
}

// room is called when the writer has taken a full outbox.
func (b *Bolt) room(c *gearcore.Collector, s *session) {
	if b.cur == s && b.full {
		b.full = false
		b.goOn(c)
		b.fire(c)
	}
}

// goOn resumes the input unless there is another reason to pause.
func (b *Bolt) goOn(c *gearcore.Collector) {
	if b.cur != nil && !b.full && !b.window.shut {
		c.Resume()
	}
}

// down is called when the child was lost: its tuples are failed, and replayed by their spouts.
func (b *Bolt) down(c *gearcore.Collector, s *session, err *ChildError) {
	if b.spec.OnRestart != nil {
		b.spec.OnRestart(err)
	}
	if b.cur != nil && b.cur != s {
		return // Restore has another one already
	}
	b.cur = nil
	c.Pause()
	b.waiting.drain(func(t gearcore.Tuple) {
		if !t.IsZero() { // else it is a timer
			c.Fail(t)
		}
	})
	if b.states != nil && b.states.timers.again() > 0 {
		c.Lost(err)
	}
}

// handle does what the child asked for. The first protocol error gives the child up; later messages of it are ignored.
func (b *Bolt) handle(c *gearcore.Collector, s *session, in *inbound) {
	for i := range in.msgs {
		if s.broken || s != b.cur {
			return
		}
		if err := b.message(c, s, in, &in.msgs[i]); err != nil {
			s.broken = true
			s.fail(err)
		}
	}
	if b.states != nil {
		if err := b.states.store.Trim(); err != nil {
			c.ReportError(err)
		}
	}
	s.backlog.Store(int64(b.waiting.len()))
	if b.window.opened(b.sent, b.waiting.len()) {
		b.goOn(c)
	}
	b.fire(c)
}

func (b *Bolt) message(c *gearcore.Collector, s *session, in *inbound, m *message) error {
	switch m.cmd {
	case cmdEmit:
		return b.emit(c, s, in, m)
	case cmdAck, cmdFail:
		return b.settle(c, s, m)
	case cmdState:
		return b.change(in, m)
	case cmdSync:
		if seen, ok := s.out.answered(); ok {
			b.window.sync(seen)
		}
	case cmdError:
		c.ReportError(shellError(m))
	case cmdOther: // ignored, as in Storm, but not in silence: it is mostly a slip of the pen
		if !s.toldUnknown {
			s.toldUnknown = true
			s.c.log.Warn("child sent an unknown command, ignored", "command", clip(m.text))
		}
	}
	return nil
}

// shellError is a child's error message as Storm words it.
func shellError(m *message) error { return fmt.Errorf("Shell Process Exception: %s", clip(m.text)) }

// known returns the tuple that the child of s calls id.
func (b *Bolt) known(s *session, id uint64) (gearcore.Tuple, uint64, bool) {
	if s.framing != framingPlain {
		long, ok := b.waiting.long(id)
		if !ok { // another tuple may have its slot by now
			return gearcore.Tuple{}, 0, false
		}
		id = long
	}
	t, ok := b.waiting.get(id)
	return t, id, ok
}

func (b *Bolt) settle(c *gearcore.Collector, s *session, m *message) error {
	word := "acked"
	if m.cmd == cmdFail {
		word = "failed"
	}
	id, ok := deliveryID(m.id)
	if !ok {
		return &ProtocolError{What: fmt.Sprintf("child %s an id that was never given: %s", word, excerpt([]byte(m.id.Text())))}
	}
	t, full, ok := b.known(s, id)
	if !ok {
		return &ProtocolError{What: fmt.Sprintf("child %s id %d, which does not exist or was acked or failed already", word, id)}
	}
	b.waiting.release(uint32(full))
	if b.states != nil {
		b.states.keys.settled(uint32(full))
		if d, timer := b.states.timers.settled(uint32(full)); timer {
			b.timerSettled(d, m.cmd == cmdFail, c)
			return nil
		}
	}
	if m.cmd == cmdAck {
		c.Ack(t)
	} else {
		c.Fail(t)
	}
	return nil
}

func (b *Bolt) emit(c *gearcore.Collector, s *session, in *inbound, m *message) error {
	b.anchors = b.anchors[:0]
	for _, id := range in.anchors[m.anchors.from:m.anchors.to] {
		t, _, ok := b.known(s, id)
		if !ok {
			return &ProtocolError{What: fmt.Sprintf("child anchored a tuple to id %d after its ack or fail", id)}
		}
		if !t.IsZero() { // a timer has no tree
			b.anchors = append(b.anchors, t)
		}
	}
	out, err := outputOf(c, b.outputs, m)
	if err != nil {
		return err
	}
	return send(c, s, gearcore.Emission{Stream: out, Task: gearcore.TaskID(m.task), Anchors: b.anchors}, in, m)
}

// outputOf finds the output of an emit; known remembers.
func outputOf(c *gearcore.Collector, known map[string]int, m *message) (int, error) {
	name := m.stream
	if name == "" {
		name = gearcore.DefaultStream
	}
	out, ok := known[name]
	if !ok {
		if out = c.OutputIndex(name); out < 0 {
			return 0, &ProtocolError{What: fmt.Sprintf("child emitted on stream %q, which the component does not declare", name)}
		}
		known[name] = out
	}
	return out, nil
}

// send emits and answers with the task ids if they are wanted and were not told before: never for a direct emit.
func send(c *gearcore.Collector, s *session, e gearcore.Emission, in *inbound, m *message) error {
	asks := e.Task == 0 && !m.noTaskIDs
	told := asks && s.ahead.has(e.Stream)
	if told {
		if to, hold := s.ahead.take(); hold {
			if err := c.SendTo(e, to, in.values(m)); err != nil {
				return &ProtocolError{What: "child's emit", Err: err}
			}
			return nil
		}
	}
	ids, err := c.TrySend(e, in.values(m))
	if err != nil {
		return &ProtocolError{What: "child's emit", Err: err}
	}
	if asks && !told {
		s.waits.Store(true)
		if err := s.out.addTaskIDs(ids); err != nil {
			return &ProtocolError{What: "child asks for the tasks of its emits and does not read them", Err: err}
		}
	}
	return nil
}
