package supervisor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// runner is the shell of one slot: it feeds the slot's machine and does what that wants done. run's goroutine owns all
// fields but those under mu.
type runner struct {
	*Supervisor
	port   int
	policy policy
	log    *slog.Logger

	results chan any      // events of goroutines below
	beats   chan string   // workers that reported; one waiting is enough
	quit    chan struct{} // closed when results are not read any more
	group   sync.WaitGroup

	state         slot
	code          localizer.Code // of the last localization
	record        workerRecord   // of proc
	proc          Process
	stopFetching  context.CancelFunc
	lastComplaint string

	mu  sync.Mutex
	now occupant
}

// occupant is the worker of a slot as the Thrift service knows it. It is set before the process exists, so that its first
// call is not too early.
type occupant struct {
	topology, worker string
	silence          time.Duration
	told             *stormrpc.TopologyPlan // its last answer
}

func newRunner(s *Supervisor, port int) *runner {
	return &runner{
		Supervisor: s, port: port, log: s.cfg.Log.With("slot", port),
		policy: policy{
			Start: s.cfg.StartTimeout, FirstWait: s.cfg.RetryWait, MaxPause: s.cfg.RetryCeiling, Good: s.cfg.GoodRun,
		},
		results: make(chan any, 4), beats: make(chan string, 1), quit: make(chan struct{}),
	}
}

// fetched is localized with the code it brought.
type fetched struct {
	localized
	code localizer.Code
}

// user is what the slot is called in the code cache.
func (r *runner) user() string { return strconv.Itoa(r.port) }

// run is the slot's life until ctx ends.
func (r *runner) run(ctx context.Context) {
	defer r.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := r.plans.next()
		if topology, known := r.plans.slot(r.port); known && topology != r.state.Want {
			r.apply(ctx, planned{topology})
		}
		if r.state.Deadline.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(r.state.Deadline))
		}
		select {
		case <-changed:
		case worker := <-r.beats:
			r.apply(ctx, reported{worker})
		case event := <-r.results:
			r.apply(ctx, event)
		case <-timer.C:
			r.apply(ctx, tick{})
		case <-ctx.Done():
			return
		}
	}
}

// apply steps the machine and does what follows, until nothing follows.
func (r *runner) apply(ctx context.Context, event any) {
	switch e := event.(type) {
	case exited:
		r.cleanUp(e.Worker)
	case fetched:
		event = e.localized
		if e.Attempt == r.state.Attempt {
			r.code = e.code
		}
	}
	for events := []any{event}; len(events) > 0; events = events[1:] {
		before := r.state.Phase
		var actions []any
		r.state, actions = r.policy.step(r.state, events[0], time.Now())
		if r.state.Phase != before {
			r.log.Debug("slot changed", "from", before, "to", r.state.Phase, "topology", r.state.Have, "worker", r.state.Worker)
		}
		for _, action := range actions {
			if next := r.act(ctx, action); next != nil {
				events = append(events, next)
			}
		}
	}
}

// act does one thing and gives the event in which it ended, nil if that comes later or does not matter.
func (r *runner) act(ctx context.Context, action any) any {
	switch a := action.(type) {
	case localize:
		r.fetch(ctx, a)
	case abandon:
		r.stopFetching()
	case release:
		if err := r.cache.Release(a.Topology, r.user()); err != nil {
			r.log.Error("cannot remove code", "topology", a.Topology, "err", err)
		}
	case launch:
		worker, err := r.launch(a.Topology)
		if err != nil {
			return launched{Failure: err.Error()}
		}
		return launched{Worker: worker}
	case end:
		r.log.Info("ending worker", "topology", r.state.Have, "worker", a.Worker, "why", a.Why)
		r.kill(ctx, a.Worker)
	case complain:
		r.complain(a)
	}
	return nil
}

// send hands an event of another goroutine over.
func (r *runner) send(event any) {
	select {
	case r.results <- event:
	case <-r.quit:
	}
}

func (r *runner) fetch(ctx context.Context, a localize) {
	ctx, cancel := context.WithCancel(ctx)
	r.stopFetching = cancel
	r.group.Go(func() {
		defer cancel()
		code, err := r.cache.Acquire(ctx, a.Topology, r.user())
		var silence time.Duration
		if err == nil {
			silence, err = r.cfg.silence(code.Conf)
		}
		if err != nil {
			r.send(localized{Attempt: a.Attempt, Failure: err.Error()})
			return
		}
		r.send(fetched{localized{Attempt: a.Attempt, Silence: silence}, code})
	})
}

func (r *runner) kill(ctx context.Context, worker string) {
	proc := r.proc
	r.group.Go(func() {
		if err := proc.Kill(ctx, r.cfg.Grace+killSlack); err != nil && ctx.Err() == nil {
			r.send(unkillable{worker, err.Error()})
		}
	})
}

// watch turns the end of a process into an event.
func (r *runner) watch(proc Process, rec workerRecord) {
	r.group.Go(func() {
		select {
		case <-proc.Done():
			exit := proc.Exit()
			r.send(exited{Worker: rec.Worker, How: lastWords(exit.String(), rec), Clean: exit == isolate.Exit{Known: true}})
		case <-r.quit:
		}
	})
}

// cleanUp removes what is left of a worker that ended.
func (r *runner) cleanUp(worker string) {
	if r.record.Worker != worker {
		return
	}
	if r.proc != nil {
		r.proc.Release()
		r.proc = nil
	}
	r.reports.forget(r.port)
	r.occupy(occupant{})
	if err := r.disk.forgetWorker(r.port); err != nil {
		r.log.Error("cannot remove record of worker", "worker", worker, "err", err)
	}
	if err := os.RemoveAll(r.workerDir(worker)); err != nil {
		r.log.Error("cannot remove directory of worker", "worker", worker, "err", err)
	}
	r.record = workerRecord{}
}

// complain tells the topology's users through Nimbus, and the log unless it says the same again.
func (r *runner) complain(c complain) {
	r.reports.complain(c.Topology, r.port, c.Text)
	if line := c.Topology + c.Text; line != r.lastComplaint {
		r.lastComplaint = line
		r.log.Warn("slot has trouble", "topology", c.Topology, "err", c.Text)
	}
}

func (r *runner) occupy(o occupant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = o
}

func (r *runner) occupant() occupant {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// beat is told by the Thrift service that a worker reported. It never blocks: when one beat waits, the next is no news.
func (r *runner) beat(worker string) {
	select {
	case r.beats <- worker:
	default:
	}
}

// stop ends what run started. The worker ends as well if it has a lifeline, else it lives on.
func (r *runner) stop() {
	if r.stopFetching != nil {
		r.stopFetching()
	}
	if r.proc != nil && r.cfg.Lifeline {
		ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Grace+killSlack+killPatience)
		defer cancel()
		if err := r.proc.Kill(ctx, r.cfg.Grace+killSlack); err != nil {
			r.log.Error("cannot end worker", "worker", r.record.Worker, "err", fmt.Errorf("at the supervisor's end: %w", err))
		} else {
			r.cleanUp(r.record.Worker)
		}
	}
	close(r.quit)
	if r.proc != nil {
		r.proc.Release()
	}
	r.group.Wait()
}
