package worker

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// newJava makes the Java side of a worker; nil for a topology that has nothing to do with Java.
func (w *worker) newJava(code *javaCode) (*javaSide, error) {
	j, err := newJavaSide(code, javaNode{
		topologyID: w.spec.Topology, workerID: w.spec.Worker, assignmentID: w.plan.AssignmentID, pidDir: w.spec.PidDir, workerDir: w.spec.WorkerDir,
		hostname: w.spec.Hostname, port: w.spec.Port, heapMB: heapOf(w.plan, w.self), log: w.log,
		output:      w.cfg.Log.With(slog.String("topology", w.spec.Topology), slog.String("worker", w.spec.Worker)),
		credentials: &w.credentials, logDir: filepath.Dir(w.spec.LogPath),
	})
	if j != nil {
		w.levels.tell(j.setLevels)
		w.profiler.setProcess(j.host)
	}
	return j, err
}

// renewJava gives m, of another version of the graph, its Java side.
func (w *worker) renewJava(m *taskMaker, code *javaCode, local []dag.Executor) (err error) {
	if m.java != nil {
		return m.java.renew(code, local)
	}
	if m.java, err = w.newJava(code); err != nil || m.java == nil {
		return err
	}
	m.java.bind(w.host.engine, hooks{w.host.table})
	w.startJava(m.java)
	return nil
}

// renew goes over to another version of the topology, of which local is to run here. A process that runs knows the one before:
// then nothing may differ that concerns its tasks.
func (j *javaSide) renew(code *javaCode, local []dag.Executor) error {
	was := j.code.Load()
	select {
	case <-j.needed:
		moves := dag.MovesOf(was.plan, code.plan)
		for _, id := range tasksOf(code.plan, local) {
			touched := slices.Contains(moves.Come, id) || slices.Contains(moves.Rewired, id)
			if t, _ := code.plan.Task(id); touched && t.Processor.Impl.Kind == dag.ImplJava {
				return errors.New("the Java process that runs has tasks that are new, or send to or hear from others")
			}
		}
	default:
	}
	j.code.Store(code)
	return nil
}
