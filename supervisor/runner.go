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
	retry   chan struct{} // Nimbus answers again; one waiting is enough
	quit    chan struct{} // closed when results are not read any more
	group   sync.WaitGroup

	state         slot
	code          localizer.Code // of the last localization
	record        workerRecord   // of proc
	proc          Process
	stopFetching  context.CancelFunc
	lastComplaint string
	marked        mark
	unkept        bool // record is not on disk as it is

	mu   sync.Mutex
	now  occupant
	gone []chan struct{} // closed when now changes
}

func newRunner(s *Supervisor, port int) *runner {
	return &runner{
		Supervisor: s, port: port, log: s.cfg.Log.With("slot", port),
		policy: policy{
			Start: s.cfg.StartTimeout, FirstWait: s.cfg.RetryWait, MaxPause: s.cfg.RetryCeiling, Good: s.cfg.GoodRun,
		},
		results: make(chan any, 4), beats: make(chan string, 1), retry: make(chan struct{}, 1), quit: make(chan struct{}),
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
	confirmed := r.confirmed
	for {
		changed := r.plans.next()
		if p, known := r.plans.slot(r.port); known && p.Topology != r.state.Want && (confirmed == nil || r.state.Worker != "") {
			r.apply(ctx, p)
		}
		if r.state.Deadline.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(r.state.Deadline))
		}
		select {
		case <-confirmed:
			confirmed = nil
		case <-changed:
		case worker := <-r.beats:
			r.apply(ctx, reported{worker})
		case event := <-r.results:
			r.apply(ctx, event)
		case <-r.retry:
			r.apply(ctx, reachable{})
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
	case tookOver:
		r.keepTakenOver(e)
		return
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
	if m := (mark{r.state.Suspicion, r.state.Restarts, r.state.LastExit}); m != r.marked {
		r.marked = m
		r.reports.mark(r.port, m)
	}
	if _, alive := event.(reported); alive && r.unkept {
		r.keepRecord()
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
		r.release(a.Topology)
	case launch:
		worker, err := r.launch(a.Topology)
		if err != nil {
			return launched{Failure: err.Error()}
		}
		return launched{Worker: worker}
	case end:
		r.log.Info("ending worker", "topology", r.state.Have, "worker", a.Worker, "why", a.Why)
		r.kill(ctx, a.Worker)
	case inspect:
		r.inspect(ctx, a)
	case complain:
		r.complain(a)
	case note:
		r.log.Warn(a.Text, "topology", r.state.Have)
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
		code, err := r.cache.Acquire(ctx, a.Topology, r.user(), r.plans.code(a.Topology))
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

// release gives code up. What is planned here stays on disk, since Nimbus may be away when it is to run again: on another slot, or here because the
// node is healthy again, which it may be before the worker that its sickness ended is cleaned up.
func (r *runner) release(topology string) {
	if r.plans.has(topology) {
		r.cache.Leave(topology, r.user())
		return
	}
	if err := r.cache.Release(topology, r.user()); err != nil {
		r.log.Error("cannot remove code", "topology", topology, "err", err)
	}
}

func (r *runner) kill(ctx context.Context, worker string) {
	proc := r.proc
	r.group.Go(func() {
		if err := proc.Kill(ctx, r.cfg.Grace+killSlack); err != nil && ctx.Err() == nil {
			r.send(unkillable{worker, err.Error()})
		}
	})
}

// inspect gathers what can be seen of a silent worker.
func (r *runner) inspect(ctx context.Context, a inspect) {
	pid := r.proc.Identity().Pid
	r.group.Go(func() {
		r.send(inspected{a.Worker, evidence(ctx, pid, min(longestLook, a.Limit/(2*silenceParts)))})
	})
}

// watch turns the end of a process into an event. It runs with limits so far.
func (r *runner) watch(proc Process, rec workerRecord, limits isolate.Limits) {
	r.group.Go(func() {
		if how, clean, ended := r.follow(proc, rec, limits); ended {
			r.send(exited{Worker: rec.Worker, How: lastWords(how, rec), Clean: clean})
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
	r.record, r.unkept = workerRecord{}, false
}

// complain tells the topology's users through Nimbus, and the log unless it says the same again.
func (r *runner) complain(c complain) {
	r.reports.complain(c.Topology, r.port, c.Text)
	if line := c.Topology + c.Text; line != r.lastComplaint {
		r.lastComplaint = line
		r.log.Warn("slot has trouble", "topology", c.Topology, "err", c.Text)
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
