package simnet

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Net is one network. Use New.
type Net struct {
	mu        sync.Mutex // guards everything of this package
	seed      uint64
	lanes     map[path]*lane
	cuts      map[path]bool
	listeners map[netip.AddrPort]*listener
	conns     []*conn // both ends, until both are closed
	waiting   map[*dialling]struct{}
	port      uint16 // of the last dialling end
	spread    func(*rand.Rand) time.Duration
}

// path is one direction between two hosts.
type path struct{ from, to netip.Addr }

// lane is how long things take on a path. Each has its own source of chance, so that what happens on one is nothing to
// the others.
type lane struct {
	base time.Duration
	rng  *rand.Rand
}

// New makes a network whose delays follow from seed. Each direction between two hosts has a base delay that spread
// draws once; up to a tenth of it more varies from write to write.
func New(seed uint64, spread func(*rand.Rand) time.Duration) *Net {
	return &Net{
		seed: seed, spread: spread, lanes: map[path]*lane{}, cuts: map[path]bool{},
		listeners: map[netip.AddrPort]*listener{}, waiting: map[*dialling]struct{}{}, port: 1 << 15,
	}
}

// Process returns the network as a new process on that host sees it.
func (n *Net) Process(host netip.Addr) *Process { return &Process{n: n, host: host} }

// Cut stops what goes from one host to another. New connections between them wait, whichever side dials.
func (n *Net) Cut(from, to netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if from != to {
		n.cuts[path{from, to}] = true
	}
}

// Heal undoes a Cut; what waited is on its way now.
func (n *Net) Heal(from, to netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.cuts, path{from, to})
	n.resumeLocked()
}

// HealAll undoes all cuts.
func (n *Net) HealAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cuts)
	n.resumeLocked()
}

// Reset breaks the connections between two hosts for both ends at once, as a middlebox that forgot them does.
func (n *Net) Reset(a, b netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range slices.Clone(n.conns) {
		if c.at.host == a && c.peer.at.host == b || c.at.host == b && c.peer.at.host == a {
			c.breakLocked()
		}
	}
}

// resumeLocked puts on its way what can go again.
func (n *Net) resumeLocked() {
	now := time.Now()
	for _, c := range n.conns {
		if p := c.in; !n.stalledLocked(p) && p.stalled {
			p.stalled = false
			p.lateLocked(now.Add(n.delayLocked(p.from.host, p.to.host)))
			p.wakeLocked()
		}
	}
	for d := range n.waiting {
		d.wakeLocked()
	}
}

// stalledLocked says whether nothing gets through p at present, and remembers it.
func (n *Net) stalledLocked(p *pipe) bool {
	if n.cuts[path{p.from.host, p.to.host}] || p.from.frozen || p.to.frozen {
		p.stalled = true
		return true
	}
	return false
}

func (n *Net) delayLocked(from, to netip.Addr) time.Duration {
	if from == to {
		return 20 * time.Microsecond
	}
	l := n.lanes[path{from, to}]
	if l == nil {
		x, y := from.As16(), to.As16()
		where := binary.BigEndian.Uint64(x[8:])<<32 ^ binary.BigEndian.Uint64(y[8:])
		l = &lane{rng: rand.New(rand.NewPCG(n.seed, where))}
		l.base = n.spread(l.rng)
		n.lanes[path{from, to}] = l
	}
	return l.base + time.Duration(l.rng.Int64N(int64(l.base)/10+1))
}

func (n *Net) nextPortLocked() uint16 {
	n.port++
	if n.port < 1<<15 {
		n.port = 1 << 15
	}
	return n.port
}

// Process is the network of one process. Its connections and listeners end with it.
type Process struct {
	n    *Net
	host netip.Addr

	frozen, dead bool
}

// Kill ends the process as SIGKILL does: its ends are closed without a word of its own, and what it had written and
// what was under way arrives. The process can do nothing any more, even if goroutines of it are left.
func (p *Process) Kill() {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.dead, p.frozen = true, false
	p.n.resumeLocked()
	for _, c := range slices.Clone(p.n.conns) {
		if c.at == p {
			c.closeLocked()
		}
	}
	for _, l := range p.n.listeners {
		if l.at == p {
			l.closeLocked()
		}
	}
}

// Freeze stops the process's network as SIGSTOP stops a process: nothing gets in or out. Connections to it are made, as
// the kernel makes them, and stay without an answer.
func (p *Process) Freeze() { p.setFrozen(true) }

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.setFrozen(false) }

func (p *Process) setFrozen(yes bool) {
	p.n.mu.Lock()
	defer p.n.mu.Unlock()
	p.frozen = yes && !p.dead
	p.n.resumeLocked()
}

func addrOf(a netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(a) }
