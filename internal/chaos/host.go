package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Host is a running topology as far as its workers run on this machine.
type Host struct {
	Client *client.Client
	Name   string
	// Locals are the storm.local.dir of the supervisors here.
	Locals []string
}

// View lists the workers of the topology that run here.
func (h Host) View(ctx context.Context) (v View, err error) {
	sum, err := h.Client.Nimbus().GetTopologySummaryByName(ctx, h.Name)
	if err != nil {
		return v, err
	}
	for _, local := range h.Locals {
		workers, err := WorkersOf(local, local)
		if err != nil {
			return v, err
		}
		for _, w := range workers {
			if w.Topology == sum.ID {
				v.Workers = append(v.Workers, w)
			}
		}
	}
	return v, nil
}

// Harm does a fault to one of the workers.
func (h Host) Harm(f Fault) (heal func() error, err error) {
	w, err := (&Node{Name: f.Node, Local: f.Node}).worker(f.Port)
	if err != nil {
		return nil, err
	}
	return w.harm(f.Kind)
}

// Begin notes which executors are at work. Nobody can tell here what is lost; the recovery is the time until each of them
// is at work again.
func (h Host) Begin(ctx context.Context) (Gauge, error) {
	g := &hostGauge{host: h}
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	first, err := h.work(limited)
	if err != nil {
		return nil, err
	}
	// Workers tell of their work every few seconds, so this is how long one has to look.
	if err := pause.For(limited, lookAtWork); err != nil {
		return nil, err
	}
	if g.before, err = h.work(limited); err != nil {
		return nil, err
	}
	for executor, n := range g.before {
		if n > first[executor] {
			g.busy = append(g.busy, executor)
		}
	}
	if len(g.busy) == 0 {
		return nil, fmt.Errorf("topology %s does nothing: faults would show nothing", h.Name)
	}
	g.began = time.Now()
	return g, nil
}

const lookAtWork = 4 * time.Second

// work is what each executor has done by now: tuples emitted and executed, as Nimbus knows. It falls when a worker is
// replaced.
func (h Host) work(ctx context.Context) (map[stormrpc.ExecutorInfo]int64, error) {
	info, err := h.Client.Nimbus().GetTopologyInfoByName(ctx, h.Name)
	if err != nil {
		return nil, err
	}
	done := map[stormrpc.ExecutorInfo]int64{}
	for _, e := range info.Executors {
		if e.Stats == nil || e.ExecutorInfo == nil {
			continue
		}
		id := *e.ExecutorInfo
		for _, n := range e.Stats.Emitted[":all-time"] {
			done[id] += n
		}
		if e.Stats.Specific != nil && e.Stats.Specific.Bolt != nil {
			for _, s := range e.Stats.Specific.Bolt.Executed[":all-time"] {
				done[id] += s.Value
			}
		}
	}
	return done, nil
}

type hostGauge struct {
	host   Host
	began  time.Time
	before map[stormrpc.ExecutorInfo]int64
	busy   []stormrpc.ExecutorInfo
}

// End waits until each executor that was at work is at work again.
func (g *hostGauge) End(ctx context.Context, r *Result) {
	last := map[stormrpc.ExecutorInfo]int64{}
	moved := map[stormrpc.ExecutorInfo]bool{}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	err := until(ctx, "all executors to work again", func() error {
		if err := pause.For(ctx, sampleEvery); err != nil {
			return err
		}
		now, err := g.host.work(ctx)
		if err != nil {
			return err
		}
		for _, e := range g.busy {
			if was, ok := last[e]; ok && now[e] > was {
				moved[e] = true
			}
			last[e] = now[e]
		}
		if len(moved) < len(g.busy) {
			return fmt.Errorf("%d of %d do", len(moved), len(g.busy))
		}
		return nil
	})
	if err != nil {
		r.Failf("%v", err)
	}
	r.Recovery = time.Since(g.began)
}
