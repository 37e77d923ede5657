package supervisor

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net"
	"time"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// service is the node's Thrift service: for its workers, and Storm's Supervisor.
type service struct{ s *Supervisor }

// Texts of Storm's supervisor (Supervisor.java).
func notAlive(topology string) error {
	return &stormrpc.NotAliveException{Msg: topology + " does not appear to be alive, you should probably exit"}
}

func noAssignment(topology, host string) error {
	return &stormrpc.NotAliveException{Msg: fmt.Sprintf("No local assignment assigned for storm: %s for node: %s", topology, host)}
}

// fromHere refuses callers on other machines: what a worker is told holds the secret of its topology.
func (v service) fromHere(ctx context.Context) error {
	remote := wire.Caller(ctx).Remote.Addr()
	own := v.s.Addr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	if remote.IsLoopback() || remote == own {
		return nil
	}
	return &stormrpc.AuthorizationException{Msg: "only workers of this node may call this"}
}

// SyncWorker takes a worker's report and answers with its topology's plan: at once if the worker has another version or has
// not heard of the plan's epoch, else with the next change, or when the call was held long enough. A worker whose topology has
// left this node is answered with the plan that says so, while Nimbus sends it, so that it finishes what it has.
func (v service) SyncWorker(ctx context.Context, report *stormrpc.WorkerReport, known int64, waitMs int32) (*stormrpc.TopologyPlan, error) {
	if err := v.fromHere(ctx); err != nil {
		return nil, err
	}
	r, o, err := v.workerOf(report)
	if err != nil {
		return nil, err
	}
	if err := v.s.reports.hear(report); err != nil {
		return nil, err
	}
	r.beat(o.worker)
	r.noteGraph(o, report)
	// A third of what the worker may be silent: its next call is its next sign of life.
	hold := min(time.Duration(max(waitMs, 0))*time.Millisecond, o.silence/3)
	timer := time.NewTimer(hold)
	defer timer.Stop()
	for over := false; ; {
		plan, changed := v.s.plans.answer(o.topology)
		if plan == nil || r.occupant().worker != o.worker {
			return nil, notAlive(o.topology)
		}
		now, ready := r.planFor(plan)
		questions, asked := v.s.questions.take(o.topology, o.worker)
		switch news := over || len(questions) > 0; {
		case !ready && news:
			return withQuestions(unchanged(report, known, plan), questions), nil
		case ready && (news || plan.PlanVersion != known || plan.Epoch > report.Epoch && r.occupant().told != plan):
			r.tell(o.worker, plan)
			if plan.PlanVersion == known && plan.Epoch == report.Epoch {
				now = stillValid(plan)
			}
			return withQuestions(now, questions), nil
		}
		select {
		case <-changed:
		case <-asked:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			over = true // this server ends, which is no news to the worker, or the worker is gone
		}
	}
}

// stillValid is the answer to a worker that has plan: its versions alone, since large topologies have large plans.
func stillValid(plan *stormrpc.TopologyPlan) *stormrpc.TopologyPlan {
	return &stormrpc.TopologyPlan{
		TopologyID: plan.TopologyID, PlanVersion: plan.PlanVersion, Epoch: plan.Epoch, AssignmentID: plan.AssignmentID, Status: plan.Status,
		Assignment: stormrpc.NewAssignment(), TaskComponents: map[int32]string{}, Secret: []byte{}, DagVersion: plan.DagVersion,
	}
}

// workerOf finds the slot of a worker. A worker that is not the one of its slot hears that it should exit. Ids are no secret,
// so the worker that is has to show the token of its launch, which only it and this supervisor know.
func (v service) workerOf(report *stormrpc.WorkerReport) (*runner, occupant, error) {
	if report == nil {
		return nil, occupant{}, notAlive("")
	}
	r := v.s.slots[int(report.Port)]
	if r == nil {
		return nil, occupant{}, notAlive(report.TopologyID)
	}
	o := r.occupant()
	if o.worker == "" || o.worker != report.WorkerID || o.topology != report.TopologyID {
		return nil, occupant{}, notAlive(report.TopologyID)
	}
	if subtle.ConstantTimeCompare([]byte(o.token), []byte(report.GetToken())) != 1 && o.token != "" {
		return nil, occupant{}, &stormrpc.AuthorizationException{Msg: "this is not the worker that was started under this id"}
	}
	return r, o, nil
}

// tell remembers what a worker was answered, so that one which does not take the epoch over is held all the same.
func (r *runner) tell(worker string, plan *stormrpc.TopologyPlan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.worker == worker {
		r.now.told = plan
	}
}

// SyncNode is Nimbus's.
func (v service) SyncNode(context.Context, *stormrpc.NodeReport, int64, int32) (*stormrpc.NodePlan, error) {
	return nil, wire.ErrNotImplemented
}

// SyncPeer is Nimbus's.
func (v service) SyncPeer(context.Context, *stormrpc.PeerReport, int64, int32) (*stormrpc.PeerPlan, error) {
	return nil, wire.ErrNotImplemented
}

// GetState is Nimbus's.
func (v service) GetState(context.Context, string, *stormrpc.StateQuery) (*stormrpc.StateAnswer, error) {
	return nil, wire.ErrNotImplemented
}

// Savepoint is Nimbus's.
func (v service) Savepoint(context.Context, string, string, bool, int32) (*stormrpc.SavepointAnswer, error) {
	return nil, wire.ErrNotImplemented
}

// FetchBlob is Nimbus's.
func (v service) FetchBlob(context.Context, string, string, int64, int32) ([]byte, error) {
	return nil, wire.ErrNotImplemented
}

// SendSupervisorAssignments is the push of Storm's Nimbus. What it carries is not enough for a plan, and with a call held at
// Nimbus it is no news either; it only says that Nimbus answers again.
func (v service) SendSupervisorAssignments(context.Context, *stormrpc.SupervisorAssignments) error {
	wake(v.s.poke)
	return nil
}

// GetLocalAssignmentForStorm gives where the executors of a topology run, if any of them runs here.
func (v service) GetLocalAssignmentForStorm(_ context.Context, id string) (*stormrpc.Assignment, error) {
	plan, _ := v.s.plans.topology(id)
	if plan == nil {
		return nil, noAssignment(id, v.s.cfg.Hostname)
	}
	return plan.Assignment, nil
}

// SendSupervisorWorkerHeartbeat is the sign of life of a worker that knows only Storm's calls. Which one it is follows from
// its executors. The method declares no exception for a worker that should not be: it gets an internal error, as with Storm.
func (v service) SendSupervisorWorkerHeartbeat(ctx context.Context, beat *stormrpc.SupervisorWorkerHeartbeat) error {
	if err := v.fromHere(ctx); err != nil {
		return err
	}
	if beat == nil {
		return notAlive("")
	}
	plan, _ := v.s.plans.topology(beat.StormID)
	if plan == nil {
		return notAlive(beat.StormID)
	}
	for _, port := range slotsOf(plan, v.s.node) {
		r := v.s.slots[port]
		if r == nil || !runsIn(plan, v.s.node, port, beat.Executors) {
			continue
		}
		if o := r.occupant(); o.topology == beat.StormID {
			r.beat(o.worker)
			return nil
		}
	}
	return notAlive(beat.StormID)
}

// runsIn tells whether the first of the executors is planned for a slot.
func runsIn(plan *stormrpc.TopologyPlan, node string, port int, executors []*stormrpc.ExecutorInfo) bool {
	if len(executors) == 0 || executors[0] == nil || plan.Assignment.ExecutorNodePort == nil {
		return false
	}
	for _, e := range *plan.Assignment.ExecutorNodePort {
		if len(e.Key) == 2 && e.Key[0] == int64(executors[0].TaskStart) && e.Key[1] == int64(executors[0].TaskEnd) &&
			e.Value != nil && e.Value.Node == node && len(e.Value.Port) > 0 && int(e.Value.Port[0]) == port {
			return true
		}
	}
	return false
}

// PlanChange is Nimbus's.
func (service) PlanChange(context.Context, string, string, *stormrpc.StormTopology, *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	return nil, wire.ErrNotImplemented
}

// ApplyChange is Nimbus's.
func (service) ApplyChange(context.Context, string, string, string, *stormrpc.StormTopology, *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	return nil, wire.ErrNotImplemented
}

// GetTopologyVersions is Nimbus's.
func (service) GetTopologyVersions(context.Context, string) ([]*stormrpc.TopologyVersion, error) {
	return nil, wire.ErrNotImplemented
}

// RollbackTopology is Nimbus's.
func (service) RollbackTopology(context.Context, string, int64, *stormrpc.ChangeOptions) (*stormrpc.TopologyChange, error) {
	return nil, wire.ErrNotImplemented
}

// replyPatience bounds how long a worker's reply to a question waits for Nimbus.
const replyPatience = 5 * time.Second

// ReplyState passes a worker's reply to a question of Nimbus on.
func (v service) ReplyState(ctx context.Context, r *stormrpc.StateReply) error {
	if err := v.fromHere(ctx); err != nil {
		return err
	}
	if r == nil {
		return notAlive("")
	}
	if _, _, err := v.workerOf(&stormrpc.WorkerReport{TopologyID: r.TopologyID, Port: r.Port, WorkerID: r.WorkerID, Token: r.Token}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, replyPatience)
	defer cancel()
	passed := *r
	passed.Token, passed.NodeID = nil, &v.s.node
	return v.s.nimbus.Prompt().ReplyState(ctx, &passed)
}
