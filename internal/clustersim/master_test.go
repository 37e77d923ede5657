package clustersim

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/internal/simnet"
	"github.com/gearstorm/gearstorm/nimbus"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

const nimbusPort = 6627

// master is a host on which a Nimbus is kept running.
type master struct {
	w    *world
	i    int
	host netip.Addr
	skew time.Duration // of its clock

	mu   sync.Mutex
	down bool // nothing is started
	life *masterLife
}

// masterLife is one process.
type masterLife struct {
	net    *simnet.Process
	store  *session
	cancel context.CancelFunc
	done   chan struct{}
}

func newMaster(w *world, i int) *master { return &master{w: w, i: i, host: masterHost(i)} }

func (m *master) name() string { return "m" + strconv.Itoa(m.i+1) }

func (m *master) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.startLocked()
}

func (m *master) startLocked() {
	ctx, cancel := context.WithCancel(m.w.ctx)
	l := &masterLife{net: m.w.net.Process(m.host), store: newSession(m), cancel: cancel, done: make(chan struct{})}
	m.life, m.down = l, false
	m.w.group.Go(func() {
		defer close(l.done)
		defer l.store.Close()
		for ctx.Err() == nil {
			if err := m.serve(ctx, l); err != nil && ctx.Err() == nil {
				m.w.journal.say("%s: %v", m.name(), err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// serve is a Nimbus, which leads and follows in turns.
func (m *master) serve(ctx context.Context, l *masterLife) error {
	ln, err := l.net.Listen("tcp", net.JoinHostPort(m.host.String(), strconv.Itoa(nimbusPort)))
	if err != nil {
		return err
	}
	n, err := nimbus.New(nimbus.Config{
		Conf: m.w.conf, Store: l.store, BlobDir: filepath.Join(m.w.dir, m.name()),
		Listener: ln, Listen: ln.Addr().String(), Dial: wire.DialOptions{Dial: l.net.Dial},
		Host: m.host.String(), User: "sim", Now: func() time.Time { return time.Now().Add(m.skew) }, Log: m.w.journal.logger(m.name()),
	})
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	return n.Run(ctx)
}

// kill ends the process as SIGKILL does; its session with the store lasts until it times out.
func (m *master) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return
	}
	m.down = true
	m.life.net.Kill()
	m.life.store.die()
	m.life.cancel()
}

// freeze stops the process as SIGSTOP does, as far as others can tell.
func (m *master) freeze() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life.net.Freeze()
	m.life.store.cutOff(true)
}

func (m *master) cutStore() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life.store.cutOff(false)
}

// loseSession has the store end the process's session; the process hears of it.
func (m *master) loseSession() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life.store.peer.Expire()
}

// heal undoes whatever was done to the host.
func (m *master) heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		<-m.life.done
		m.startLocked()
		return
	}
	m.life.net.Thaw()
	m.life.store.heal()
}

func (m *master) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.life.net.Thaw()
	m.life.cancel()
	<-m.life.done
}

func (m *master) leads() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.down && m.life.store.leads()
}
