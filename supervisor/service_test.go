package supervisor

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// call is a connection to a supervisor's Thrift service.
func call(t *testing.T, s *life) *wire.Client {
	t.Helper()
	c, err := wire.Dial(t.Context(), s.Addr().String(), wire.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestService(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, _ := n.ready("a-1-1", port)
	sup, own := stormrpc.NewSupervisorClient(call(t, s)), stormrpc.NewGearstormClient(call(t, s))
	ctx := t.Context()

	a, err := sup.GetLocalAssignmentForStorm(ctx, "a-1-1")
	if err != nil || len(*a.ExecutorNodePort) != 1 {
		t.Errorf("assignment %v, %v", a, err)
	}
	var gone *stormrpc.NotAliveException
	if _, err := sup.GetLocalAssignmentForStorm(ctx, "b-2-2"); !errors.As(err, &gone) ||
		gone.Msg != "No local assignment assigned for storm: b-2-2 for node: localhost" {
		t.Errorf("assignment of a stranger: %v", err)
	}
	const exit = " does not appear to be alive, you should probably exit"
	executor := func(first int32) []*stormrpc.ExecutorInfo {
		return []*stormrpc.ExecutorInfo{{TaskStart: first, TaskEnd: first}}
	}
	if err := sup.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{StormID: "a-1-1", Executors: executor(1)}); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	for _, hb := range []*stormrpc.SupervisorWorkerHeartbeat{
		{StormID: "a-1-1", Executors: executor(9)}, {StormID: "a-1-1", Executors: executor(1)[:0]}, {StormID: "b-2-2", Executors: executor(1)},
	} {
		if err := sup.SendSupervisorWorkerHeartbeat(ctx, hb); err == nil || !strings.Contains(err.Error(), "Internal error") {
			t.Errorf("heartbeat %v: %v", hb, err)
		}
	}
	if err := sup.SendSupervisorAssignments(ctx, stormrpc.NewSupervisorAssignments()); err != nil {
		t.Errorf("assignments: %v", err)
	}
	if _, err := own.SyncNode(ctx, s.nodeReport(nil), 0, 0); err == nil || !strings.Contains(err.Error(), "Invalid method name") {
		t.Errorf("syncNode: %v", err)
	}

	report := &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: int32(port), WorkerID: worker, AssignmentID: "1-1", Epoch: 1,
		ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}}
	var denied *stormrpc.AuthorizationException
	for _, token := range []*string{nil, new(""), new("guess"), &worker} {
		report.Token = token
		if p, err := own.SyncWorker(ctx, report, 0, 1); !errors.As(err, &denied) || p != nil {
			t.Errorf("without the token of its launch a process is told %v, %v", p, err)
		}
	}
	report.Token = new(s.slots[port].occupant().token)
	if p, err := own.SyncWorker(ctx, report, 1, 1); err != nil || p.PlanVersion != 1 || len(p.TaskComponents) > 0 || len(p.Secret) > 0 {
		t.Errorf("held call: %v, %v; want its version alone", p, err)
	}
	if p, err := own.SyncWorker(ctx, report, 0, 1<<30); err != nil || p.PlanVersion != 1 || len(p.TaskComponents) == 0 {
		t.Errorf("call with an old version: %v, %v", p, err)
	}
	for name, change := range map[string]func(*stormrpc.WorkerReport){
		"worker": func(r *stormrpc.WorkerReport) { r.WorkerID = "other" }, "port": func(r *stormrpc.WorkerReport) { r.Port = 1 },
		"empty slot": func(r *stormrpc.WorkerReport) { r.Port, r.WorkerID = int32(s.Ports()[1]), "" },
		"topology":   func(r *stormrpc.WorkerReport) { r.TopologyID = "b-2-2" },
	} {
		r := *report
		change(&r)
		if _, err := own.SyncWorker(ctx, &r, 1, 1); !errors.As(err, &gone) || gone.Msg != r.TopologyID+exit {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
}

func TestOtherHostsAreRefused(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	var denied *stormrpc.AuthorizationException
	for remote, allowed := range map[string]bool{"127.0.0.1:5": true, "[::1]:5": true, "10.1.2.3:5": false, "[2001:db8::1]:5": false} {
		ctx := wire.WithCaller(t.Context(), wire.Peer{Remote: netip.MustParseAddrPort(remote)})
		_, err := service{s.Supervisor}.SyncWorker(ctx, &stormrpc.WorkerReport{}, 0, 0)
		if errors.As(err, &denied) == allowed {
			t.Errorf("syncWorker from %s: %v", remote, err)
		}
		err = service{s.Supervisor}.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{})
		if errors.As(err, &denied) == allowed {
			t.Errorf("heartbeat from %s: %v", remote, err)
		}
	}
}

// A worker whose topology leaves its node is answered with the plan by which it does, so that it finishes what it has begun.
func TestWorkerHearsThatItsTopologyLeaves(t *testing.T) {
	n := newFakeNimbus(t)
	s := live(t, n, t.TempDir())
	port := s.Ports()[0]
	n.submit("a-1-1", "good", s.NodeID(), port)
	worker, pid := n.ready("a-1-1", port)
	token := s.slots[port].occupant().token
	report := &stormrpc.WorkerReport{TopologyID: "a-1-1", Port: int32(port), WorkerID: worker, Token: &token,
		ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}}
	plan, _ := s.plans.topology("a-1-1")
	report.Epoch = plan.Epoch
	type answer struct {
		plan *stormrpc.TopologyPlan
		err  error
	}
	got := make(chan answer, 1)
	own := stormrpc.NewGearstormClient(call(t, s))
	go func() {
		p, err := own.SyncWorker(t.Context(), report, plan.PlanVersion, 10_000)
		got <- answer{p, err}
	}()
	n.change(func(p *stormrpc.NodePlan) {
		left := *p.Topologies[0]
		left.PlanVersion++
		left.Assignment = stormrpc.NewAssignment()
		p.Topologies = []*stormrpc.TopologyPlan{&left}
	})
	a := <-got
	if a.err != nil || a.plan.PlanVersion != plan.PlanVersion+1 || a.plan.Assignment.ExecutorNodePort != nil {
		t.Errorf("the worker is answered %v, %v", a.plan, a.err)
	}
	eventually(t, "its worker ends", func() bool { return !alive(pid) })
	var gone *stormrpc.NotAliveException
	if _, err := stormrpc.NewSupervisorClient(call(t, s)).GetLocalAssignmentForStorm(t.Context(), "a-1-1"); !errors.As(err, &gone) {
		t.Errorf("assignment of a topology that has left: %v", err)
	}
}
