package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
	// Losses is about how many batches apart a link loses one, which nobody is told of. 0: never.
	Losses int
	// Checkpoints gives the topology a coordinator. nil: there is none, and Engine.Timing says what there is.
	Checkpoints *Checkpoints
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
	// keeper is nil without checkpoints.
	keeper *keeper

	rotateAt time.Duration
	steps    int
}

// node is a worker. driver is nil while it is down.
type node struct {
	id     int
	driver *engine.Driver
	life   uint64 // counts its starts
	plan   *plan  // what it has heard of

	waits   bool          // a newer one is on its way
	refused time.Duration // since then it cannot take it, 0: it can
	hearsAt time.Duration

	reports bool            // a report is about to be made
	told    uint64          // reports that were sent,
	heard   uint64          // and the number of the newest that came
	jobs    []time.Duration // when each of the driver's may be done
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
	w.plan = newPlan(1, cfg.Plan, cfg.Workers, nil)
	for i := range cfg.Workers {
		w.nodes = append(w.nodes, &node{id: i})
	}
	if cfg.Checkpoints != nil {
		w.keeper = &keeper{w: w, cfg: *cfg.Checkpoints}
		if w.keeper.cfg.MaxJob == 0 {
			w.keeper.cfg.MaxJob = w.cfg.MaxDelay
		}
		w.keeper.after(repeatEvery, w.keeper.again)
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
	if w.keeper != nil {
		return w, w.keeper.start()
	}
	return w, nil
}

// Start starts worker i, which is down.
func (w *World) Start(i int) error {
	n := w.nodes[i]
	n.life++
	cfg := w.cfg.Engine
	n.plan, n.waits, n.refused, n.reports, n.jobs = w.plan, false, 0, false, nil
	if w.keeper != nil {
		cfg.Timing = w.keeper.timing(n)
	}
	cfg.Plan, cfg.Local, cfg.Version, cfg.Clock = n.plan.dag, n.plan.workers[i], n.plan.version, clock{w}
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
func (w *World) delay() time.Duration { return w.upTo(w.cfg.MaxDelay) }

// upTo returns a time up to most.
func (w *World) upTo(most time.Duration) time.Duration {
	return time.Duration(w.rnd.Int64N(int64(most) + 1))
}

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

// Step does one thing: a ready executor runs, a message arrives, state is written or read, or time moves to the next of these. It returns an
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
	jobs, letters := w.jobsDue(), 0
	if w.keeper != nil {
		letters = w.keeper.due()
	}
	all := work + arrived + jobs + letters
	if all == 0 {
		return w.sleep()
	}
	w.now += time.Duration(w.rnd.IntN(20)) * time.Microsecond
	switch pick := w.rnd.IntN(all); {
	case pick < work:
		w.run(pick)
	case pick < work+arrived:
		w.arrive(pick - work)
	case pick < work+arrived+jobs:
		w.job(pick - work - arrived)
	default:
		w.keeper.open(pick - work - arrived - jobs)
	}
	return nil
}

// jobsDue returns how many jobs of engines may be done. New ones get a time.
func (w *World) jobsDue() (due int) {
	if w.keeper == nil {
		return 0
	}
	for _, n := range w.nodes {
		if n.driver == nil {
			continue
		}
		for len(n.jobs) < n.driver.Jobs() {
			n.jobs = append(n.jobs, w.now+w.upTo(w.keeper.cfg.MaxJob))
		}
		for _, at := range n.jobs {
			if at <= w.now {
				due++
			}
		}
	}
	return due
}

// job does the pick-th job that is due.
func (w *World) job(pick int) {
	for _, n := range w.nodes {
		if n.driver == nil {
			continue
		}
		for i, at := range n.jobs {
			if at > w.now {
				continue
			}
			if pick == 0 {
				w.note(uint64(n.id), uint64(i), uint64(w.now))
				n.jobs = slices.Delete(n.jobs, i, i+1)
				n.driver.Job(i)
				return
			}
			pick--
		}
	}
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
			for _, t := range n.jobs {
				at(t)
			}
		}
	}
	if w.keeper != nil {
		for _, l := range w.keeper.letters {
			at(l.at)
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
