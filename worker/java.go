package worker

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/codec"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/multilang/jvmhost"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// javaSide is the Java process of a worker and what it is told of the topology. The process is started for the first task
// of a component written in Java that the worker has, or at once for a topology with worker hooks.
type javaSide struct {
	code atomic.Pointer[javaCode]
	node javaNode
	host *jvmhost.Host

	checkpoints bool // the topology has them

	local atomic.Pointer[[]gearcore.TaskID] // tasks of this worker
	once  sync.Once

	heapLimit string        // of the last start; owned by the host
	needed    chan struct{} // closed when the process is
}

// javaCode is a version of the topology.
type javaCode struct {
	topo *stormrpc.StormTopology // as it is stored
	plan *dag.Plan
	dir  string // where its code is
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
	topo, plan := code.topo, code.plan
	uses := len(topo.WorkerHooks) > 0
	for _, p := range plan.Graph.Processors {
		uses = uses || p.Impl.Kind == dag.ImplJava
	}
	if !uses {
		return nil, nil
	}
	s, err := settingsOf(plan.Graph)
	if err != nil {
		return nil, err
	}
	timing, err := compat.TimingOf(plan.Graph.Conf)
	if err != nil {
		return nil, err
	}
	j := &javaSide{checkpoints: timing.Checkpoints(), node: node, needed: make(chan struct{})}
	j.code.Store(code)
	j.local.Store(&[]gearcore.TaskID{})
	j.host, err = jvmhost.NewHost(jvmhost.Config{
		Command: j.command, Explain: j.explain, Log: node.log, Output: node.output, Dir: socketDir(node.workerDir),
		Grace: s.shutdown, StartTimeout: s.javaStart, Silence: s.javaSilence,
	})
	if err != nil {
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

// task makes a bolt or a source of a component written in Java.
func (j *javaSide) task(p *dag.Processor, set *settings) (any, error) {
	j.need()
	spec := jvmhost.Spec{MessageTimeout: set.messageTimeout, MaxPending: set.maxSpoutPending[p.Name], Checkpoints: j.checkpoints}
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
	setup, err := j.setup()
	return jvmhost.Command{Java: ready.Java, Args: args, Setup: setup}, err
}

// JavaInstall reads where the Java side of a node's workers is out of its configuration. The release of Storm is left open.
func JavaInstall(c conf.Conf) (i jvmhost.Install, err error) {
	if i.Dir, err = c.StringOr(compat.JavaDirKey, ""); err != nil {
		return i, err
	}
	i.Lib, err = c.StringOr(compat.JavaLibKey, "")
	return i, err
}

// setup encodes what the process is to know, in the form that its class Setup reads.
func (j *javaSide) setup() ([]byte, error) {
	code := j.code.Load()
	g := code.plan.Graph
	system, err := compat.SystemTopology(g.Conf, code.topo)
	if err != nil {
		return nil, err
	}
	own := conf.Conf{}
	for _, p := range g.Processors {
		own[p.Name] = p.Conf
	}
	var fields []gearcore.Pair
	add := func(name string, v gearcore.Value) {
		fields = append(fields, gearcore.Pair{Key: gearcore.Str(name), Val: v})
	}
	for name, text := range map[string]string{
		"topologyId": j.node.topologyID, "assignmentId": j.node.assignmentID, "host": j.node.hostname,
		"codeDir": resources(code.dir), "pidDir": j.node.pidDir,
	} {
		add(name, gearcore.Str(text))
	}
	for name, t := range map[string]*stormrpc.StormTopology{"system": system, "user": code.topo} {
		b, err := wire.Marshal(t)
		if err != nil {
			return nil, fmt.Errorf("write the topology for Java: %w", err)
		}
		add(name, gearcore.Bytes(b))
	}
	for name, c := range map[string]conf.Conf{"conf": g.Conf, "componentConf": own} {
		b, err := zipped(c)
		if err != nil {
			return nil, fmt.Errorf("write the conf for Java: %w", err)
		}
		add(name, gearcore.Bytes(b))
	}
	add("port", gearcore.Int(int32(j.node.port)))
	add("tasks", componentsOf(code.plan))
	add("workerTasks", ids(*j.local.Load()))
	add("streams", streamNames(code.plan.Layout))
	return codec.Append(nil, gearcore.Map(fields))
}

func zipped(c conf.Conf) ([]byte, error) {
	text, err := c.JSON()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err = z.Write(text); err == nil {
		err = z.Close()
	}
	return buf.Bytes(), err
}

// componentsOf maps tasks to components.
func componentsOf(p *dag.Plan) gearcore.Value {
	var out []gearcore.Pair
	for id, name := range p.Layout.Components {
		if id != gearcore.SystemTask {
			out = append(out, gearcore.Pair{Key: gearcore.Int(int32(id)), Val: gearcore.Str(name)})
		}
	}
	return gearcore.Map(out)
}

func ids(tasks []gearcore.TaskID) gearcore.Value {
	out := make([]gearcore.Value, len(tasks))
	for i, id := range tasks {
		out[i] = gearcore.Int(int32(id))
	}
	return gearcore.List(out)
}

// streamNames lists component and name of every stream, by its id.
func streamNames(l *gearcore.Layout) gearcore.Value {
	out := make([]gearcore.Value, len(l.Streams))
	for i, s := range l.Streams {
		out[i] = gearcore.List([]gearcore.Value{gearcore.Str(s.Component), gearcore.Str(s.Name)})
	}
	return gearcore.List(out)
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
