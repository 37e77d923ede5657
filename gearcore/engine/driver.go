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
