package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
)

// Config describes a World.
type Config struct {
	Seed uint64
	Plan *dag.Plan
	// Workers holds the executors of each worker.
	Workers [][]dag.Executor
	// NewTask makes the code of a task, again after each restart of its worker.
	NewTask func(worker int, d dag.Task) any
	// Engine is the template of the engines' configuration: timeouts, bounds, ticks. Its Plan, Local, NewTask, Remote,
	// Clock and Seed are set here.
	Engine engine.Config
	// MaxDelay is the longest a message travels. Default 2 ms.
	MaxDelay time.Duration
	// LinkBatches bounds the batches of tuples on their way from one worker to one executor of another, until they were
	// consumed. Default 8.
	LinkBatches int
	// Breaks is about how many messages apart connections break, which loses the results under way. 0: never.
	Breaks int
	// MaxCalls bounds the calls of user code in a step; the actual number is random. Default 20.
	MaxCalls int
}

// World is a running simulation.
type World struct {
	cfg   Config
	rnd   *rand.Rand
	now   time.Duration
	nodes []*node
	links []*link       // from*len(nodes)+to
	plan  *plan         // the newest
	drain time.Duration // of its change
	trace uint64

	rotateAt time.Duration
	steps    int
}

// node is a worker. driver is nil while it is down.
type node struct {
	driver *engine.Driver
	life   uint64 // counts its starts
	plan   *plan  // what it has heard of

	waits   bool // a newer one is on its way
	hearsAt time.Duration
}

type clock struct{ w *World }

func (c clock) Now() time.Duration { return c.w.now }

// New makes a World with all workers up and active.
func New(cfg Config) (*World, error) {
	w := &World{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0x51a)), now: time.Second}
	w.cfg.MaxDelay = max(cfg.MaxDelay, 0)
	if cfg.MaxDelay == 0 {
		w.cfg.MaxDelay = 2 * time.Millisecond
	}
	if cfg.LinkBatches == 0 {
		w.cfg.LinkBatches = 8
	}
	if cfg.MaxCalls == 0 {
		w.cfg.MaxCalls = 20
	}
	w.plan = newPlan(1, cfg.Plan, cfg.Workers)
	for range cfg.Workers {
		w.nodes = append(w.nodes, &node{})
	}
	w.links = make([]*link, len(w.nodes)*len(w.nodes))
	for i := range w.links {
		l := &link{w: w, from: i / len(w.nodes), to: i % len(w.nodes), flows: map[gearcore.TaskID]*flow{}}
		l.trees.l = l
		w.links[i] = l
	}
	for i := range w.nodes {
		if err := w.Start(i); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Start starts worker i, which is down.
func (w *World) Start(i int) error {
	n := w.nodes[i]
	n.life++
	cfg := w.cfg.Engine
	n.plan, n.waits = w.plan, false
	cfg.Plan, cfg.Local, cfg.Version, cfg.Clock = w.cfg.Plan, n.plan.workers[i], n.plan.version, clock{w}
	cfg.Seed = w.cfg.Seed<<16 + uint64(i)<<8 + n.life
	cfg.NewTask = func(d dag.Task) (any, *gearcore.Context, error) {
		return w.cfg.NewTask(i, d), &gearcore.Context{Component: d.Processor.Name, Task: d.ID, Index: d.Index, Layout: cfg.Plan.Layout}, nil
	}
	cfg.Remote = func(task gearcore.TaskID) engine.Outlet {
		return w.links[i*len(w.nodes)+n.plan.owner[task]].outlet(task, n)
	}
	d, err := engine.NewDriver(cfg)
	if err != nil {
		return fmt.Errorf("start simulated worker %d: %w", i, err)
	}
	n.driver = d
	d.Activate()
	return nil
}

// Crash stops worker i at once: nothing is closed, all that is on its links is lost.
func (w *World) Crash(i int) {
	w.nodes[i].driver = nil
	for j := range w.nodes {
		w.links[i*len(w.nodes)+j].cut()
		w.links[j*len(w.nodes)+i].cut()
	}
}

// delay returns how long a message travels.
func (w *World) delay() time.Duration { return time.Duration(w.rnd.Int64N(int64(w.cfg.MaxDelay) + 1)) }

// Up reports whether worker i runs.
func (w *World) Up(i int) bool { return w.nodes[i].driver != nil }

// Now returns the virtual time.
func (w *World) Now() time.Duration { return w.now }

// Trace returns a hash of everything that was done so far, in order.
func (w *World) Trace() uint64 { return w.trace }

// Driver returns the engine of worker i, nil while it is down.
func (w *World) Driver(i int) *engine.Driver { return w.nodes[i].driver }

func (w *World) note(vs ...uint64) {
	for _, v := range vs {
		w.trace = (w.trace ^ v) * 0x100000001b3
	}
}

// Step does one thing: a ready executor runs, a message arrives, or time moves to the next of these. It returns an
// error if there is nothing left to do, now or later, or an engine has failed.
func (w *World) Step() error {
	w.steps++
	w.fire()
	if err := w.hear(); err != nil {
		return err
	}
	work := 0
	for _, n := range w.nodes {
		if n.driver != nil {
			if err := n.driver.Err(); err != nil {
				return err
			}
			work += n.driver.Ready()
		}
	}
	arrived := 0
	for _, l := range w.links {
		if l.due() {
			arrived++
		}
	}
	if work+arrived == 0 {
		return w.sleep()
	}
	w.now += time.Duration(w.rnd.IntN(20)) * time.Microsecond
	if pick := w.rnd.IntN(work + arrived); pick < work {
		w.run(pick)
	} else {
		w.arrive(pick - work)
	}
	return nil
}

func (w *World) fire() {
	if to := w.cfg.Engine.MessageTimeout; to > 0 && w.now >= w.rotateAt {
		w.rotateAt = w.now + to
		for _, l := range w.links {
			l.trees.rotate()
		}
	}
	for _, n := range w.nodes {
		if n.driver == nil {
			continue
		}
		if at, ok := n.driver.NextTimer(); ok && at <= w.now {
			n.driver.Fire()
		}
	}
}

// run runs the pick-th ready executor of all workers.
func (w *World) run(pick int) {
	for i, n := range w.nodes {
		if n.driver == nil {
			continue
		}
		if r := n.driver.Ready(); pick >= r {
			pick -= r
			continue
		}
		id := n.driver.Step(pick, 1+w.rnd.IntN(w.cfg.MaxCalls))
		w.note(uint64(i), uint64(id), uint64(w.now))
		return
	}
}

// arrive does what is due first on the pick-th link that has something due.
func (w *World) arrive(pick int) {
	for i, l := range w.links {
		if !l.due() {
			continue
		}
		if pick > 0 {
			pick--
			continue
		}
		w.note(uint64(i), uint64(len(l.queue)), uint64(w.now))
		l.act()
		return
	}
}

var errStill = errors.New("nothing is left to do")

// sleep moves time to the next timer or arrival.
func (w *World) sleep() error {
	next, found := time.Duration(0), false
	at := func(t time.Duration) {
		if !found || t < next {
			next, found = t, true
		}
	}
	for _, n := range w.nodes {
		if n.driver != nil {
			if t, ok := n.driver.NextTimer(); ok {
				at(t)
			}
			if n.waits {
				at(n.hearsAt)
			}
		}
	}
	for _, l := range w.links {
		if t, ok := l.next(); ok {
			at(t)
		}
	}
	if !found {
		return errStill
	}
	w.now = max(w.now, next)
	return nil
}
