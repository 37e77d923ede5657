package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/gearstorm/gearstorm/internal/pause"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// answerPatience is how long Nimbus may be late with the answer to a held call before the connection is given up: a host
	// that is gone without a word costs this and Config.ReportInterval.
	answerPatience = 5 * time.Second
	// firstRetry and lastRetry bound the pause after a call that failed; it doubles. A new leader is found within lastRetry.
	firstRetry = 50 * time.Millisecond
	lastRetry  = 800 * time.Millisecond
	// reportSoon is the least time between two reports.
	reportSoon = 20 * time.Millisecond
	// noVersion is a version no plan has.
	noVersion = -1
)

// errNotKept says that a plan came and could not be written to disk.
var errNotKept = errors.New("cannot keep plan on disk")

// followNimbus holds one call to Nimbus after the other: each takes the reports up and is answered at once when there is a
// newer plan, else after Config.ReportInterval. The first call after a failure may be to a new leader: it is brief and tells
// of every worker.
func (s *Supervisor) followNimbus(ctx context.Context) {
	nimbus := s.nimbus.Gearstorm()
	known := int64(noVersion) // the version in a plan on disk may mean another plan to another leader
	pause := firstRetry
	for failed := error(nil); ctx.Err() == nil; {
		err := s.syncOnce(ctx, nimbus, &known)
		s.noteAnswer(err == nil || errors.Is(err, errNotKept))
		if err == nil {
			if failed != nil {
				s.cfg.Log.Info("plans of Nimbus are in force again")
			}
			failed, pause = nil, firstRetry
			continue
		}
		if ctx.Err() != nil {
			return
		}
		s.tellFailure(err, failed)
		failed, known = err, noVersion
		select {
		case <-time.After(pause):
		case <-s.poke:
		case <-ctx.Done():
		}
		pause = min(2*pause, lastRetry)
	}
}

// noteAnswer has those who wait for Nimbus go on as soon as it is back.
func (s *Supervisor) noteAnswer(answers bool) {
	if was := s.answers.Swap(answers); was || !answers {
		return
	}
	wake(s.back)
	for _, r := range s.slots {
		wake(r.retry)
	}
}

// wake leaves a word for somebody who looks for it now or later.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tellFailure logs the first of failures of a kind. A disk that is full is for the users of the topologies to know, too: what
// they changed does not happen.
func (s *Supervisor) tellFailure(err, last error) {
	full := errors.Is(err, errNotKept)
	if last != nil && full == errors.Is(last, errNotKept) {
		return
	}
	if !full {
		s.cfg.Log.Warn("Nimbus does not give a plan, going on with the last one", "err", err)
		return
	}
	s.cfg.Log.Error("plan of Nimbus is not carried out, going on with the last one", "err", err)
	for _, topology := range s.plans.topologies() {
		s.reports.complain(topology, 0, err.Error())
	}
}

// syncOnce is one call.
func (s *Supervisor) syncOnce(ctx context.Context, nimbus *stormrpc.GearstormClient, known *int64) error {
	wait := s.hold(time.Now()) // first: what comes after it may not be in the report
	batch := s.reports.take(s.cfg.Nimbus.Dial.MaxFrameBytes, *known == noVersion)
	if batch.more {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(ctx, wait+answerPatience)
	defer cancel()
	plan, err := nimbus.SyncNode(ctx, s.nodeReport(batch.workers), *known, int32(wait.Milliseconds()))
	if err != nil {
		return err
	}
	s.reports.taken(batch)
	if plan != nil { // before it is kept: they are no part of it
		s.questions.put(plan.Questions)
		plan.Questions = nil
	}
	if err := s.follow(plan, known); err != nil {
		return err
	}
	s.confirm()
	return nil
}

// hold is how long Nimbus is to hold a report. While workers are on their way to what the plan wants, for which somebody may wait, that is a
// quarter of the time since it came, so that the news is late by no more than that.
func (s *Supervisor) hold(now time.Time) time.Duration {
	for port := range s.slots {
		p, _ := s.plans.slot(port)
		if plan, _ := s.plans.topology(p.Topology); plan != nil && !s.reports.atWork(port, plan) {
			return pause.Growing(now.Sub(s.planned), reportSoon, s.cfg.ReportInterval)
		}
	}
	return s.cfg.ReportInterval
}

// follow puts a plan into force. It is on disk, with its epoch, before anything of it is done.
func (s *Supervisor) follow(plan *stormrpc.NodePlan, known *int64) error {
	isNew, err := s.plans.check(plan)
	if err != nil {
		return err
	}
	if isNew {
		if err := s.disk.keepPlan(plan); err != nil {
			return fmt.Errorf("%w: %w", errNotKept, err)
		}
		for _, c := range s.plans.accept(plan, s.ports) {
			s.cfg.Log.Warn("plan cannot be carried out", "topology", c.Topology, "err", c.Text)
			s.reports.complain(c.Topology, 0, c.Text)
		}
		s.planned = time.Now()
		s.cfg.Log.Debug("plan in force", "version", plan.PlanVersion, "epoch", plan.Epoch, "topologies", len(plan.Topologies))
	}
	*known = plan.PlanVersion
	return nil
}

// schedulerMeta is what the configuration says, and how workers are isolated here.
func (s *Supervisor) schedulerMeta() map[string]string {
	if s.isolation.inForce == "" {
		return s.cfg.SchedulerMeta
	}
	meta := maps.Clone(s.cfg.SchedulerMeta)
	if meta == nil {
		meta = make(map[string]string)
	}
	meta[isolationKey] = s.isolation.inForce
	return meta
}

func (s *Supervisor) nodeReport(workers []*stormrpc.WorkerReport) *stormrpc.NodeReport {
	epoch, _ := s.plans.seen()
	ports := []int32{}
	var unhealthy *string
	if why := s.plans.fitness(); why != "" {
		unhealthy = &why // such a node offers nothing
	} else {
		for _, p := range s.ports {
			ports = append(ports, int32(p))
		}
	}
	if workers == nil {
		workers = []*stormrpc.WorkerReport{}
	}
	resources := s.cfg.Resources
	if resources == nil {
		resources = map[string]float64{}
	}
	return &stormrpc.NodeReport{
		NodeID: s.node, Hostname: s.cfg.Hostname, Ports: ports, ThriftPort: int32(s.Addr().(*net.TCPAddr).Port),
		UptimeSecs: int64(time.Since(s.started).Seconds()), Version: s.cfg.Version, Resources: resources,
		Workers: workers, Epoch: epoch, SchedulerMeta: s.schedulerMeta(), Unhealthy: unhealthy,
	}
}
