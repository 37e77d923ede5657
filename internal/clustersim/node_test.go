package clustersim

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/simnet"
	"github.com/gearstorm/gearstorm/supervisor"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

const supervisorPort = 6628

// node is a host with a supervisor and its workers.
type node struct {
	w    *world
	i    int
	host netip.Addr
	dir  string

	mu      sync.Mutex
	down    bool
	life    *nodeLife
	workers []*process // all there ever were
}

// nodeLife is one supervisor process.
type nodeLife struct {
	n      *node
	net    *simnet.Process
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	dead  bool
	awake chan struct{} // closed unless it is frozen
}

func newNode(w *world, i int) *node {
	n := &node{w: w, i: i, host: nodeHost(i)}
	n.dir = filepath.Join(w.dir, n.name())
	return n
}

func (n *node) name() string { return "s" + strconv.Itoa(n.i+1) }

func (n *node) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.startLocked()
}

func (n *node) startLocked() {
	ctx, cancel := context.WithCancel(n.w.ctx)
	l := &nodeLife{n: n, net: n.w.net.Process(n.host), cancel: cancel, done: make(chan struct{}), awake: make(chan struct{})}
	close(l.awake)
	n.life, n.down = l, false
	n.w.group.Go(func() {
		defer close(l.done)
		if err := l.run(ctx); err != nil && ctx.Err() == nil {
			n.w.journal.wrong("supervisor %s ended: %v", n.name(), err)
		}
	})
}

func (l *nodeLife) run(ctx context.Context) error {
	n := l.n
	// Its name as an id makes what is logged readable.
	id := filepath.Join(n.dir, "supervisor", "id")
	if err := os.MkdirAll(filepath.Dir(id), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(id, []byte(n.name()), 0o600); err != nil {
		return err
	}
	cfg, err := supervisor.FromConf(n.w.conf)
	if err != nil {
		return err
	}
	cfg.LocalDir, cfg.LogDir, cfg.ArtifactsDir = n.dir, filepath.Join(n.dir, "logs"), "workers-artifacts"
	cfg.Hostname, cfg.Listen, cfg.ThriftPort, cfg.Ports = n.host.String(), n.host.String(), supervisorPort, []int{6700, 6701}
	cfg.Nimbus = n.w.clientOptions(l.net)
	cfg.Isolator, cfg.Processes, cfg.Bind = isolate.None{}, l, l.net.Listen
	cfg.Log = n.w.journal.logger(n.name())
	s, err := supervisor.New(cfg)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// kill ends the supervisor as SIGKILL does; its workers go on.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return
	}
	n.down = true
	n.life.thaw()
	n.life.die()
}

func (l *nodeLife) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.net.Kill()
	l.cancel()
}

// freeze stops the supervisor as SIGSTOP does, as far as others can tell.
func (n *node) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.life.freeze()
}

func (l *nodeLife) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isAwakeLocked() {
		l.awake = make(chan struct{})
		l.net.Freeze()
	}
}

func (l *nodeLife) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isAwakeLocked() {
		close(l.awake)
		l.net.Thaw()
	}
}

func (l *nodeLife) isAwakeLocked() bool {
	select {
	case <-l.awake:
		return true
	default:
		return false
	}
}

// act holds who is frozen, and tells who is dead.
func (l *nodeLife) act() error {
	l.mu.Lock()
	awake := l.awake
	l.mu.Unlock()
	<-awake
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errDead
	}
	return nil
}

// crash ends all that runs on the host.
func (n *node) crash() {
	n.kill()
	for _, p := range n.live() {
		p.kill9()
	}
}

// killWorker ends the k-th of the workers that live, if there are as many.
func (n *node) killWorker(k int) {
	if all := n.live(); k < len(all) {
		all[k].kill9()
	}
}

func (n *node) freezeWorker(k int) {
	if all := n.live(); k < len(all) {
		all[k].freeze()
	}
}

func (n *node) thawWorkers() {
	for _, p := range n.live() {
		p.thaw()
	}
}

// heal undoes whatever was done to the host.
func (n *node) heal() {
	n.thawWorkers()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		<-n.life.done
		n.startLocked()
		return
	}
	n.life.thaw()
}

// end shuts the host down.
func (n *node) end() {
	n.mu.Lock()
	n.life.thaw()
	n.life.cancel()
	n.mu.Unlock()
	<-n.life.done
	for _, p := range n.live() {
		p.kill9()
	}
}

// live returns the workers that run, in the order of their launch.
func (n *node) live() []*process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(n.workers), func(p *process) bool { return !p.alive() })
}

// launched is how many workers there ever were.
func (n *node) launched() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.workers)
}

// Launch implements supervisor.Processes.
func (l *nodeLife) Launch(launch isolate.Launch) (supervisor.Process, error) {
	if err := l.act(); err != nil {
		return nil, err
	}
	for _, p := range l.n.live() {
		if p.spec.Port == launch.Spec.Port {
			l.n.w.journal.wrong("slot %s:%d gets worker %s while %s lives there", l.n.name(), p.spec.Port, launch.Spec.Worker, p.spec.Worker)
		}
	}
	for _, dir := range []string{launch.Spec.WorkerDir, launch.Spec.PidDir, filepath.Dir(launch.Spec.LogPath)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return child{startProcess(l.n, launch.Spec), l}, nil
}

// Adopt implements supervisor.Processes.
func (l *nodeLife) Adopt(id isolate.Identity, _ isolate.Isolator) (supervisor.Process, error) {
	for _, p := range l.n.live() {
		if p.spec.Worker == id.Worker {
			l.n.w.journal.count(func(t *totals) { t.Adopted++ })
			return child{p, l}, nil
		}
	}
	return nil, isolate.ErrGone
}

// Find implements supervisor.Processes.
func (l *nodeLife) Find(worker string) (isolate.Identity, bool) {
	for _, p := range l.n.live() {
		if p.spec.Worker == worker {
			return p.Identity(), true
		}
	}
	return isolate.Identity{}, false
}

// child is a worker as one life of its supervisor has it: who is frozen or dead does not kill.
type child struct {
	*process
	by *nodeLife
}

// Kill implements supervisor.Process.
func (c child) Kill(ctx context.Context, grace time.Duration) error {
	if err := c.by.act(); err != nil {
		return err
	}
	return c.process.Kill(ctx, grace)
}

// Sweep implements supervisor.Processes.
func (l *nodeLife) Sweep(_ context.Context, worker string, _ isolate.Isolator) (int, error) {
	for _, p := range l.n.live() {
		if p.spec.Worker == worker {
			p.kill9()
			return 1, nil
		}
	}
	return 0, nil
}

var errDead = fmt.Errorf("this process was killed")
