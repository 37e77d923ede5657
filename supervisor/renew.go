package supervisor

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/nimbus/client"
	"github.com/gearstorm/gearstorm/supervisor/localizer"
)

// linkCode puts links into a worker's directory, where it is started, that lead to its topology's resources and blobs, as
// Storm does (Container.createBlobstoreLinks). They follow the blobs when those change.
func linkCode(workerDir string, code localizer.Code) error {
	if err := os.MkdirAll(workerDir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(workerDir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range code.Links {
		if err := root.Symlink(filepath.Join(code.Dir, name), name); err != nil {
			return err
		}
	}
	return nil
}

// renewals keeps the code of topologies at the newest and has workers that run older code start again, of each topology one
// after the other.
type renewals struct {
	*Supervisor
	group   sync.WaitGroup
	mu      sync.Mutex
	rolling map[string]bool // topologies with a goroutine

	// What follows belongs to run.
	codeSeen map[string]int64 // version of the plan's code that was brought here, by topology
	rests    map[string]rest
}

// rest is what a topology has after updates that failed.
type rest struct {
	failed string // what was told last
	pause  time.Duration
	until  time.Time
}

// lastRest bounds the pause after updates that failed; it begins with Config.BlobInterval and doubles.
const lastRest = 10 * time.Minute

// run looks for newer code with every change of the plan, and for newer blobs every Config.BlobInterval.
func (w *renewals) run(ctx context.Context) {
	defer w.group.Wait()
	blobs, clean := time.NewTimer(0), time.NewTimer(w.cfg.CleanInterval)
	defer blobs.Stop()
	defer clean.Stop()
	for {
		changed := w.plans.next()
		var missing <-chan time.Time
		for _, topology := range w.plans.topologies() {
			if !w.follow(ctx, topology) && missing == nil {
				missing = time.After(w.cfg.RetryWait)
			}
		}
		select {
		case <-changed:
		case <-missing:
		case <-w.back:
			blobs.Reset(0) // what was not asked for meanwhile
		case <-blobs.C:
			w.update(ctx)
			blobs.Reset(w.cfg.BlobInterval)
		case <-clean.C:
			w.sweep()
			w.cache.Clean()
			clean.Reset(w.cfg.CleanInterval)
		case <-ctx.Done():
			return
		}
	}
}

// sweep removes code that was left for a plan which does not want it any more.
func (w *renewals) sweep() {
	if err := w.cache.Sweep(w.plans.has); err != nil {
		w.cfg.Log.Error("cannot remove code", "err", err)
	}
}

// follow starts what a topology needs whose code or blobs are newer than its workers. It says false while code that could be had
// is not here.
func (w *renewals) follow(ctx context.Context, topology string) bool {
	here := true
	if v := w.plans.code(topology).Number; v > w.codeSeen[topology] && w.answers.Load() {
		if here = w.bring(ctx, topology); here {
			w.codeSeen[topology] = v
			w.plans.tell() // workers may wait to hear of it
		}
	}
	if r, _ := w.outdated(topology); r == nil {
		return here
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rolling[topology] {
		return here
	}
	w.rolling[topology] = true
	w.group.Go(func() {
		w.roll(ctx, topology)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.rolling, topology)
	})
	return here
}

// update looks for new blobs of all topologies. With Nimbus away there are none to be had.
func (w *renewals) update(ctx context.Context) {
	for _, topology := range w.plans.topologies() {
		if w.answers.Load() && ctx.Err() == nil && !time.Now().Before(w.rests[topology].until) {
			w.bring(ctx, topology)
		}
	}
	planned := w.plans.topologies()
	maps.DeleteFunc(w.codeSeen, func(topology string, _ int64) bool { return !slices.Contains(planned, topology) })
	maps.DeleteFunc(w.rests, func(topology string, _ rest) bool { return !slices.Contains(planned, topology) })
}

// bring has the newest code and blobs of a topology here, if it can be had. It says whether that worked.
func (w *renewals) bring(ctx context.Context, topology string) bool {
	err := w.cache.Update(ctx, topology, w.plans.code(topology))
	if err == nil {
		err = w.letRead(topology, w.cache.Dir(topology))
	}
	switch {
	case err == nil:
		delete(w.rests, topology)
		return true
	case ctx.Err() != nil || client.Retryable(err):
		return false // Nimbus is away, which is told elsewhere
	}
	r := w.rests[topology]
	if text := err.Error(); text != r.failed {
		r.failed = text
		w.cfg.Log.Warn("cannot bring code up to date, going on with what is here", "topology", topology, "err", err)
		w.reports.complain(topology, 0, text+"; its workers go on with what is here")
	}
	r.pause = min(max(2*r.pause, w.cfg.BlobInterval), lastRest)
	r.until = time.Now().Add(r.pause)
	w.rests[topology] = r
	return false
}

// outdated gives a slot whose worker runs older code than is here, nil if there is none.
func (w *renewals) outdated(topology string) (*runner, string) {
	stamp := w.cache.Stamp(topology)
	plan, _ := w.plans.topology(topology)
	for _, r := range w.slotsIn(topology) {
		o := r.occupant()
		if plan != nil && o.graph != 0 && o.graph != plan.DagVersion {
			continue // it takes the plan's version over, or ends when it hears of it
		}
		if stamp != "" && o.worker != "" && o.topology == topology && o.stamp != "" && o.stamp != stamp {
			return r, o.worker
		}
	}
	return nil, ""
}

// slotsIn lists the slots that a topology has here, by port.
func (w *renewals) slotsIn(topology string) []*runner {
	var in []*runner
	for _, port := range slices.Sorted(maps.Keys(w.slots)) {
		if p, _ := w.plans.slot(port); p.Topology == topology {
			in = append(in, w.slots[port])
		}
	}
	return in
}

// roll starts the outdated workers of a topology again, each once all others here are ready, so that at most one is missing.
func (w *renewals) roll(ctx context.Context, topology string) {
	for {
		heard, changed := w.reports.next(), w.plans.next()
		r, worker := w.outdated(topology)
		if r == nil {
			return
		}
		if !w.allReady(topology) {
			select {
			case <-heard:
			case <-changed:
			case <-ctx.Done():
				return
			}
			continue
		}
		w.cfg.Log.Info("worker starts again with newer code", "topology", topology, "worker", worker)
		if !r.replace(ctx, worker) {
			return
		}
	}
}

func (w *renewals) allReady(topology string) bool {
	return !slices.ContainsFunc(w.slotsIn(topology), func(r *runner) bool { return !w.reports.ready(r.port, r.occupant().worker) })
}

// replace has the slot start its worker again and waits until that one is gone. It says false when the slot does not go on.
func (r *runner) replace(ctx context.Context, worker string) bool {
	gone := make(chan struct{})
	r.mu.Lock()
	if r.now.worker != worker {
		r.mu.Unlock()
		return true
	}
	r.gone = append(r.gone, gone)
	r.mu.Unlock()
	r.send(renew{worker})
	select {
	case <-gone:
		return true
	case <-r.quit:
	case <-ctx.Done():
	}
	return false
}
