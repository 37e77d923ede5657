package nimbus

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/blobstore"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Nimbus is one master. Use New, then Run once.
type Nimbus struct {
	cfg       Config
	set       settings
	policy    policy // of scheduling
	authorize authorizer
	blobs     *blobstore.Store
	listener  net.Listener
	started   time.Time

	change sync.Mutex // serializes changes of records; taken before mu; held over writes

	mu          sync.Mutex           // guards what follows; nothing slow is done under it
	term        *term                // nil while following; from its end on until its calls have returned it is still there
	leads       bool                 // calls of the term are taken
	heard       time.Time            // when a node reported last, in the term
	hearing     time.Time            // since when nodes report without a pause
	acting      int                  // calls taken and not answered
	idle        chan struct{}        // closed when acting comes to 0 after the term; nil when nobody waits
	link        *link                // to the leader while it is followed and answers
	topologies  map[string]*topology // by id
	byName      map[string]string    // id by name
	nodes       map[string]*node
	workers     map[workerKey]*worker
	sequence    int64                 // last plan version handed out, in the term
	placements  int64                 // last assignment numbered, in the term
	submitted   int64                 // topologies of this process, for their ids
	peers       map[string]*peer      // by address
	book        map[string]*blobEntry // by key
	bookStale   bool                  // an entry is stale
	bookVersion int64                 // of what peers are told of the book
	peerNews    chan struct{}         // closed and replaced when that changes
	copied      chan struct{}         // closed and replaced when a peer holds other blobs than before
	blacklist   *schedule.Blacklist
	said        map[string]string                        // what the scheduler said of topologies, by id
	done        map[requestKey]bool                      // requests that workers say they have carried out
	savepoints  map[int64]chan *stormrpc.SavepointAnswer // who waits for which request
	inquiries   map[int64]*inquiry                       // questions about state that are not answered

	errors    errorBook // has its own lock
	alarms    alarms    // has its own lock
	kick      chan struct{}
	lists     listings      // sessions of listBlobs, has its own lock
	mirror    *mirror       // gets blobs, has its own lock
	look      chan struct{} // room for one: see who leads
	namesakes int           // see whoLeads, which alone uses it
	figures   figures
	settled   chan struct{} // closed when it first leads or follows
	settle    func()        // closes it

	changing map[string]bool       // topologies of which a new version is being made, by id
	trials   map[string]*trial     // of versions that may go back, by id
	deaths   map[workerKey]*deaths // of workers of such versions

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
	policy, err := readPolicy(cfg.Conf)
	if err != nil {
		return nil, err
	}
	blacklist, err := newBlacklist(cfg.Conf)
	if err != nil {
		return nil, err
	}
	auth, err := newAuthorizer(cfg.Conf)
	if err != nil {
		return nil, err
	}
	blobs, err := blobstore.Open(blobstore.Config{Dir: cfg.BlobDir, MaxBlobBytes: cfg.MaxJarBytes,
		Idle: set.blobIdle, Keep: set.inboxKeep, Now: cfg.Now, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	ln := cfg.Listener
	if ln == nil {
		if ln, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, errors.Join(fmt.Errorf("listen for clients: %w", err), blobs.Close())
		}
	}
	settled := make(chan struct{})
	return &Nimbus{
		settled: settled, settle: sync.OnceFunc(func() { close(settled) }),
		cfg: cfg, set: set, policy: policy, blacklist: blacklist, authorize: auth, blobs: blobs, listener: ln, started: cfg.Now(),
		topologies: make(map[string]*topology),
		byName:     make(map[string]string),
		nodes:      make(map[string]*node),
		workers:    make(map[workerKey]*worker),
		kick:       make(chan struct{}, 1),
		peers:      make(map[string]*peer),
		book:       make(map[string]*blobEntry),
		peerNews:   make(chan struct{}),
		copied:     make(chan struct{}),
		mirror:     newMirror(),
		look:       make(chan struct{}, 1),
		alarms:     newAlarms(),
		errors:     newErrorBook(),
		lists:      newListings(),
		done:       make(map[requestKey]bool),
		changing:   make(map[string]bool),
		trials:     make(map[string]*trial),
		deaths:     make(map[workerKey]*deaths),
		savepoints: map[int64]chan *stormrpc.SavepointAnswer{},
		inquiries:  make(map[int64]*inquiry),
	}, nil
}

// Addr is the address that is served.
func (n *Nimbus) Addr() string { return n.listener.Addr().String() }

// Port is the port of Addr, which clients are told.
func (n *Nimbus) Port() int { return n.listener.Addr().(*net.TCPAddr).Port }

// Close releases a master that never ran.
func (n *Nimbus) Close() error { return errors.Join(n.listener.Close(), n.blobs.Close()) }

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
	t.told = t.plan(n.nextVersionLocked(), int64(n.epochLocked()))
	if old, ok := n.topologies[t.ID]; ok {
		n.leaveLocked(old, t)
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
	maps.DeleteFunc(n.done, func(k requestKey, _ bool) bool { return k.topology == t.ID })
	n.forgetTrialLocked(t.ID)
	n.errors.drop(t.ID) // those that came while its records were deleted; from now on none is taken
	n.tellLocked(t.on)
}

// nextVersionLocked returns a plan version above all before, those of earlier terms included.
func (n *Nimbus) nextVersionLocked() int64 {
	n.sequence++
	return int64(n.epochLocked())<<32 | n.sequence
}
