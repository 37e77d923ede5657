package multilang

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Spout is a spout whose code runs in a child process: a gearcore.Source that never holds its run loop. The child has one
// command at a time ("next", "ack", "fail", "activate", "deactivate") and ends each with "sync"; input is paused meanwhile,
// and acks and fails queue up. That queue holds at most what the child has emitted and not yet heard of.
//
// Message ids of a lost child mean nothing to the next one: their acks and fails are dropped, as after the restart of a
// Storm worker.
type Spout struct {
	spec Spec

	// All below belongs to the executor.
	child   *child
	cur     *session // nil while the child is down
	life    int32    // how many children were lost
	active  bool
	busy    bool           // a command is under way
	next    bool           // that command is "next"
	emitted bool           // since that command
	idle    bool           // the last "next" emitted nothing
	queue   []spoutCommand // queue[head:] wait
	head    int
	outputs map[string]int
}

type spoutCommand struct {
	name string
	id   gearcore.Value
}

// NewSpout returns the source for spec; nothing is started before Open.
func NewSpout(spec Spec) *Spout { return &Spout{spec: spec, outputs: map[string]int{}} }

var _ gearcore.Source = (*Spout)(nil)

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
	if p.cur == nil || p.busy {
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

// Close ends the child and waits for its end, the grace period at most (and the kernel's time to kill it).
func (p *Spout) Close() {
	if p.child != nil {
		p.child.close()
	}
}

// wrap marks the message ids of later lives, so that those of a lost child are known.
func (p *Spout) wrap(id gearcore.Value) gearcore.Value {
	if p.life == 0 || id.IsNull() {
		return id
	}
	return gearcore.List([]gearcore.Value{gearcore.Int(p.life), id})
}

// unwrap returns the child's own id; ok is false if it belongs to an earlier child.
func (p *Spout) unwrap(id gearcore.Value) (own gearcore.Value, ok bool) {
	life := int32(0)
	if l := id.List(); id.Kind() == gearcore.KindList && len(l) == 2 { // a child's id is never a list
		life, id = int32(l[0].Int()), l[1]
	}
	return id, life == p.life
}

// command sends a command, or queues it if one is under way. Without a child it is dropped: up tells the next one.
func (p *Spout) command(c *gearcore.Collector, name string, id gearcore.Value) {
	switch {
	case p.cur == nil:
	case p.busy:
		p.queue = append(p.queue, spoutCommand{name, id})
	default:
		p.begin(c, spoutCommand{name, id})
	}
}

// begin sends a command. There is always but one under way.
func (p *Spout) begin(c *gearcore.Collector, cmd spoutCommand) {
	p.busy, p.emitted, p.next = true, false, cmd.name == "next"
	p.cur.owing.Store(true)
	c.Pause()
	if err := p.cur.out.addCommand(cmd.name, cmd.id); err != nil {
		p.give(p.cur, fmt.Errorf("write command %s: %w", cmd.name, err))
	}
}

// proceed begins the next queued command, or lets Next be called.
func (p *Spout) proceed(c *gearcore.Collector) {
	if p.head == len(p.queue) {
		c.Resume()
		return
	}
	cmd := p.queue[p.head]
	p.queue[p.head] = spoutCommand{}
	if p.head++; p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
	}
	p.begin(c, cmd)
}

func (p *Spout) up(c *gearcore.Collector, s *session) {
	p.cur = s
	if p.active {
		p.command(c, "activate", gearcore.Str(""))
		return
	}
	c.Resume()
}

func (p *Spout) room(*gearcore.Collector, *session) {}

func (p *Spout) down(c *gearcore.Collector, s *session, err *ChildError) {
	p.cur, p.queue, p.head = nil, nil, 0
	p.busy, p.idle = false, false
	p.life++
	c.Pause()
	if p.spec.OnRestart != nil {
		p.spec.OnRestart(err)
	}
	c.ReportError(err)
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

// synced ends the command under way. A sync out of turn (pystorm sends one with an error) is ignored.
func (p *Spout) synced(c *gearcore.Collector, s *session) {
	if !p.busy {
		return
	}
	p.busy = false
	s.owing.Store(false)
	if p.next {
		p.idle = !p.emitted
	}
	p.proceed(c)
}
