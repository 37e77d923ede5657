package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/supervisor/isolate/cgroup"
)

const (
	// policeInterval is how often it is looked at what a worker uses.
	policeInterval = 3 * time.Second
	// searchInterval is the same where its processes have to be searched for among all of the machine's.
	searchInterval = 15 * time.Second
)

// guard follows one worker: what it uses is reported, what it may use changes with the plan, and where control groups were asked for it is held to the
// memory that was scheduled for it. A watcher's goroutine owns it.
type guard struct {
	*runner
	proc   Process
	rec    workerRecord
	conf   conf.Conf // of the topology, what it says of limits
	policy memoryPolicy
	over   time.Time // see memoryPolicy.judge

	limits isolate.Limits // in force
	share  memoryShare
	// verdict is why it was ended for its memory, "" if it was not.
	verdict string
}

// follow waits until a worker ended and says how, and whether in good order, or false if the runner ends before.
func (r *runner) follow(proc Process, rec workerRecord, limits isolate.Limits) (how string, clean, ended bool) {
	g := &guard{runner: r, proc: proc, rec: rec, limits: limits}
	if own, err := conf.ParseJSON([]byte(rec.Limits)); err == nil {
		g.conf = own // else it was launched by an earlier release
	}
	var err error
	g.policy, err = memoryPolicyOf(r.cfg.Conf)
	police := r.isolation.asked && err == nil
	interval := searchInterval
	if _, grouped := r.isolation.by.(*cgroup.Isolator); grouped || police {
		interval = policeInterval
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	changed := g.planned()
	for {
		select {
		case <-proc.Done():
			exit := proc.Exit()
			return g.ending(exit), exit == isolate.Exit{Known: true} && g.verdict == "", true
		case <-r.quit:
			return "", false, false
		case <-changed:
			changed = g.planned()
		case <-tick.C:
			used := proc.Usage()
			r.reports.use(r.port, rec.Worker, used)
			if police {
				g.police(memorySample{
					Used: float64(used.MemoryBytes) / mebibyte, Limit: g.share.MB, Free: float64(readMemory().free) / mebibyte,
				})
			}
		}
	}
}

// planned takes the limits over from the plan in force, which may be a newer one than the worker was launched with, and gives the channel of its
// next change. A worker's executors may change while it runs. Its memory limit is never lowered then: what it has it cannot always give back at once.
func (g *guard) planned() <-chan struct{} {
	plan, changed := g.plans.topology(g.rec.Topology)
	if plan == nil {
		return changed // it is about to be ended
	}
	of, res := limits{g.cfg.Conf, g.conf}, resourcesOf(plan, g.node, g.port)
	next, err := of.worker(res)
	if err != nil {
		return changed // it would not have been launched
	}
	g.share, _ = of.memory(res)
	next.MemoryBytes = max(next.MemoryBytes, g.limits.MemoryBytes)
	if next != g.limits {
		if err := g.proc.SetLimits(next); err != nil {
			g.log.Warn("cannot change limits of worker", "worker", g.rec.Worker, "err", err)
		}
	}
	g.limits = next
	return changed
}

// police ends a worker that the policy does not bear.
func (g *guard) police(s memorySample) {
	if g.verdict != "" {
		return
	}
	var why string
	if why, g.over = g.policy.judge(g.over, s, time.Now()); why == "" {
		return
	}
	g.verdict = fmt.Sprintf("was killed: it used %.0f MB, scheduled are %.0f MB (%s), and %s", s.Used, g.share.MB, g.share.Of, why)
	g.log.Warn("ending worker that uses too much memory", "topology", g.rec.Topology, "worker", g.rec.Worker, "used_mb", int(s.Used))
	g.group.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() {
			select {
			case <-g.quit:
				cancel()
			case <-ctx.Done():
			}
		}()
		if err := g.proc.Kill(ctx, g.cfg.Grace+killSlack); err != nil && ctx.Err() == nil {
			g.log.Error("cannot end worker that uses too much memory", "worker", g.rec.Worker, "err", err)
		}
	})
}

// ending tells how the worker ended, with its limit if that was why.
func (g *guard) ending(exit isolate.Exit) string {
	switch {
	case g.verdict != "":
		return g.verdict
	case exit.OutOfMemory && g.limits.MemoryBytes > 0:
		return fmt.Sprintf("%s, its limit is %d MB (%s)", exit, g.limits.MemoryBytes/mebibyte, g.share.Of)
	case exit.OutOfMemory:
		return exit.String() + ", the workers of this machine together took all there is for them and it had the most"
	}
	return exit.String()
}
