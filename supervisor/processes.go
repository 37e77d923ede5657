package supervisor

import (
	"context"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// Process is a worker process as a slot sees it; *isolate.Process is one, and says what the methods promise.
type Process interface {
	Identity() isolate.Identity
	Done() <-chan struct{}
	Exit() isolate.Exit
	Kill(ctx context.Context, grace time.Duration) error
	Release()
	Usage() isolate.Usage
	SetLimits(isolate.Limits) error
}

// Processes is where worker processes come from. A simulation of a cluster has its own.
type Processes interface {
	// Launch starts a worker, as isolate.Launch.Start does.
	Launch(l isolate.Launch) (Process, error)
	// Adopt finds a worker again that an earlier supervisor launched; isolate.ErrGone says that it has ended.
	Adopt(id isolate.Identity, by isolate.Isolator) (Process, error)
	// Find gives the identity of a worker that an earlier supervisor launched and could not write down.
	Find(worker string) (isolate.Identity, bool)
	// Sweep ends what is left of a worker and says how many processes that were.
	Sweep(ctx context.Context, worker string, by isolate.Isolator) (int, error)
}

// systemProcesses are those of this machine.
type systemProcesses struct{}

func (systemProcesses) Launch(l isolate.Launch) (Process, error) {
	p, err := l.Start()
	if err != nil {
		return nil, err // not a Process that holds nil
	}
	return p, nil
}

func (systemProcesses) Adopt(id isolate.Identity, by isolate.Isolator) (Process, error) {
	p, err := isolate.Adopt(id, by)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (systemProcesses) Find(worker string) (isolate.Identity, bool) { return isolate.Find(worker) }

func (systemProcesses) Sweep(ctx context.Context, worker string, by isolate.Isolator) (int, error) {
	return isolate.Sweep(ctx, worker, by)
}
