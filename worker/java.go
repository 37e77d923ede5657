package worker

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// javaSide is the Java process of a worker and what it is told of the topology. The process is started for the first task
// of a component written in Java that the worker has, or at once for a topology with worker hooks.
type javaSide struct {
	code    atomic.Pointer[javaCode]
	classes string // of the versions that it runs; see classesOf
	node    javaNode
	host    *jvmhost.Host

	checkpoints bool // the topology has them

	local  atomic.Pointer[[]gearcore.TaskID] // tasks of this worker
	once   sync.Once
	untold func() // has it hear of credentials no more

	heapLimit string        // of the last start; owned by the host
	needed    chan struct{} // closed when the process is
}

// javaCode is a version of the topology.
type javaCode struct {
	topo    *stormrpc.StormTopology // as it is stored
	plan    *dag.Plan
	dir     string // where its code is
	version int64  // of the code
}

// javaNode is what the worker's own place has to do with it.
type javaNode struct {
	topologyID, workerID, assignmentID string
	hostname                           string
	pidDir, workerDir, logDir          string
	port                               int
	heapMB                             int64 // scheduled for this worker, 0 if nothing was
	log                                *slog.Logger
	output                             *slog.Logger // of what Java prints: its loggers have levels of their own
	credentials                        *gearcore.Credentials
}

// newJavaSide returns nil for a topology that has nothing to do with Java.
func newJavaSide(code *javaCode, node javaNode) (*javaSide, error) {
	if !code.usesJava() {
		return nil, nil
	}
	topo, plan := code.topo, code.plan
	s, err := settingsOf(plan.Graph)
	if err != nil {
		return nil, err
	}
	timing, err := compat.TimingOf(plan.Graph.Conf)
	if err != nil {
		return nil, err
	}
	j := &javaSide{checkpoints: timing.Checkpoints(), node: node, needed: make(chan struct{})}
	if j.classes, err = classesOf(code); err != nil {
		return nil, err
	}
	j.local.Store(&[]gearcore.TaskID{})
	j.host, err = jvmhost.NewHost(jvmhost.Config{
		Command: j.command, Explain: j.explain, Log: node.log, Output: node.output, Dir: socketDir(node.workerDir),
		Grace: s.shutdown, StartTimeout: s.javaStart, Silence: s.javaSilence,
	})
	if err != nil {
		return nil, err
	}
	if err := j.follow(code); err != nil {
		return nil, err
	}
	j.followCredentials()
	if len(topo.WorkerHooks) > 0 {
		j.need()
	}
	return j, nil
}

// socketDir returns where the socket goes: into the worker's folder, which is cleaned up behind it, if its path is short enough.
func socketDir(worker string) string {
	const most = 70 // a name that is made up comes behind it, and all of it may have 107 bytes
	if len(worker) > most {
		return ""
	}
	return worker
}

// bind gives the process's tasks the engine they run in. In a timed topology every edge passes the engine, which follows its markers and
// watermarks.
func (j *javaSide) bind(e jvmhost.Engine, h gearcore.Hooks) {
	if j.code.Load().plan.Graph.Timed {
		e = nil
	}
	j.host.Bind(e, h)
	j.tellLocal(*j.local.Load())
}

// tellLocal says which tasks this worker has.
func (j *javaSide) tellLocal(tasks []gearcore.TaskID) {
	j.local.Store(&tasks)
	plan, written := j.code.Load().plan, map[string]bool{}
	for _, p := range plan.Graph.Processors {
		written[p.Name] = p.Impl.Kind == dag.ImplJava
	}
	var java []gearcore.TaskID
	for _, id := range tasks {
		if written[plan.Layout.Components[id]] {
			java = append(java, id)
		}
	}
	j.tellValue(toldTasks, ids(tasks))
	j.host.Local(java)
}

func (j *javaSide) need() { j.once.Do(func() { close(j.needed) }) }

// run keeps the process running, once there is need of one, until ctx ends.
func (j *javaSide) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-j.needed:
	}
	return j.host.Run(ctx)
}

// task makes a bolt or a source of a component written in Java, for a version of the graph.
func (j *javaSide) task(p *dag.Processor, set *settings, graph int64) (any, error) {
	j.need()
	spec := jvmhost.Spec{Graph: graph, MessageTimeout: set.messageTimeout, MaxPending: set.maxSpoutPending[p.Name], Checkpoints: j.checkpoints}
	if j.checkpoints {
		spec.MessageTimeout = 0 // a tuple that nobody settles holds back the checkpoint
	}
	for _, o := range p.Outputs {
		spec.Outputs = append(spec.Outputs, jvmhost.Output{Stream: o.Stream})
	}
	if p.Kind == dag.Spout {
		return j.host.NewSpout(spec)
	}
	return j.host.NewBolt(spec)
}

// command is what the host starts the process with. It is asked before every start, so that what was missing may have come.
func (j *javaSide) command() (jvmhost.Command, error) {
	c := conf.Conf(j.code.Load().plan.Graph.Conf)
	install, err := JavaInstall(c)
	if err != nil {
		return jvmhost.Command{}, err
	}
	ready, err := install.Find()
	if err != nil {
		return jvmhost.Command{}, err
	}
	args, err := j.args(c, ready)
	if err != nil {
		return jvmhost.Command{}, err
	}
	j.heapLimit = heapLimit(args)
	return jvmhost.Command{Java: ready.Java, Args: args}, nil
}

// JavaInstall reads where the Java side of a node's workers is out of its configuration. The release of Storm is left open.
func JavaInstall(c conf.Conf) (i jvmhost.Install, err error) {
	if i.Dir, err = c.StringOr(compat.JavaDirKey, ""); err != nil {
		return i, err
	}
	i.Lib, err = c.StringOr(compat.JavaLibKey, "")
	return i, err
}

// classPath returns what of the topology stands behind the Java side and Storm on the class path.
func (j *javaSide) classPath(c conf.Conf) ([]string, error) {
	code := j.code.Load()
	path := []string{filepath.Join(code.dir, "stormjar.jar")}
	for _, key := range append(append([]string(nil), code.topo.DependencyJars...), code.topo.DependencyArtifacts...) {
		path = append(path, filepath.Join(code.dir, key))
	}
	more, err := c.StringList("topology.classpath")
	return append(path, more...), err
}
