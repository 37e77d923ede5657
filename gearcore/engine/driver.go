package engine

import (
	"errors"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Driver runs an engine by hand, one executor at a time on the caller's goroutine: for simulation. Which executor
// runs, for how long and when time passes is the caller's choice; the same choices give the same run. Nothing of it is
// safe for concurrent use, the Engine's methods included, and Run may not be called.
type Driver struct {
	*Engine
	queue []*executor
	jobs  []func()
}

// NewDriver makes an engine that is driven by hand. cfg.Clock and cfg.Seed must be set.
func NewDriver(cfg Config) (*Driver, error) {
	if cfg.Clock == nil || cfg.Seed == 0 {
		return nil, errors.New("engine config: a Driver needs Clock and Seed")
	}
	e, err := build(cfg)
	if err != nil {
		return nil, err
	}
	d := &Driver{Engine: e}
	e.disp = byHand{d}
	e.timers.alarm = func(time.Duration) {}
	return d, e.startTimers()
}

// Ready returns how many executors may run now.
func (d *Driver) Ready() int { return len(d.queue) }

// Step runs the i-th ready executor for at most calls calls of user code and returns its first task.
func (d *Driver) Step(i, calls int) gearcore.TaskID {
	x := d.queue[i]
	d.queue = append(d.queue[:i], d.queue[i+1:]...)
	x.perform(nil, 0, calls, d.cfg.Clock.Now())
	return x.first
}

// NextTimer returns when Fire has something to do.
func (d *Driver) NextTimer() (at time.Duration, ok bool) { return d.timers.next() }

// Fire does what is due by the clock.
func (d *Driver) Fire() { d.fire(d.cfg.Clock.Now(), d.add) }

func (d *Driver) add(x *executor) { d.queue = append(d.queue, x) }

// Jobs returns how many things wait that an engine which runs by itself does on goroutines of their own: to write or read
// the state of a task.
func (d *Driver) Jobs() int { return len(d.jobs) }

// Job does the i-th of them.
func (d *Driver) Job(i int) {
	f := d.jobs[i]
	d.jobs = append(d.jobs[:i], d.jobs[i+1:]...)
	f()
}

// Err returns why the engine cannot go on: a component could not be opened.
func (d *Driver) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Close ends the engine and closes its tasks. A simulated crash simply drops the Driver.
func (d *Driver) Close() {
	d.end()
	d.closeTasks()
}

// byHand collects what is ready for a Driver.
type byHand struct{ d *Driver }

func (h byHand) ready(x, _ *executor)  { h.d.add(x) }
func (h byHand) detach(*executor) bool { return false }
func (h byHand) single() bool          { return true }
func (h byHand) spawn(f func())        { h.d.jobs = append(h.d.jobs, f) }
