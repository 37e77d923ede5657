package clustersim

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/internal/exact"
	"github.com/gearstorm/gearstorm/internal/simnet"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
	"github.com/gearstorm/gearstorm/worker"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// process is a worker that runs in this process. Killed, its goroutines may take a while to end, but nothing they do has
// an effect: its network is gone, and the ledger does not hear it.
type process struct {
	n      *node
	spec   isolate.WorkerSpec
	net    *simnet.Process
	cancel context.CancelFunc
	born   int64         // epoch of the plan it was started with
	done   chan struct{} // it has ended, for all who look from outside

	mu     sync.Mutex
	ended  bool
	frozen bool
	exit   isolate.Exit
}

func startProcess(n *node, spec isolate.WorkerSpec) *process {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{n: n, spec: spec, net: n.w.net.Process(n.host), cancel: cancel, done: make(chan struct{})}
	plan := stormrpc.NewTopologyPlan()
	if err := wire.Unmarshal(spec.Plan, plan); err != nil {
		n.w.journal.wrong("plan of worker %s: %v", spec.Worker, err)
	}
	p.born = plan.Epoch
	n.mu.Lock()
	n.workers = append(n.workers, p)
	n.mu.Unlock()
	n.w.journal.count(func(t *totals) { t.Launches++ })
	n.w.journal.say("%s:%d worker %.8s starts", n.name(), spec.Port, spec.Worker)
	n.w.group.Go(func() {
		err := worker.Run(ctx, worker.Config{
			Spec: spec, Loops: 1, Log: n.w.journal.logger(p.name()),
			Components: func(c conf.Conf) (worker.Registry, error) {
				if n.w.exact != nil {
					return exact.RegistryOf(c)
				}
				return n.w.components(p), nil
			},
			Dial: wire.DialOptions{Dial: p.net.Dial},
			Transport: func(c *transport.Config) {
				c.TCPOnly, c.Bind, c.Dial = true, p.net.Listen, p.net.Dial
			},
		})
		e := isolate.Exit{Known: true}
		if err != nil {
			e.Code = 1
			n.w.journal.say("%s:%d worker %.8s: %v", n.name(), spec.Port, spec.Worker, err)
		}
		p.end(e)
	})
	return p
}

func (p *process) name() string { return p.n.name() + ":" + p.spec.Worker[:8] }

// epoch is that of the plan it follows, which it may have been started with.
func (p *process) epoch() int64 { return max(p.n.w.journal.epoch(p.name()), p.born) }

// end is the moment in which the process is gone.
func (p *process) end(e isolate.Exit) {
	p.mu.Lock()
	if p.ended {
		p.mu.Unlock()
		return
	}
	p.ended, p.exit = true, e
	p.mu.Unlock()
	if e.Signal != 0 {
		p.n.w.journal.count(func(t *totals) { t.Kills++ })
	}
	p.net.Kill()
	p.cancel()
	close(p.done)
	p.n.w.journal.say("%s:%d worker %.8s ended: %v", p.n.name(), p.spec.Port, p.spec.Worker, e)
}

func (p *process) kill9() { p.end(isolate.Exit{Known: true, Signal: syscall.SIGKILL, Code: 137}) }

func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.ended
}

func (p *process) freeze() {
	p.mu.Lock()
	p.frozen = true
	p.mu.Unlock()
	p.net.Freeze()
}

func (p *process) thaw() {
	p.mu.Lock()
	p.frozen = false
	p.mu.Unlock()
	p.net.Thaw()
}

func (p *process) isFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen
}

// Identity implements supervisor.Process.
func (p *process) Identity() isolate.Identity {
	return isolate.Identity{Worker: p.spec.Worker, Pid: 1, Start: 1, Boot: "sim"}
}

// Done implements supervisor.Process.
func (p *process) Done() <-chan struct{} { return p.done }

// Exit implements supervisor.Process.
func (p *process) Exit() isolate.Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Kill implements supervisor.Process. A frozen process does not see the first signal.
func (p *process) Kill(ctx context.Context, grace time.Duration) error {
	if !p.isFrozen() {
		p.cancel()
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(grace):
		p.kill9()
	}
	return nil
}

// Release implements supervisor.Process.
func (p *process) Release() {}

// Usage implements supervisor.Process.
func (p *process) Usage() isolate.Usage { return isolate.Usage{} }

// SetLimits implements supervisor.Process.
func (p *process) SetLimits(isolate.Limits) error { return nil }
