package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/internal/metrics"
	"github.com/gearstorm/gearstorm/multilang"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// Registry makes the Go components of a topology by their registered names. storm.Registry is one.
type Registry interface {
	Task(name string) (gearcore.Task, error)
	Source(name string) (gearcore.Source, error)
	// Grouping makes a custom grouping.
	Grouping(name string) (gearcore.CustomGrouping, error)
}

// host is an engine with the tasks of some executors of a plan and the counters over them.
type host struct {
	local  []dag.Executor // owned by who changes it
	set    settings       // of the version of the graph that it began with; what is of a component: tasks
	table  *metrics.Table
	engine *engine.Engine
	tasks  atomic.Pointer[taskMaker]                // of the version that runs, or is about to
	onHost atomic.Pointer[map[gearcore.TaskID]bool] // tasks of this host
	keeps  atomic.Pointer[map[gearcore.TaskID]transport.Keeps]
	ending []ended // owned by who changes it
}

// taskMaker makes tasks of one version of the graph and what they are told of themselves. Its confs and local are owned by who
// changes the host.
type taskMaker struct {
	plan        *dag.Plan
	topologyID  string
	codeDir     string        // of the topology; its resources are what tasks see
	codeVersion int64         // of what is there, or was
	codeNow     func() string // where they are by now
	pidDir      string
	port        int
	registry    Registry
	local       []gearcore.TaskID
	table       *metrics.Table
	log         *slog.Logger
	confs       map[string]map[string]any // by component
	onHost      map[gearcore.TaskID]bool  // tasks of this host, as they are placed at the start
	version     uint64                    // of the plan
	credentials *gearcore.Credentials     // of the topology; may be nil
	multilang   func(*multilang.Spec)     // changes the spec of a shell component; may be nil
	java        *javaSide                 // nil where nothing is written in Java, or nothing can be
	set         *settings
	timed       *timed           // nil where the topology has no clock
	later       bool             // others run beside the tasks that it makes, and do not stop because one cannot be made
	turns       *multilang.Turns // of children that come while others are at work
}

// newHost makes everything but starts nothing. remote is nil when all tasks are local.
func newHost(m taskMaker, local []dag.Executor, remote func(gearcore.TaskID) engine.Outlet, loops int) (*host, error) {
	h := &host{local: local}
	var err error
	if h.set, err = settingsOf(m.plan.Graph); err != nil {
		return nil, err
	}
	m.local = tasksOf(m.plan, local)
	h.onHost.Store(&m.onHost)
	h.table, err = metrics.New(metrics.Config{
		Plan: m.plan, Tasks: m.local, Buckets: h.set.statBuckets, MaxErrors: h.set.maxErrors, ErrorInterval: h.set.errorInterval, Log: m.log,
	})
	if err != nil {
		return nil, err
	}
	m.table, m.confs = h.table, map[string]map[string]any{}
	m.useCode(m.codeDir, m.codeVersion)
	m.set, m.turns = &h.set, multilang.NewTurns(runtime.GOMAXPROCS(0)/2)
	if m.java != nil {
		m.java.local.Store(&m.local)
	}
	h.tasks.Store(&m)
	of := func() *settings { return h.tasks.Load().set }
	h.engine, err = engine.New(engine.Config{
		Plan: m.plan, Local: local, Version: m.version, NewTask: h.makeTask, NewGrouping: h.makeGrouping, Remote: remote, Hooks: hooks{h.table}, Loops: loops,
		MessageTimeout: h.set.messageTimeout, MaxTupleBytes: h.set.MaxTupleBytes,
		SpoutWait:    func(c string) time.Duration { return of().spoutWait[c] },
		SpoutWaitMax: h.set.spoutWaitMax,
		InboxBatches: h.set.InboxBatches, InboxBytes: h.set.InboxBytes, BatchRows: h.set.BatchRows, SampleEvery: h.set.SampleEvery,
		OnHost:       func(t gearcore.TaskID) bool { return (*h.onHost.Load())[t] },
		PlainShuffle: h.set.PlainShuffle, LowerBound: h.set.LowerBound, HigherBound: h.set.HigherBound,
		MaxSpoutPending: func(c string) int { return of().maxSpoutPending[c] },
		TickEvery:       func(c string) time.Duration { return of().tickEvery[c] },
		Fuse:            func(c string) bool { return of().fuse[c] },
		Timing:          m.timed.engineTiming(),
	})
	if err != nil {
		return nil, err
	}
	m.timed.bind(h.engine)
	if m.java != nil {
		m.java.bind(h.engine, hooks{h.table})
	}
	h.keeps.Store(keeps(m.plan, local, h.engine))
	return h, nil
}

func (h *host) isSpout(component string) bool {
	return slices.ContainsFunc(h.plan().Graph.Processors, func(p *dag.Processor) bool { return p.Name == component && p.Kind == dag.Spout })
}

// plan is the one of the version that runs, or is about to.
func (h *host) plan() *dag.Plan { return h.tasks.Load().plan }

func (h *host) makeTask(t dag.Task) (any, *gearcore.Context, error) { return h.tasks.Load().make(t) }

func (h *host) makeGrouping(name string) (gearcore.CustomGrouping, error) {
	return h.tasks.Load().grouping(name)
}

// make is the engine's NewTask.
func (m *taskMaker) make(t dag.Task) (any, *gearcore.Context, error) {
	p := t.Processor
	task, err := m.code(p)
	if err == nil && p.Kind == dag.Spout {
		err = m.timed.checkPosition(p.Name, task)
	}
	if err != nil && m.later {
		task, err = unmade{err: err}, nil
	}
	return task, m.context(t), err
}

// unmade stands for a task that cannot be made: it cannot be opened either.
type unmade struct {
	idleSource
	err error
}

func (u unmade) Open(*gearcore.Context, *gearcore.Collector) error { return u.err }

func (u unmade) Execute(gearcore.Tuple, *gearcore.Collector) error { return u.err }

// useCode has the tasks work in the resources of a version of the code in a directory.
func (m *taskMaker) useCode(dir string, version int64) {
	m.codeDir, m.codeVersion = resources(dir, version), version
	m.codeNow = func() string { return resources(dir, version) }
}

// context is what a task is told of itself.
func (m *taskMaker) context(t dag.Task) *gearcore.Context {
	p := t.Processor
	c, ok := m.confs[p.Name]
	if !ok {
		c = maps.Clone(map[string]any(conf.ComponentConf(m.plan.Graph.Conf, p.Conf)))
		m.confs[p.Name] = c
	}
	return &gearcore.Context{
		TopologyID: m.topologyID, TopologyName: m.plan.Graph.Name, Component: p.Name, Task: t.ID, Index: t.Index,
		Tasks: m.plan.TasksOf(p.Name), Conf: c, Layout: m.plan.Layout, CodeDir: m.codeDir, CodeDirNow: m.codeNow, PidDir: m.pidDir,
		WorkerPort: m.port, WorkerTasks: m.local, Credentials: m.credentials,
		Log: m.log.With(slog.String("component", p.Name), slog.Int("task", int(t.ID))),
	}
}

// grouping is the engine's NewGrouping.
func (m *taskMaker) grouping(name string) (gearcore.CustomGrouping, error) {
	if m.registry == nil {
		return nil, fmt.Errorf("grouping %s is written in Go, but this program has no Go components: run the topology's own binary", name)
	}
	return m.registry.Grouping(name)
}

func (m *taskMaker) code(p *dag.Processor) (any, error) {
	switch {
	case p.Impl.Kind == dag.ImplShell:
		spec := multilang.FromGraph(m.plan.Graph, p)
		spec.Metrics = m.table
		if m.later {
			spec.Turns = m.turns
		}
		if m.multilang != nil {
			m.multilang(&spec)
		}
		if err := spec.Validate(); err != nil {
			return nil, fmt.Errorf("component %s: %w", p.Name, err)
		}
		if p.Kind == dag.Spout {
			return multilang.NewSpout(spec), nil
		}
		return multilang.NewBolt(spec), nil
	case p.Impl.Kind == dag.ImplNative:
		return native(p)
	case p.Impl.Kind == dag.ImplJava && m.java != nil:
		return m.java.task(p, m.set, m.plan.Graph.Version)
	case p.Impl.Kind == dag.ImplJava:
		return nil, fmt.Errorf("component %s is written in Java (%s), which takes a worker of a cluster: "+
			"`gearstorm local` and `gearstorm flux --local` bring one along, or submit it", p.Name, p.Impl.Name)
	case p.Impl.Kind != dag.ImplGo:
		return nil, fmt.Errorf("component %s: the engine has no code for it", p.Name)
	case m.registry == nil:
		return nil, fmt.Errorf("component %s is written in Go, but this program has no Go components: run the topology's own binary", p.Name)
	case p.Kind == dag.Spout:
		return m.registry.Source(p.Impl.Name)
	}
	return m.registry.Task(p.Impl.Name)
}

// hooks adds to a panic of a component where in the user's code it happened.
type hooks struct{ *metrics.Table }

func (h hooks) Errored(task gearcore.TaskID, err error) {
	if p := (*gearcore.PanicError)(nil); errors.As(err, &p) {
		err = fmt.Errorf("%w\n%s", err, userFrames(string(p.Stack)))
	}
	h.Table.Errored(task, err)
}
