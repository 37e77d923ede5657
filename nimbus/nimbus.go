package nimbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// ErrDeposed is returned by Run when another master leads now.
var ErrDeposed = errors.New("another nimbus leads")

// Nimbus is one master. Use New, then Run once.
type Nimbus struct {
	cfg       Config
	set       settings
	authorize authorizer
	blobs     *blobstore.Store
	listener  net.Listener
	started   time.Time

	change sync.Mutex // serializes changes of records; taken before mu; held over writes

	mu         sync.Mutex // guards what follows; nothing slow is done under it
	term       cluster.Term
	leads      bool
	heard      time.Time            // when a node reported last
	hearing    time.Time            // since when nodes report without a pause
	topologies map[string]*topology // by id
	byName     map[string]string    // id by name
	nodes      map[string]*node
	workers    map[workerKey]*worker
	sequence   int64 // last plan version handed out, in the term
	placements int64 // last assignment numbered, in the term
	submitted  int64 // topologies of this process, for their ids

	errors errorBook // has its own lock
	alarms alarms    // has its own lock
	kick   chan struct{}
	fenced chan struct{} // room for one: a write was refused for its epoch
	lists  listings      // sessions of listBlobs, has its own lock

	atPoint func(string) // tests end the process in it; nil otherwise
}

// New makes a master and binds its address, so that Addr is known; it serves nothing before Run. Close it if Run is
// never called.
func New(cfg Config) (*Nimbus, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	set, err := readSettings(cfg.Conf)
	if err != nil {
		return nil, err
	}
	auth, err := newAuthorizer(cfg.Conf)
	if err != nil {
		return nil, err
	}
	blobs, err := blobstore.Open(blobstore.Config{Dir: cfg.BlobDir, MaxBlobBytes: cfg.MaxJarBytes,
		Idle: set.blobIdle, Keep: set.inboxKeep, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	ln := cfg.Listener
	if ln == nil {
		if ln, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, errors.Join(fmt.Errorf("listen for clients: %w", err), blobs.Close())
		}
	}
	return &Nimbus{
		cfg: cfg, set: set, authorize: auth, blobs: blobs, listener: ln, started: cfg.Now(),
		topologies: make(map[string]*topology),
		byName:     make(map[string]string),
		nodes:      make(map[string]*node),
		workers:    make(map[workerKey]*worker),
		kick:       make(chan struct{}, 1),
		fenced:     make(chan struct{}, 1),
		alarms:     newAlarms(),
		errors:     newErrorBook(),
		lists:      newListings(),
	}, nil
}

// Addr is the address that is served.
func (n *Nimbus) Addr() string { return n.listener.Addr().String() }

// Port is the port of Addr, which clients are told.
func (n *Nimbus) Port() int { return n.listener.Addr().(*net.TCPAddr).Port }

// Close releases a master that never ran.
func (n *Nimbus) Close() error { return errors.Join(n.listener.Close(), n.blobs.Close()) }

// Run leads: it waits until this master is elected, reads the records, serves clients and nodes, and blocks until ctx
// ends (then it returns nil) or leadership is lost (ErrDeposed). It waits for calls in progress and for what it started.
// Afterwards the master cannot be used again.
func (n *Nimbus) Run(ctx context.Context) error {
	defer n.blobs.Close()
	defer n.listener.Close()
	term, err := n.cfg.Store.Campaign(ctx, n.cfg.Host)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("campaign for leadership: %w", err)
	}
	if err := n.takeOver(ctx, term); err != nil {
		return err
	}
	server, err := wire.NewServer(wire.Options{
		MaxFrameBytes: int(n.set.frameBytes),
		MaxInFlight:   int(n.set.threads),
		MaxConns:      10_000 + n.cfg.MaxNodes,
		MaxHeld:       2 * n.cfg.MaxNodes,
		Held:          []string{"syncNode"},
		Log:           n.cfg.Log,
	}, stormrpc.NewNimbusProcessor(n), stormrpc.NewGearstormProcessor(n))
	if err != nil {
		return fmt.Errorf("serve clients: %w", err)
	}
	n.cfg.Log.Info("nimbus leads", "addr", n.Addr(), "epoch", int64(term.Epoch))
	return n.serve(ctx, server)
}

// serve runs the server and the loop until one of them or ctx ends, then ends the others.
func (n *Nimbus) serve(ctx context.Context, server *wire.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- server.Serve(n.listener) }()
	err := n.loop(ctx, served)
	grace, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	n.resign()
	if e := server.Shutdown(grace); e != nil {
		n.cfg.Log.Warn("calls were cut off at shutdown", "err", e)
	}
	return err
}

// loop is the one goroutine that acts without being called: timers, scheduling, housekeeping.
func (n *Nimbus) loop(ctx context.Context, served <-chan error) error {
	monitor := time.NewTicker(n.set.monitorPeriod)
	defer monitor.Stop()
	sweep := time.NewTicker(n.set.sweepPeriod)
	defer sweep.Stop()
	flush := time.NewTicker(time.Second)
	defer flush.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	n.mu.Lock()
	lost := n.term.Lost
	n.mu.Unlock()
	for {
		alarm.Reset(n.alarms.untilNext(n.cfg.Now()))
		var err error
		select {
		case <-ctx.Done():
			n.flushErrors(context.WithoutCancel(ctx))
			return nil
		case <-lost:
			return ErrDeposed
		case <-n.fenced:
			return ErrDeposed
		case err := <-served:
			return err
		case <-n.alarms.changed:
		case <-alarm.C:
			err = n.ring(ctx)
		case <-n.kick:
			err = n.round(ctx, false)
		case <-monitor.C:
			n.forgetSilentNodes()
			err = n.round(ctx, true)
		case <-flush.C:
			err = n.flushErrors(ctx)
		case <-sweep.C:
			n.blobs.Expire()
			n.lists.expire(n.cfg.Now().Add(-n.set.blobIdle))
		}
		if errors.Is(err, cluster.ErrFenced) {
			return ErrDeposed
		}
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Error("master could not do its round", "err", err)
		}
	}
}

// wake asks the loop for a round of scheduling. It never blocks; many calls may lead to one round.
func (n *Nimbus) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

func (n *Nimbus) resign() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leads = false
}

// lead returns nil while this master leads.
func (n *Nimbus) lead() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.leads {
		return errors.New("not a leader, current leader is unknown")
	}
	return nil
}

// txn writes to the store under this term.
func (n *Nimbus) txn(ctx context.Context, ops ...cluster.Op) error {
	n.mu.Lock()
	epoch := n.term.Epoch
	n.mu.Unlock()
	// A caller that hangs up must not leave memory and store apart: a write that began is finished.
	err := n.cfg.Store.Txn(context.WithoutCancel(ctx), epoch, ops...)
	if errors.Is(err, cluster.ErrFenced) {
		n.resign()
		select {
		case n.fenced <- struct{}{}:
		default:
		}
	}
	return err
}

// byID finds a live topology.
func (n *Nimbus) byID(id string) (*topology, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.topologies[id]
	return t, ok
}

// named finds a live topology by its name.
func (n *Nimbus) named(name string) (*topology, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, ok := n.topologies[n.byName[name]]
	return t, ok
}

// all returns the live topologies in order of ids.
func (n *Nimbus) all() []*topology {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*topology, 0, len(n.topologies))
	for _, t := range n.topologies {
		out = append(out, t)
	}
	sortTopologies(out)
	return out
}

// replaceLocked puts t in place of what stands under its id and tells the nodes of both. It is the last that changes t.
func (n *Nimbus) replaceLocked(t *topology) {
	t.on = make(map[string]bool)
	for _, p := range t.assignment.Executors {
		t.on[p.Node] = true
	}
	t.told = t.plan(n.nextVersionLocked(), int64(n.term.Epoch))
	if old, ok := n.topologies[t.ID]; ok {
		n.tellLocked(old.on)
	}
	n.topologies[t.ID], n.byName[t.Name] = t, t.ID
	n.tellLocked(t.on)
}

func (n *Nimbus) removeLocked(t *topology) {
	delete(n.topologies, t.ID)
	delete(n.byName, t.Name)
	for key := range n.workers {
		if key.topology == t.ID {
			delete(n.workers, key)
		}
	}
	n.errors.drop(t.ID) // those that came while its records were deleted; from now on none is taken
	n.tellLocked(t.on)
}

// nextVersionLocked returns a plan version above all before, those of earlier terms included.
func (n *Nimbus) nextVersionLocked() int64 {
	n.sequence++
	return int64(n.term.Epoch)<<32 | n.sequence
}
