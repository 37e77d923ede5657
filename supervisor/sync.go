package supervisor

import (
	"context"
	"net"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

const (
	// answerPatience is how long Nimbus may be late with the answer to a held call before the connection is given up.
	answerPatience = 10 * time.Second
	// firstRetry and lastRetry bound the pause after a call that failed; it doubles.
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	// noVersion is a version no plan has.
	noVersion = -1
)

// followNimbus holds one call to Nimbus after the other: each takes the reports up and is answered at once when there is a
// newer plan, else after Config.ReportInterval.
func (s *Supervisor) followNimbus(ctx context.Context) {
	nimbus := s.nimbus.Gearstorm()
	known := int64(noVersion) // the version in a plan on disk may mean another plan to another leader
	pause := firstRetry
	for failing := false; ctx.Err() == nil; {
		err := s.syncOnce(ctx, nimbus, &known)
		if err == nil {
			if failing {
				s.cfg.Log.Info("Nimbus answers again")
			}
			failing, pause = false, firstRetry
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !failing {
			s.cfg.Log.Warn("Nimbus does not give a plan, going on with the last one", "err", err)
		}
		failing, known = true, noVersion
		select {
		case <-time.After(pause):
		case <-s.poke:
		case <-ctx.Done():
		}
		pause = min(2*pause, lastRetry)
	}
}

// syncOnce is one call.
func (s *Supervisor) syncOnce(ctx context.Context, nimbus *stormrpc.GearstormClient, known *int64) error {
	batch := s.reports.take(s.cfg.Nimbus.Dial.MaxFrameBytes)
	wait := s.cfg.ReportInterval
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
	return s.follow(plan, known)
}

// follow puts a plan into force. It is on disk, with its epoch, before anything of it is done.
func (s *Supervisor) follow(plan *stormrpc.NodePlan, known *int64) error {
	isNew, err := s.plans.check(plan)
	if err != nil {
		return err
	}
	if isNew {
		if err := s.disk.keepPlan(plan); err != nil {
			return err
		}
		for _, c := range s.plans.accept(plan, s.ports) {
			s.cfg.Log.Warn("plan cannot be carried out", "topology", c.Topology, "err", c.Text)
			s.reports.complain(c.Topology, 0, c.Text)
		}
		s.cfg.Log.Debug("plan in force", "version", plan.PlanVersion, "epoch", plan.Epoch, "topologies", len(plan.Topologies))
	}
	*known = plan.PlanVersion
	return nil
}

func (s *Supervisor) nodeReport(workers []*stormrpc.WorkerReport) *stormrpc.NodeReport {
	epoch, _ := s.plans.seen()
	ports := make([]int32, len(s.ports))
	for i, p := range s.ports {
		ports[i] = int32(p)
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
		Workers: workers, Epoch: epoch, SchedulerMeta: s.cfg.SchedulerMeta,
	}
}
