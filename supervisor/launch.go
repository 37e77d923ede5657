package supervisor

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gearstorm/gearstorm/supervisor/isolate"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// workerDir is a worker's own directory. While it exists processes with that worker id may.
func (s *Supervisor) workerDir(worker string) string { return filepath.Join(s.workersDir(), worker) }

func (s *Supervisor) workersDir() string { return filepath.Join(s.cfg.LocalDir, "workers") }

// launch starts a worker with the code at hand and the plan in force and gives its id. Newer code may take the place of that before the worker
// reads it, which finds what its plan names beside it then (localizer/former.go).
func (r *runner) launch(topology string) (string, error) {
	plan, _ := r.plans.topology(topology)
	if plan == nil {
		return "", fmt.Errorf("launch worker: the plan does not have topology %s here any more", topology)
	}
	if plan.GetCodeID() != r.code.ID {
		return "", fmt.Errorf("launch worker: the code of version %d of topology %s is not here yet", plan.DagVersion, topology)
	}
	encoded, err := wire.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("launch worker: %w", err)
	}
	env, err := environment(r.code.Conf)
	if err != nil {
		return "", fmt.Errorf("launch worker: %w", err)
	}
	worker := newID()
	dir := r.workerDir(worker)
	l := isolate.Launch{
		Spec: isolate.WorkerSpec{
			Topology: topology, Worker: worker, Node: r.node, Hostname: r.cfg.Hostname, Port: r.port,
			Supervisor: r.workerAddr, CodeDir: r.code.Dir, WorkerDir: dir, PidDir: filepath.Join(dir, "pids"),
			LogPath:  filepath.Join(r.cfg.ArtifactsDir, topology, strconv.Itoa(r.port), "worker.log"),
			Lifeline: r.cfg.Lifeline, Plan: encoded, Conf: r.workerConf, Token: rand.Text(),
		},
		Binary: r.code.Binary, Env: env,
	}
	if l.Binary == "" {
		l.Binary = r.cfg.Binary
	}
	if err := r.isolated(&l, plan); err != nil {
		return "", fmt.Errorf("launch worker: %w", err)
	}
	own, err := ownLimits(r.code.Conf)
	if err != nil {
		return "", fmt.Errorf("launch worker: %w", err)
	}
	return worker, r.start(l, own, plan.DagVersion)
}

// start launches a process that is to run a version of the graph, and keeps on disk what a next supervisor needs to find it.
func (r *runner) start(l isolate.Launch, limits string, graph int64) error {
	rec := workerRecord{
		Topology: l.Spec.Topology, Worker: l.Spec.Worker, Launched: time.Now(), Silence: r.state.Silence,
		LogPath: l.Spec.LogPath, LogStart: fileSize(l.Spec.LogPath), ErrStart: fileSize(l.Spec.LogPath + ".err"),
		Token: l.Spec.Token, Stamp: r.code.Stamp, Restarts: r.state.Restarts, LastExit: r.state.LastExit,
		Limits: limits, Graph: graph, Strict: l.Sandbox.Profile == isolate.SandboxStrict,
	}
	if err := r.disk.keepWorker(r.port, rec); err != nil {
		return err
	}
	r.record = rec
	r.occupy(occupantOf(rec))
	if err := linkCode(l.Spec.WorkerDir, r.code); err != nil {
		r.cleanUp(rec.Worker)
		return err
	}
	proc, err := r.cfg.Processes.Launch(l)
	if err != nil {
		r.cleanUp(rec.Worker)
		return err
	}
	id := proc.Identity()
	r.proc, r.record.Process = proc, &id
	r.watch(proc, r.record, l.Limits)
	r.log.Info("launched worker", "topology", rec.Topology, "worker", rec.Worker, "pid", id.Pid, "by", l.By.Name())
	r.keepRecord()
	r.expected()
	return nil
}
