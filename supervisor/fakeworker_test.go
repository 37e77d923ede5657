package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// testWorker is a worker that acts out a role.
func testWorker(role string) int {
	spec, err := isolate.ReadSpec(isolate.SpecFD)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	plan := stormrpc.NewTopologyPlan()
	if err := wire.Unmarshal(spec.Plan, plan); err != nil || len(plan.Secret) != 32 {
		fmt.Fprintln(os.Stderr, "no plan", err)
		return 98
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if spec.Lifeline {
		line, err := isolate.OpenLifeline(isolate.LifelineFD)
		if err != nil {
			return 97
		}
		go func() {
			line.Wait()
			os.Exit(0)
		}()
	}
	w := &fakeWorker{spec: spec, plan: plan, started: time.Now()}
	switch role {
	case "", "good":
		return w.report(ctx, nil)
	case "dies":
		fmt.Fprintln(os.Stderr, "panic: no more ideas")
		return 7
	case "dies once":
		mark := filepath.Join(filepath.Dir(spec.LogPath), "died")
		if _, err := os.Stat(mark); err == nil {
			return w.report(ctx, nil)
		}
		os.WriteFile(mark, nil, 0o600)
		return w.report(ctx, func(int) bool { os.Exit(3); return false })
	case "leaves":
		return w.report(ctx, func(n int) bool { return n == 2 })
	case "mute":
		<-ctx.Done()
		return 0
	case "falls silent":
		w.report(ctx, func(int) bool { return true })
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour) // with nothing else to do select{} would count as a deadlock
	case "storm":
		return w.beatAsStorm(ctx)
	case "leaks":
		return w.report(ctx, func(n int) bool {
			for ; n > 1 && len(w.kept) < 1<<10; w.kept = append(w.kept, bytes.Repeat([]byte("x"), 1<<20)) {
			}
			return false
		})
	case "answers":
		return w.report(ctx, func(int) bool {
			w.answer(ctx)
			return false
		})
	case "complains":
		w.errors = []*stormrpc.WorkerError{{Component: "split", Message: os.Getenv("TEXT"), TimeMs: 1}}
		return w.report(ctx, nil)
	}
	return 96
}

type fakeWorker struct {
	spec    isolate.WorkerSpec
	plan    *stormrpc.TopologyPlan
	started time.Time
	errors  []*stormrpc.WorkerError
	kept    [][]byte
}

// report keeps calling the supervisor until it is told to leave or until says so after a number of answers.
func (w *fakeWorker) report(ctx context.Context, until func(answers int) bool) int {
	var conn *wire.Client
	pid := int32(os.Getpid())
	for answers := 1; ctx.Err() == nil; {
		if conn == nil || conn.Closed() {
			var err error
			if conn, err = wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{}); err != nil {
				time.Sleep(20 * time.Millisecond) // the supervisor is away: a worker goes on
				continue
			}
		}
		next, err := stormrpc.NewGearstormClient(conn).SyncWorker(ctx, &stormrpc.WorkerReport{
			TopologyID: w.spec.Topology, Port: int32(w.spec.Port), WorkerID: w.spec.Worker, AssignmentID: w.plan.AssignmentID,
			Epoch: w.plan.Epoch, Ready: true, Pid: &pid, UptimeSecs: int64(time.Since(w.started).Seconds()), TimeMs: time.Now().UnixMilli(),
			ExecutorStats: []wire.MapEntry[*stormrpc.ExecutorInfo, *stormrpc.ExecutorStats]{}, Errors: w.errors, Token: &w.spec.Token,
		}, w.plan.PlanVersion, 500)
		var gone *stormrpc.NotAliveException
		if errors.As(err, &gone) {
			return 0
		}
		if err != nil {
			continue
		}
		w.errors, w.plan = nil, next
		if until != nil && until(answers) {
			return 0
		}
		answers++
	}
	return 0
}

// answer replies to the questions of the last plan: first with a wrong token, then as it should.
func (w *fakeWorker) answer(ctx context.Context) {
	for _, q := range w.plan.Questions {
		conn, err := wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{})
		if err != nil {
			return
		}
		for _, token := range []string{"wrong", w.spec.Token} {
			text := token
			if err := stormrpc.NewGearstormClient(conn).ReplyState(ctx, &stormrpc.StateReply{ID: q.ID, TopologyID: q.TopologyID, Port: int32(w.spec.Port),
				WorkerID: w.spec.Worker, Token: &token, Rows: []*stormrpc.StateRow{{Task: 1, JSON: &text}}}); err != nil {
				fmt.Fprintln(os.Stderr, "reply:", err)
			}
		}
		conn.Close()
	}
}

func (w *fakeWorker) beatAsStorm(ctx context.Context) int {
	conn, err := wire.Dial(ctx, w.spec.Supervisor, wire.DialOptions{})
	if err != nil {
		return 1
	}
	sup := stormrpc.NewSupervisorClient(conn)
	for ctx.Err() == nil {
		a, err := sup.GetLocalAssignmentForStorm(ctx, w.spec.Topology)
		if err != nil {
			return 0
		}
		for _, e := range *a.ExecutorNodePort {
			if e.Value.Node == w.spec.Node && e.Value.Port[0] == int64(w.spec.Port) {
				sup.SendSupervisorWorkerHeartbeat(ctx, &stormrpc.SupervisorWorkerHeartbeat{StormID: w.spec.Topology,
					Executors: []*stormrpc.ExecutorInfo{{TaskStart: int32(e.Key[0]), TaskEnd: int32(e.Key[1])}}})
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	return 0
}
