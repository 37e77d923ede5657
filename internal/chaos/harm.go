package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// View is the cluster as it is now.
func (c *Cluster) View(ctx context.Context) (v View, err error) {
	for _, s := range c.supervisors {
		if s.Running() {
			v.Supervisors = append(v.Supervisors, s.Name)
		}
	}
	leader, err := c.Leader(ctx)
	if err != nil {
		return v, err
	}
	v.Leader, v.Topology = leader.Name, TopologyName
	v.Workers, err = c.Workers()
	return v, err
}

// Node returns the daemon of that name, nil if there is none.
func (c *Cluster) Node(name string) *Node {
	for _, n := range append(c.nimbuses[:len(c.nimbuses):len(c.nimbuses)], c.supervisors...) {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Harm does a fault and returns what heals it. Healing restores what the fault broke, whatever the cluster did meanwhile.
func (c *Cluster) Harm(f Fault) (heal func() error, err error) {
	if f.Kind == Rebalance {
		return func() error { return nil }, c.rebalance(f.Node, f.Count)
	}
	n := c.Node(f.Node)
	if n == nil {
		return nil, fmt.Errorf("there is no %s", f.Node)
	}
	if f.Port != 0 {
		w, err := n.worker(f.Port)
		if err != nil {
			return nil, err
		}
		return w.harm(f.Kind)
	}
	again := func() error { return c.Start(n) }
	switch f.Kind {
	case KillSupervisor, KillNimbus:
		return again, n.Signal(syscall.SIGKILL)
	case KillNode:
		return again, n.killAll()
	case Pause:
		return func() error { return n.Signal(syscall.SIGCONT) }, n.Signal(syscall.SIGSTOP)
	case Partition:
		return n.Heal, n.Cut()
	case OneWay:
		to := c.Node(f.Toward)
		if to == nil {
			return nil, fmt.Errorf("there is no %s", f.Toward)
		}
		return n.Heal, n.CutTo(to.Site)
	}
	return nil, fmt.Errorf("%s cannot be done to %s", f.Kind, f.Node)
}

// rebalance gives a topology another number of workers, at once. While masters change it asks again: twice does no harm.
func (c *Cluster) rebalance(topology string, workers int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o := stormrpc.NewRebalanceOptions()
	now, n := int32(0), int32(workers)
	o.WaitSecs, o.NumWorkers = &now, &n
	for {
		err := c.client.Nimbus().Rebalance(ctx, topology, o)
		if !client.Retryable(err) || pause.For(ctx, time.Second) != nil {
			return err
		}
	}
}

// worker is the one in a slot of the node.
func (n *Node) worker(port int) (Worker, error) {
	workers, err := n.Workers()
	if err != nil {
		return Worker{}, err
	}
	for _, w := range workers {
		if w.Port == port {
			return w, nil
		}
	}
	return Worker{}, fmt.Errorf("no worker runs in %s:%d", n.Name, port)
}

// killAll kills the supervisor, so that it starts nothing, and then its workers, and waits for their ends.
func (n *Node) killAll() error {
	workers, err := n.Workers() // before its end, with which a small disk goes
	errs := []error{err, n.Signal(syscall.SIGKILL)}
	for _, w := range workers {
		errs = append(errs, w.end())
	}
	return errors.Join(errs...)
}

// end kills the worker and waits for its end.
func (w Worker) end() error {
	if err := w.Signal(syscall.SIGKILL); err != nil && !gone(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), reapLimit)
	defer cancel()
	return until(ctx, "the end of a worker", func() error {
		if w.Alive() {
			return errors.New("it still runs")
		}
		return nil
	})
}

// gone says that a process had ended before it could be sent a signal.
func gone(err error) bool {
	return errors.Is(err, isolate.ErrGone) || errors.Is(err, os.ErrProcessDone)
}

// harm does a fault to a worker.
func (w Worker) harm(k Kind) (heal func() error, err error) {
	switch k {
	case KillWorker:
		return func() error { return nil }, w.Signal(syscall.SIGKILL)
	case Pause:
		heal := func() error {
			if err := w.Signal(syscall.SIGCONT); !gone(err) {
				return err
			}
			return nil // its supervisor took it for hung and ended it
		}
		return heal, w.Signal(syscall.SIGSTOP)
	}
	return nil, fmt.Errorf("%s cannot be done to a worker", k)
}
