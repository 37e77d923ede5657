package gearstorm

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/compat/conf"
	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/multilang"
)

// RunLocal runs the topology p in this process, with all its tasks, until ctx ends. It is the same engine as on a
// cluster, without a network: topology.workers does not matter. It returns nil when ctx ended, and an error if the
// topology cannot run. Errors that components report go to slog.Default.
func RunLocal(ctx context.Context, p Program, o Options) error {
	name, t, err := p.build(o)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gearstorm-run-")
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	defer os.RemoveAll(dir)
	if err := unpackResources(p.Resources, dir); err != nil {
		return fmt.Errorf("run %s: unpack its resources: %w", name, err)
	}
	l, err := newLocal(name, t, dir)
	if err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	l.engine.Activate()
	if err := l.engine.Run(ctx); err != nil {
		return fmt.Errorf("run %s: %w", name, err)
	}
	return nil
}

// local is a topology in one process.
type local struct {
	plan       *dag.Plan
	conf       conf.Conf
	components *storm.Registry
	dir        string
	log        *slog.Logger
	engine     *engine.Engine
}

func newLocal(name string, t *storm.Topology, dir string) (*local, error) {
	id := fmt.Sprintf("%s-1-%d", name, time.Now().Unix())
	topo, c, err := compat.Normalize(conf.Defaults(), t.Conf, t.Thrift, compat.Submission{ID: id, Name: name})
	if err != nil {
		return nil, err
	}
	g, err := compat.Compile(topo, c)
	if err != nil {
		return nil, err
	}
	plan, err := dag.Expand(g, nil, nil)
	if err != nil {
		return nil, err
	}
	l := &local{plan: plan, conf: c, components: t.Components, dir: dir, log: slog.Default().With("topology", id)}
	timeout, err := c.SecsOr("topology.message.timeout.secs", 30*time.Second)
	if err != nil {
		return nil, err
	}
	l.engine, err = engine.New(engine.Config{
		Plan: plan, Local: plan.Executors, NewTask: l.newTask, Hooks: localHooks{l},
		MessageTimeout:  timeout,
		MaxSpoutPending: func(name string) int { n, _ := l.confOf(name).IntOr("topology.max.spout.pending", 0); return int(n) },
		TickEvery: func(name string) time.Duration {
			d, _ := l.confOf(name).SecsOr("topology.tick.tuple.freq.secs", 0)
			return d
		},
	})
	return l, err
}

// confOf is the configuration that a component sees.
func (l *local) confOf(name string) conf.Conf {
	return conf.ComponentConf(l.conf, l.plan.Graph.Processor(name).Conf)
}

func (l *local) newTask(t dag.Task) (any, *gearcore.Context, error) {
	p := t.Processor
	tasks := l.plan.TasksOf(p.Name)
	ctx := &gearcore.Context{
		TopologyID: l.plan.Graph.ID, TopologyName: l.plan.Graph.Name, Component: p.Name, Task: t.ID, Index: t.Index,
		Tasks: tasks, Conf: l.confOf(p.Name), Layout: l.plan.Layout, CodeDir: l.dir,
		Log: l.log.With("component", p.Name, "task", t.ID),
	}
	var task any
	var err error
	switch {
	case p.Impl.Kind == dag.ImplShell && p.Kind == dag.Spout:
		task = multilang.NewSpout(multilang.FromGraph(l.plan.Graph, p))
	case p.Impl.Kind == dag.ImplShell:
		task = multilang.NewBolt(multilang.FromGraph(l.plan.Graph, p))
	case p.Kind == dag.Spout:
		task, err = l.components.Source(p.Impl.Name)
	default:
		task, err = l.components.Task(p.Impl.Name)
	}
	return task, ctx, err
}

// localHooks logs what components report and counts nothing.
type localHooks struct{ l *local }

func (h localHooks) Errored(task gearcore.TaskID, err error) {
	h.l.log.Warn("component reported an error", "component", h.l.plan.Numbering[task], "task", task, "err", err)
}

func (localHooks) Executed(gearcore.TaskID, gearcore.StreamID, int, time.Duration, int) {}
func (localHooks) Emitted(gearcore.TaskID, gearcore.StreamID, int, int)                 {}
func (localHooks) Acked(gearcore.TaskID, gearcore.StreamID, int, time.Duration, int)    {}
func (localHooks) Failed(gearcore.TaskID, gearcore.StreamID, int)                       {}
func (localHooks) Blocked(_, _ gearcore.TaskID, _ time.Duration)                        {}
