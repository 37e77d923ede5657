package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Transport is one worker's end of all its links. Make it with New.
type Transport struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	local    net.Listener // nil: TCP only
	graph    atomic.Pointer[graph]
	early    early
	process  uint64
	plan     atomic.Uint64 // assignment.Plan
	stats    Stats
	wg       sync.WaitGroup

	mu         sync.Mutex
	ctx        context.Context // of Run, nil before
	assignment Assignment
	peers      map[gearcore.TaskID]string
	notePeers  map[string]string // slot -> address
	links      map[string]*link  // by address
	home       *link             // of outlets to tasks that are here
	outlets    map[gearcore.TaskID]*Outlet
	sessions   map[sessionKey]*session
	tick       uint64 // orders sessions by when they were last connected
	greeting   []net.Conn
}

// New returns a transport that listens, so that Addr is known and peers can queue up, but does nothing until Run.
func New(cfg Config) (*Transport, error) {
	c := cfg.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	ln, err := c.Bind("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for worker links: %w", err)
	}
	var local net.Listener
	if !c.TCPOnly {
		if local, err = listenLocal(); err != nil {
			c.Log.Debug("worker links are over TCP alone", slog.Any("err", err))
		}
	}
	t := &Transport{
		cfg: c, log: c.Log, listener: ln, local: local, process: rand.Uint64(),
		assignment: c.Assignment,
		links:      map[string]*link{}, outlets: map[gearcore.TaskID]*Outlet{}, sessions: map[sessionKey]*session{},
	}
	t.plan.Store(c.Assignment.Plan)
	t.graph.Store(newGraph(Graph{c.Graph, c.GraphFrom, c.Layout}, c.Assignment.Plan))
	t.early.t = t
	t.home = newHome(t)
	return t, nil
}

// Addr is the address that New listens on.
func (t *Transport) Addr() net.Addr { return t.listener.Addr() }

// Stats returns the counters, which go on changing.
func (t *Transport) Stats() *Stats { return &t.stats }

// Close releases the port of a transport that is never run.
func (t *Transport) Close() error {
	if t.local != nil {
		t.local.Close()
	}
	return t.listener.Close()
}

// Run keeps the links up and serves peers until ctx ends, then closes everything and waits for its goroutines. It
// returns nil, or the error that made listening end. It may be called once.
func (t *Transport) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.mu.Lock()
	t.ctx = ctx
	for _, l := range t.links {
		t.startLocked(l)
	}
	t.mu.Unlock()
	t.wg.Go(func() { t.keepBooks(ctx) })
	context.AfterFunc(ctx, func() { t.Close() })
	if t.local != nil {
		t.wg.Go(func() { t.accept(ctx, t.local) })
	}
	err := t.accept(ctx, t.listener)
	cancel()
	t.wg.Wait()
	t.early.close()
	t.eachEnd(nil, func(s *session) { s.proxies.close() })
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (t *Transport) startLocked(l *link) {
	ctx, cancel := context.WithCancel(t.ctx)
	l.cancel = cancel
	t.wg.Go(func() { l.run(ctx) })
}

// SetPeers says where the remote tasks are: task to host:port of its worker. Links to all of these workers are kept
// up; links to others end once what they have sent is settled (retire.go). Outlets of tasks that moved take along what
// they have queued; an outlet that still holds something for a task that is not named goes by Assignment.Tasks. Without an
// address it keeps that until PeerTimeout, unless Config.Runs says that the task is here: then Config.TakeBack has it. The map is copied. It may be called at any time.
func (t *Transport) SetPeers(peers map[gearcore.TaskID]string) {
	t.comeHome(t.setPeers(peers))
}

func (t *Transport) setPeers(peers map[gearcore.TaskID]string) (back []*gearcore.Batch, wake []func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers = maps.Clone(peers)
	for _, addr := range peers {
		t.linkLocked(addr)
	}
	for task, o := range t.outlets {
		to := t.wayLocked(task, o.holds())
		if o.link.Load() != to {
			back, wake = move(o, to, back, wake)
		} else {
			o.renew(to)
		}
	}
	t.retireUnusedLocked()
	return back, wake
}

// retireUnusedLocked lets the links end that no task of SetPeers, no outlet and no note needs.
func (t *Transport) retireUnusedLocked() {
	used := map[string]bool{}
	for _, addr := range t.peers {
		used[addr] = true
	}
	for _, addr := range t.notePeers {
		used[addr] = true
	}
	for _, o := range t.outlets {
		if l := o.link.Load(); l != t.home {
			used[l.addr] = true
		}
	}
	for addr, l := range t.links {
		if !used[addr] {
			t.retireLocked(l)
		}
	}
}

// wayLocked returns the link to a task's worker. A task that SetPeers did not name has one as long as it is needed.
func (t *Transport) wayLocked(task gearcore.TaskID, needed bool) *link {
	addr := t.peers[task]
	if addr == "" && t.cfg.Runs != nil && t.cfg.Runs(task) {
		return t.home
	}
	if addr == "" && needed {
		addr = t.assignment.Tasks[task]
	}
	return t.linkLocked(addr)
}

func (t *Transport) linkLocked(addr string) *link {
	l := t.links[addr]
	if l == nil {
		l = newLink(t, addr)
		t.links[addr] = l
		if t.ctx != nil && t.ctx.Err() == nil {
			t.startLocked(l)
		}
	}
	l.retired = nil
	return l
}

// move hands o to another link. Transport.mu is held, so nobody else holds two links' locks.
//
// Frames are counted by target for as long as a session lasts, at both ends. So a link remembers how many it has sent for a
// task that moves away, and an outlet that comes back goes on from there.
func move(o *Outlet, to *link, back []*gearcore.Batch, wake []func()) ([]*gearcore.Batch, []func()) {
	from := o.link.Load()
	from.mu.Lock()
	defer from.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if o.sent > 0 {
		from.past[o.task] = o.sent
	}
	from.flow.remove(o)
	delete(from.outlets, o.task)
	o.link.Store(to)
	o.astray = time.Time{}
	to.outlets[o.task] = o
	if to.home {
		back = to.flow.drop(o, back)
		return back, o.takeWakers(wake)
	}
	o.sent = to.past[o.task]
	o.processed = o.sent
	delete(to.past, o.task)
	to.flow.schedule(o)
	to.kick()
	return back, wake
}

// Outlet returns the way to a remote task, the same one each time. The task need not have an address yet.
func (t *Transport) Outlet(task gearcore.TaskID) *Outlet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.outlets[task]; o != nil {
		return o
	}
	o := &Outlet{t: t, task: task}
	l := t.wayLocked(task, true)
	l.mu.Lock()
	defer l.mu.Unlock()
	o.link.Store(l)
	l.outlets[task] = o
	t.outlets[task] = o
	return o
}

// Ready reports whether every worker named by SetPeers is connected. Outlets of tasks without an address do not count: what is
// sent on for a task that has been here may make one.
func (t *Transport) Ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.links {
		if l.addr != "" && l.retired == nil && !l.isUp() {
			return false
		}
	}
	return true
}

func (t *Transport) identity() identity {
	g := t.graph.Load()
	t.mu.Lock()
	defer t.mu.Unlock()
	return identity{
		topology: t.cfg.TopologyID, worker: t.cfg.WorkerID, slot: t.cfg.Slot, process: t.process, graph: g.Version, from: g.From, layout: g.print,
		assignment: t.assignment.ID, epoch: t.assignment.Epoch, plan: t.assignment.Plan,
	}
}

// lose gives up a batch: it is counted, told and done with.
func (t *Transport) lose(b *gearcore.Batch, err error) {
	t.stats.LostTuples.Add(uint64(len(b.Rows)))
	if len(b.Rows) > 0 || b.Marker != 0 {
		t.cfg.Lost(b, err)
	}
	t.fail(b.Roots)
	if b.Done != nil {
		b.Done(b)
	}
}

// reject tells of a row that cannot be sent.
func (t *Transport) reject(b *gearcore.Batch, r rejected) {
	t.stats.RejectedTuples.Add(1)
	tup := b.Tuple(r.row)
	one := &gearcore.Batch{Layout: b.Layout, Target: b.Target, From: b.From}
	one.Append(tup.Row().Stream, tup.SourceTask(), tup.Values(), tup.Roots())
	t.cfg.Lost(one, fmt.Errorf("send from %s on stream %s to task %d: %w", tup.Component(), tup.Stream(), b.Target, r.err))
	t.fail(tup.Roots())
}

// fail fails the trees of rows that will not arrive.
func (t *Transport) fail(roots []gearcore.RootEdge) {
	if len(roots) == 0 || t.cfg.Tracker == nil {
		return
	}
	acks := make([]gearcore.Ack, 0, len(roots))
	for _, r := range roots {
		acks = append(acks, gearcore.Ack{Root: r.Root, Val: r.Edge, Op: gearcore.AckFail})
	}
	t.cfg.Tracker.Settle(acks)
}
