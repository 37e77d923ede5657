package worker

import (
	"context"
	"sync"
	"time"
)

// spouts is the part of the engine that a gate works.
type spouts interface {
	Open()
	Activate()
	Deactivate()
}

// gate lets spouts run while the topology is active, but not before all links were up once. Later breaks do not close
// it: what is sent then waits.
type gate struct {
	spouts spouts
	early  bool // tasks are opened while the topology is inactive: what sinks hold back of the last checkpoint is not to wait for its users

	mu     sync.Mutex
	links  bool // were up once
	active bool // what the plan says
	shut   bool // the worker ends
	open   bool // what the engine was told
}

// await opens the gate for links as soon as up says so.
func (g *gate) await(ctx context.Context, up func() bool) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !up() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	g.change(func() { g.links = true })
}

func (g *gate) setActive(active bool) { g.change(func() { g.active = active }) }

// close shuts the gate for good.
func (g *gate) close() { g.change(func() { g.shut = true }) }

func (g *gate) change(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	if g.early && g.links && !g.shut {
		g.spouts.Open()
	}
	want := g.links && g.active && !g.shut
	if want == g.open {
		return
	}
	g.open = want
	if want {
		g.spouts.Activate()
	} else {
		g.spouts.Deactivate()
	}
}

// ready reports whether the links were up once and the engine does what the plan says.
func (g *gate) ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.links && g.open == g.active
}
