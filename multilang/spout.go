package multilang

import (
	"fmt"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Spout is a spout whose code runs in a child process: a gearcore.Source that never holds its run loop. The child ends each
// command ("next", "ack", "fail", "activate", "deactivate") with "sync". It has one "next" at a time, and one command of any
// kind unless its client is known to do one after the other (session.inOrder): then acks and fails go out as they come, with
// the "next" behind them. What may not go out yet queues up; that is at most what the child has emitted and not heard of.
//
// Message ids of a lost child mean nothing to the next one: their acks and fails are dropped, as after the restart of a
// Storm worker.
type Spout struct {
	spec  Spec
	begun atomic.Bool // a child has answered the handshake

	// All below belongs to the executor.
	child   *child
	cur     *session // nil while the child is down
	life    int32    // how many children were lost
	active  bool
	open    []bool         // the commands under way, in order: whether each is "next"
	asked   bool           // one of them is
	emitted bool           // since that one
	idle    bool           // the last "next" emitted nothing
	queue   []spoutCommand // queue[head:] wait
	head    int
	outputs map[string]int
	graph   int64 // the version that was followed last
}

type spoutCommand struct {
	name string
	id   gearcore.Value
}

// NewSpout returns the source for spec; nothing is started before Open.
func NewSpout(spec Spec) *Spout { return &Spout{spec: spec, outputs: map[string]int{}} }

var (
	_ gearcore.Source   = (*Spout)(nil)
	_ gearcore.Starter  = (*Spout)(nil)
	_ gearcore.Follower = (*Spout)(nil)
)

// Open starts the child and returns without waiting for it.
func (p *Spout) Open(ctx *gearcore.Context, c *gearcore.Collector) error {
	ch, err := newChild(p.spec, ctx, c.Async(), p, false)
	if err != nil {
		return err
	}
	p.child = ch
	c.Pause()
	go ch.run()
	return nil
}

// Next asks the child for tuples, which come later; Next is paused until then. After a round without any it returns
// gearcore.ErrIdle once.
func (p *Spout) Next(c *gearcore.Collector) error {
	if p.cur == nil || p.asked || p.crowded() {
		return gearcore.ErrIdle
	}
	if p.idle {
		p.idle = false
		return gearcore.ErrIdle
	}
	p.command(c, "next", gearcore.Str(""))
	return nil
}

// Ack tells the child that its tuple id is done.
func (p *Spout) Ack(id gearcore.Value, c *gearcore.Collector) { p.settled(c, "ack", id) }

// Fail tells the child that its tuple id was lost.
func (p *Spout) Fail(id gearcore.Value, c *gearcore.Collector) { p.settled(c, "fail", id) }

func (p *Spout) settled(c *gearcore.Collector, name string, id gearcore.Value) {
	if own, ok := p.unwrap(id); ok && p.cur != nil {
		p.command(c, name, own)
	}
}

// Activate lets the child begin.
func (p *Spout) Activate(c *gearcore.Collector) {
	p.active = true
	p.command(c, "activate", gearcore.Str(""))
}

// Deactivate tells the child to rest.
func (p *Spout) Deactivate(c *gearcore.Collector) {
	p.active = false
	p.command(c, "deactivate", gearcore.Str(""))
}

// Holding implements gearcore.Holder: the child has something to do, and may emit meanwhile.
func (p *Spout) Holding() bool { return p.cur != nil && (len(p.open) > 0 || p.head < len(p.queue)) }

// Follow implements gearcore.Follower, for the receivers that the child was told ahead.
func (p *Spout) Follow(version int64) {
	if p.cur != nil && p.graph != version {
		p.cur.ahead.moved()
	}
	p.graph = version
}

// Close ends the child and waits for its end, the grace period at most (and the kernel's time to kill it).
func (p *Spout) Close() {
	if p.child != nil {
		p.child.close()
	}
}

// wrap marks the message ids of later lives, so that those of a lost child are known, and all lists.
func (p *Spout) wrap(id gearcore.Value) gearcore.Value {
	if id.IsNull() || p.life == 0 && id.Kind() != gearcore.KindList {
		return id
	}
	return gearcore.List([]gearcore.Value{gearcore.Int(p.life), id})
}

// unwrap returns the child's own id; ok is false if it belongs to an earlier child.
func (p *Spout) unwrap(id gearcore.Value) (own gearcore.Value, ok bool) {
	life := int32(0)
	if l := id.List(); id.Kind() == gearcore.KindList && len(l) == 2 {
		life, id = int32(l[0].Int()), l[1]
	}
	return id, life == p.life
}

// command sends a command, or queues it if one is under way. Without a child it is dropped: up tells the next one.
func (p *Spout) command(c *gearcore.Collector, name string, id gearcore.Value) {
	switch {
	case p.cur == nil:
	case p.crowded() || len(p.queue) > 0:
		p.queue = append(p.queue, spoutCommand{name, id})
	default:
		p.begin(c, spoutCommand{name, id})
	}
}

// commandsOpen is how many commands a client that does one after the other may have.
const commandsOpen = 64

// crowded reports whether the child has as many commands as it may.
func (p *Spout) crowded() bool {
	if p.cur != nil && p.cur.inOrder() {
		return len(p.open) >= commandsOpen
	}
	return len(p.open) > 0
}

// begin sends a command.
func (p *Spout) begin(c *gearcore.Collector, cmd spoutCommand) {
	next := cmd.name == "next"
	p.open = append(p.open, next)
	if next {
		p.asked, p.emitted = true, false
	}
	p.cur.owing.Store(true)
	if p.asked || p.crowded() {
		c.Pause()
	}
	if err := p.cur.out.addCommand(cmd.name, cmd.id); err != nil {
		p.give(p.cur, fmt.Errorf("write command %s: %w", cmd.name, err))
	}
}

// proceed begins what is queued, as far as it may, and lets Next be called when nothing is left.
func (p *Spout) proceed(c *gearcore.Collector) {
	for p.head < len(p.queue) && !p.crowded() {
		cmd := p.queue[p.head]
		p.queue[p.head] = spoutCommand{}
		p.head++
		p.begin(c, cmd)
	}
	if p.head < len(p.queue) {
		return
	}
	p.queue, p.head = p.queue[:0], 0
	if !p.asked && !p.crowded() {
		c.Resume()
	}
}

// Started implements gearcore.Starter.
func (p *Spout) Started() bool { return p.begun.Load() }

func (p *Spout) up(c *gearcore.Collector, s *session) {
	p.cur = s
	p.begun.Store(true)
	if p.active {
		p.command(c, "activate", gearcore.Str(""))
		return
	}
	c.Resume()
}

func (p *Spout) room(*gearcore.Collector, *session) {}

func (p *Spout) down(c *gearcore.Collector, s *session, err *ChildError) {
	p.cur, p.queue, p.head = nil, nil, 0
	p.open, p.asked, p.idle = p.open[:0], false, false
	p.life++
	c.Pause()
	if p.spec.OnRestart != nil {
		p.spec.OnRestart(err)
	}
}

func (p *Spout) handle(c *gearcore.Collector, s *session, in *inbound) {
	for i := range in.msgs {
		if s.broken {
			return
		}
		if err := p.message(c, s, in, &in.msgs[i]); err != nil {
			p.give(s, err)
		}
	}
}

func (p *Spout) give(s *session, err error) {
	s.broken = true
	s.fail(err)
}

func (p *Spout) message(c *gearcore.Collector, s *session, in *inbound, m *message) error {
	switch m.cmd {
	case cmdEmit:
		out, err := outputOf(c, p.outputs, m)
		if err != nil {
			return err
		}
		p.emitted = true
		return send(c, s, gearcore.Emission{Stream: out, Task: gearcore.TaskID(m.task), ID: p.wrap(m.id)}, in, m)
	case cmdSync:
		p.synced(c, s)
	case cmdError:
		c.ReportError(shellError(m))
	default:
		return &ProtocolError{What: fmt.Sprintf("child of a spout sent a command it may not: %q", clip(m.text))}
	}
	return nil
}

// synced ends the oldest command under way. A sync out of turn (pystorm sends one with an error) is ignored.
func (p *Spout) synced(c *gearcore.Collector, s *session) {
	if len(p.open) == 0 {
		return
	}
	next := p.open[0]
	p.open = p.open[:copy(p.open, p.open[1:])]
	s.owing.Store(len(p.open) > 0)
	if next {
		p.asked, p.idle = false, !p.emitted
	}
	p.proceed(c)
}
