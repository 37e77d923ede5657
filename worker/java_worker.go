package worker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/nimbus/client"
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

// renewJava gives m, of another version of the graph, its Java side: the one that there is, or another one beside it where the classes are
// others.
func (w *worker) renewJava(m *taskMaker, code *javaCode) (err error) {
	j := m.java
	if j != nil {
		fits, err := j.fits(code)
		if err != nil || fits {
			return err
		}
		if id, stays := j.staying(code.plan); stays {
			return fmt.Errorf("task %d stays, and the classes of the jar are others", id)
		}
	}
	if m.java, err = w.newJava(code); err != nil || m.java == nil {
		return err
	}
	m.java.bind(w.host.engine, hooks{w.host.table})
	w.startJava(m.java)
	return nil
}

// fits says whether the process can run a version of the topology, and makes it known to it then. One without anything in Java it can run.
func (j *javaSide) fits(code *javaCode) (bool, error) {
	if !code.usesJava() {
		return true, nil
	}
	classes, err := classesOf(code)
	if err != nil || classes != j.classes {
		return false, err
	}
	return true, j.follow(code)
}

// follow goes over to another version of the topology. Tasks of earlier ones go on by theirs until the engine goes over.
func (j *javaSide) follow(code *javaCode) error {
	setup, err := j.setup(code)
	if err != nil {
		return err
	}
	j.code.Store(code)
	j.host.SetVersion(code.plan.Graph.Version, len(code.plan.Layout.Streams), setup)
	return nil
}

// staying returns a task in Java that is in the version that runs and in next.
func (j *javaSide) staying(next *dag.Plan) (gearcore.TaskID, bool) {
	for _, p := range j.code.Load().plan.Graph.Processors {
		if p.Impl.Kind != dag.ImplJava {
			continue
		}
		for _, id := range j.code.Load().plan.TasksOf(p.Name) {
			if _, stays := next.Numbering[id]; stays {
				return id, true
			}
		}
	}
	return 0, false
}

// retire has the process end when its last task is closed: another one has the tasks that come.
func (j *javaSide) retire() {
	j.host.Retire()
	j.untold()
	j.need() // or nobody ends what waits for the need
}

// usesJava says whether the version has anything to do with Java.
func (c *javaCode) usesJava() bool {
	return len(c.topo.WorkerHooks) > 0 ||
		slices.ContainsFunc(c.plan.Graph.Processors, func(p *dag.Processor) bool { return p.Impl.Kind == dag.ImplJava })
}

// classesOf tells versions of a topology apart whose classes are others, as Nimbus does: by what is in the jar beside resources/, and by the
// jars that it depends on.
func classesOf(code *javaCode) (string, error) {
	of := strings.Join(slices.Concat(code.topo.DependencyJars, []string{""}, code.topo.DependencyArtifacts), "\x00")
	f, err := os.Open(filepath.Join(code.dir, "stormjar.jar"))
	if errors.Is(err, fs.ErrNotExist) {
		return of, nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	c, err := client.ContentsOf(f, info.Size())
	if err != nil {
		return "", err
	}
	if c != nil {
		return of + "\x00" + c.Rest, nil
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return of + "\x00" + string(sum.Sum(nil)), err
}

// javaSides are those of a worker that run, or wait for need.
type javaSides struct {
	mu  sync.Mutex
	all map[*javaSide]bool // guarded by mu
}

func (s *javaSides) add(j *javaSide) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*javaSide]bool{}
	}
	s.all[j] = true
}

func (s *javaSides) remove(j *javaSide) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, j)
}

// stop has nobody wait for their processes any more.
func (s *javaSides) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for j := range s.all {
		j.host.Stop()
	}
}
