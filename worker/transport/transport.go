package transport

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Transport is one worker's end of all its links. Make it with New.
type Transport struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	local    net.Listener // nil: TCP only
	layout   uint64       // fingerprint of cfg.Layout
	process  uint64
	stats    Stats
	wg       sync.WaitGroup

	mu         sync.Mutex
	ctx        context.Context // of Run, nil before
	assignment string
	epoch      int64
	peers      map[gearcore.TaskID]string
	links      map[string]*link // by address
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
	return &Transport{
		cfg: c, log: c.Log, listener: ln, local: local, layout: fingerprint(c.Layout), process: rand.Uint64(),
		assignment: c.AssignmentID, epoch: c.Epoch,
		links: map[string]*link{}, outlets: map[gearcore.TaskID]*Outlet{}, sessions: map[sessionKey]*session{},
	}, nil
}

// fingerprint sums up the streams, which give the numbers on the wire their meaning.
func fingerprint(l *gearcore.Layout) uint64 {
	h := sha256.New()
	for i := range l.Streams {
		fmt.Fprintf(h, "%q %q %q\n", l.Streams[i].Component, l.Streams[i].Name, l.Streams[i].Fields)
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
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
// up; links to others end. Outlets of tasks that moved take along what they have queued; outlets of tasks without an
// address keep it until PeerTimeout. The map is copied. It may be called at any time.
func (t *Transport) SetPeers(peers map[gearcore.TaskID]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers = maps.Clone(peers)
	used := map[string]bool{}
	for _, addr := range peers {
		used[addr] = true
		t.linkLocked(addr)
	}
	for task, o := range t.outlets {
		addr := peers[task]
		used[addr] = true
		if to := t.linkLocked(addr); o.link.Load() != to {
			move(o, to)
		}
	}
	for addr, l := range t.links {
		if !used[addr] {
			delete(t.links, addr)
			if l.cancel != nil {
				l.cancel()
			}
		}
	}
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
	return l
}

// move hands o to another link. Transport.mu is held, so nobody else holds two links' locks.
func move(o *Outlet, to *link) {
	from := o.link.Load()
	from.mu.Lock()
	defer from.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	from.flow.remove(o)
	delete(from.outlets, o.task)
	o.link.Store(to)
	to.outlets[o.task] = o
	to.flow.schedule(o)
	to.kick()
}

// Outlet returns the way to a remote task, the same one each time. The task need not have an address yet.
func (t *Transport) Outlet(task gearcore.TaskID) *Outlet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.outlets[task]; o != nil {
		return o
	}
	o := &Outlet{t: t, task: task}
	l := t.linkLocked(t.peers[task])
	l.mu.Lock()
	defer l.mu.Unlock()
	o.link.Store(l)
	l.outlets[task] = o
	t.outlets[task] = o
	return o
}

// Ready reports whether every worker named by SetPeers is connected and every outlet has one.
func (t *Transport) Ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.links {
		if !l.isUp() {
			return false
		}
	}
	return true
}

// SetAssignment tells of a new assignment that this worker goes on in. Connections to peers of an older epoch are cut;
// the peers are refused until they know of it too, and lose nothing if they do in time.
func (t *Transport) SetAssignment(id string, epoch int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.assignment = id
	if epoch <= t.epoch {
		return
	}
	t.epoch = epoch
	for _, l := range t.links {
		l.mu.Lock()
		if l.conn != nil && l.epoch < epoch {
			l.conn.Close()
		}
		l.mu.Unlock()
	}
	for _, s := range t.sessions {
		s.cut(epoch)
	}
}

func (t *Transport) identity() identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	return identity{topology: t.cfg.TopologyID, worker: t.cfg.WorkerID, assignment: t.assignment, epoch: t.epoch, process: t.process, layout: t.layout}
}

// lose gives up a batch: it is counted, told and done with.
func (t *Transport) lose(b *gearcore.Batch, err error) {
	t.stats.LostTuples.Add(uint64(len(b.Rows)))
	if len(b.Rows) > 0 {
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
