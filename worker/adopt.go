package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/gearstorm/gearstorm/compat"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/worker/transport"
)

// A plan with another version of the graph is taken over while the tasks that are in both go on: those that come are made of the
// code in the directory that the plan names. What cannot be taken over makes the worker end, and it starts again with the new
// version.

// textsPatience is how long texts that may be used again are waited for, before components listen to a task that had no listener.
const textsPatience = 5 * time.Second

// defaultBornWithin is the default of Config.BornWithin. After a part of it a version of the graph waits for something, and a later one
// takes its place.
const (
	defaultBornWithin = 30 * time.Second
	replacedAfter     = 30 // th part
)

// errLater is for plans that cannot be taken over before a version of the graph is in force.
var errLater = errors.New("a version of the graph is not in force yet")

// overdue returns why the worker ends if a version of the graph does not come into force.
func (w *worker) overdue() error {
	if since, pending := w.timed.pending(); pending && time.Since(since) > w.cfg.BornWithin {
		return fmt.Errorf("%w: version %d of the graph has not come into force within %v", errLeave, w.plan.DagVersion, w.cfg.BornWithin)
	}
	return nil
}

// adopt brings the worker to the version of the graph of next, and to where p has its executors and those of others.
func (w *worker) adopt(next *stormrpc.TopologyPlan, p placement) error {
	if since, pending := w.timed.pending(); pending && (time.Since(since) < w.cfg.BornWithin/replacedAfter || !w.host.engine.Replaceable()) {
		return errLater
	}
	m, local, err := w.prepareVersion(next, p)
	if err != nil {
		return fmt.Errorf("%w: version %d of the graph is not taken over in place: %w", errLeave, next.DagVersion, err)
	}
	before := w.host.local
	w.noteGone(m.plan)
	w.remember(inPlan(missing(before, local), m.plan))
	a := w.linkAssignment(next, p)
	w.links.SetAssignment(a) // first: what is sent from now on may be for tasks that peers do not know yet
	if _, err = w.host.change(version(next), m, local, p.onHost(w.self)); err != nil {
		return fmt.Errorf("%w: version %d of the graph is not taken over in place: %w", errLeave, next.DagVersion, err)
	}
	w.timed.follow(m.plan)
	w.links.SetGraph(transport.Graph{Version: next.DagVersion, From: next.GetInPlaceFrom(), Layout: m.plan.Layout})
	w.links.SetPeers(p.peers(w.self, w.sentTo()))
	w.host.engine.Admit()
	w.log.Info("another version of the graph is taken over in place", slog.Int64("version", next.DagVersion), slog.Int64("before", w.plan.DagVersion),
		slog.Int("come", len(missing(local, before))), slog.Int("leave", len(missing(before, local))))
	w.placeClock(next, p)
	return nil
}

// prepareVersion reads the code of a version and returns what makes its tasks and which executors are to run here. Nothing has changed
// after an error.
func (w *worker) prepareVersion(next *stormrpc.TopologyPlan, p placement) (*taskMaker, []dag.Executor, error) {
	topo, own, err := readCode(next.GetCodeDir(), next.CodeVersion)
	if err != nil {
		return nil, nil, err
	}
	node, err := nodeConf(w.spec.Conf)
	if err != nil {
		return nil, nil, err
	}
	plan, err := expandAs(topo, layered(node, own), next)
	if err != nil {
		return nil, nil, err
	}
	local, err := executors(plan, p.of(w.self))
	if err != nil {
		return nil, nil, err
	}
	m, err := w.host.tasks.Load().renewed(plan, next.GetCodeDir(), next.CodeVersion)
	if err != nil {
		return nil, nil, err
	}
	if w.cfg.Components != nil {
		if m.registry, err = w.cfg.Components(own); err != nil {
			return nil, nil, err
		}
	}
	if err := w.awaitTexts(m.plan, local); err != nil {
		return nil, nil, err
	}
	return m, local, w.renewJava(m, &javaCode{topo, plan, next.GetCodeDir(), next.CodeVersion})
}

// renewed returns what makes the tasks of another version of the graph, or why the engine as it runs is not fit for it.
func (m *taskMaker) renewed(plan *dag.Plan, codeDir string, codeVersion int64) (*taskMaker, error) {
	set, err := settingsOf(plan.Graph)
	if err != nil {
		return nil, err
	}
	was, err := compat.TimingOf(m.plan.Graph.Conf)
	if err != nil {
		return nil, err
	}
	timing, err := compat.TimingOf(plan.Graph.Conf)
	switch {
	case err != nil:
		return nil, err
	case !set.sameForAll(*m.set):
		return nil, errors.New("settings of the whole topology differ")
	case !reflect.DeepEqual(was, timing) || m.plan.Graph.Timed != plan.Graph.Timed:
		return nil, errors.New("event time or checkpoints are set differently")
	case timing.Timed && !timing.Checkpoints():
		return nil, errors.New("it follows event time without checkpoints")
	}
	for _, name := range []string{gearcore.AckerComponent, gearcore.ClockComponent} {
		if !reflect.DeepEqual(m.plan.TasksOf(name), plan.TasksOf(name)) {
			return nil, fmt.Errorf("%s has other tasks", name)
		}
	}
	n := *m
	n.plan, n.set, n.confs, n.later = plan, &set, map[string]map[string]any{}, true
	n.useCode(codeDir, codeVersion)
	return &n, nil
}

// inPlan returns those executors whose tasks p has.
func inPlan(executors []dag.Executor, p *dag.Plan) []dag.Executor {
	var out []dag.Executor
	for _, x := range executors {
		if _, ok := p.Task(x.First); ok {
			out = append(out, x)
		}
	}
	return out
}

// awaitTexts waits until nothing is held in memory that will be used again for tasks whose values go on elsewhere from now on, and has
// nothing more of that kind come.
func (w *worker) awaitTexts(plan *dag.Plan, local []dag.Executor) error {
	now, next := *w.host.keeps.Load(), *keeps(plan, local, w.host.engine)
	kept := map[gearcore.TaskID]transport.Keeps{}
	var tasks []gearcore.TaskID
	for id, k := range now {
		if then, stays := next[id]; stays && then < k {
			k = then
			tasks = append(tasks, id)
		}
		kept[id] = k
	}
	if len(tasks) == 0 {
		return nil
	}
	w.host.keeps.Store(&kept)
	for end := time.Now().Add(textsPatience); !w.links.Consumed(tasks); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("tasks %v have not executed what they got within %v", tasks, textsPatience)
		}
	}
	return nil
}
