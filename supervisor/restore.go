package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
)

// restore puts the last plan into force, takes up the workers that live and ends what should not. It runs before anything
// else of Run, so that a worker's first call finds its slot.
func (s *Supervisor) restore(ctx context.Context) error {
	s.restorePlan()
	records, err := s.disk.workers()
	if err != nil {
		s.cfg.Log.Error("record of a worker is lost, the worker ends", "err", err)
	}
	adopted := map[string]bool{}
	for port, rec := range records {
		if s.restoreWorker(port, rec) {
			adopted[rec.Worker] = true
		}
	}
	if err := s.sweepWorkers(ctx, adopted); err != nil {
		return err
	}
	for port := range records {
		if r := s.slots[port]; r == nil || r.proc == nil {
			if err := s.disk.forgetWorker(port); err != nil {
				return err
			}
		}
	}
	return s.cache.Sweep(s.plans.has)
}

// restorePlan reads the last plan. One that cannot be read is lost with the largest epoch in it, so that has to be told.
func (s *Supervisor) restorePlan() {
	plan, err := s.disk.plan()
	if err == nil && plan == nil {
		return
	}
	if err == nil {
		_, err = s.plans.check(plan)
	}
	if err != nil {
		s.cfg.Log.Error("last plan is lost, workers go on until Nimbus sends one", "err", err)
		return
	}
	for _, c := range s.plans.accept(plan, s.ports) {
		s.cfg.Log.Warn("plan cannot be carried out", "topology", c.Topology, "err", c.Text)
	}
}

// restoreWorker says whether the worker of a record lives and goes on here.
func (s *Supervisor) restoreWorker(port int, rec workerRecord) bool {
	r := s.slots[port]
	if r == nil || rec.Worker == "" || s.cfg.Lifeline {
		return false // sweepWorkers ends it
	}
	unkept := rec.Process == nil // there was no room for it, or no time
	if unkept {
		id, ok := s.cfg.Processes.Find(rec.Worker)
		if !ok {
			r.complain(complain{rec.Topology, lastWords(fmt.Sprintf("worker %s was not started, or ended while no supervisor ran", rec.Worker), rec)})
			return false
		}
		rec.Process = &id
	}
	proc, err := s.cfg.Processes.Adopt(*rec.Process, s.isolation.by)
	if err != nil {
		how := "ended while no supervisor ran"
		if !errors.Is(err, isolate.ErrGone) {
			how = "cannot be taken over: " + err.Error()
		}
		r.complain(complain{rec.Topology, lastWords(fmt.Sprintf("worker %s %s", rec.Worker, how), rec)})
		return false
	}
	r.adopt(proc, rec)
	if unkept {
		r.keepRecord()
	}
	return true
}

// adopt makes a slot that does not run yet go on with a worker.
func (r *runner) adopt(proc Process, rec workerRecord) {
	if rec.Silence <= 0 {
		rec.Silence = r.cfg.WorkerTimeout
	}
	r.proc, r.record = proc, rec
	r.cache.Hold(rec.Topology, r.user())
	r.occupy(occupantOf(rec))
	// The plan may have changed since it was launched: all but its memory, which is never lowered, is limited anew.
	r.watch(proc, rec, isolate.Limits{MemoryBytes: proc.Usage().MemoryLimitBytes})
	r.apply(context.Background(), adopted{rec.Topology, rec.Worker, rec.Silence, rec.Restarts, rec.LastExit}) // wants nothing done
	r.expected()
	r.log.Info("took worker over", "topology", rec.Topology, "worker", rec.Worker, "pid", rec.Process.Pid)
}

// sweepPatience is how long all processes of earlier workers may take to end. One that hangs in the kernel must not keep the
// others without a supervisor.
const sweepPatience = 10 * time.Second

// sweepWorkers ends what still runs of workers that do not go on. Every worker has a directory from before its start to
// after its end, so none is missed; one that does not end keeps it, for the next supervisor to try again.
func (s *Supervisor) sweepWorkers(ctx context.Context, keep map[string]bool) error {
	dirs, err := os.ReadDir(s.workersDir())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sweepPatience)
	defer cancel()
	for _, d := range dirs {
		if keep[d.Name()] {
			continue
		}
		n, err := s.cfg.Processes.Sweep(ctx, d.Name(), s.isolation.by)
		if err != nil {
			s.cfg.Log.Error("worker of an earlier supervisor does not end", "worker", d.Name(), "err", err)
			continue
		}
		if n > 0 {
			s.cfg.Log.Info("ended worker of an earlier supervisor", "worker", d.Name(), "processes", n)
		}
		if err := os.RemoveAll(filepath.Join(s.workersDir(), d.Name())); err != nil {
			return err
		}
	}
	return s.isolation.by.Sweep(keep)
}
