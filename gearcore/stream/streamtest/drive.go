package streamtest

import (
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/gearcore/engine"
	"github.com/gearstorm/gearstorm/gearcore/stream"
)

// Limits of a call of the Harness.
const (
	tick     = time.Nanosecond // how long a source waits that had nothing
	callsRun = 1000            // calls of user code in a run
	maxRuns  = 10_000_000
)

// start makes an engine with new tasks.
func (h *Harness) start() {
	h.tb.Helper()
	plan, err := dag.Expand(h.graph(), nil, nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	cfg := engine.Config{
		Plan: plan, Local: plan.Executors, Clock: engineClock{&h.clock}, Seed: 1, Hooks: reporter{h},
		SpoutWait: func(string) time.Duration { return tick }, SpoutWaitMax: tick,
		Timing: &engine.Timing{
			Checkpoints: true, WatermarkEvery: tick, AlignLimit: time.Hour,
			Vault: func(epoch uint64) gearcore.Vault { return checkpoint.NewVault(&h.store, "test", epoch) },
			Parts: func(epoch uint64, component string) ([]gearcore.TaskPart, error) {
				return h.parts[epoch][component], nil
			},
		},
	}
	cfg.NewTask = func(d dag.Task) (any, *gearcore.Context, error) {
		made, err := h.component(d.Processor.Name).New(h.env(d.Processor.Tasks))
		return made, &gearcore.Context{
			TopologyID: "test-1", TopologyName: "test", Component: d.Processor.Name, Task: d.ID, Index: d.Index,
			Tasks: plan.TasksOf(d.Processor.Name), Layout: plan.Layout, WorkerTasks: []gearcore.TaskID{d.ID},
		}, err
	}
	h.plan = plan
	if h.driver, err = engine.NewDriver(cfg); err != nil {
		h.tb.Fatal(err)
	}
	h.driver.Activate()
}

// graph is the topology with the numbers of tasks that it has now.
func (h *Harness) graph() *dag.Graph {
	g := &dag.Graph{ID: "test-1", Name: "test", Version: 1, Timed: true, Processors: []*dag.Processor{{
		Name: gearcore.SystemComponent, Kind: dag.System, Outputs: []dag.Output{{Stream: gearcore.TickStream, Fields: []string{"rate_secs"}}}}}}
	for _, c := range h.components {
		p := &dag.Processor{Name: c.Name, Kind: dag.Bolt, Tasks: c.Tasks, Inputs: c.Inputs, Outputs: c.Outputs, Conf: c.Conf, Impl: dag.Impl{Kind: dag.ImplGo, Name: c.Name}}
		if c.Source {
			p.Kind = dag.Spout
		}
		if n, other := h.tasks[c.Name]; other {
			p.Tasks = n
		}
		p.Executors = p.Tasks
		g.Processors = append(g.Processors, p)
	}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	return g
}

func (h *Harness) component(name string) *stream.Component {
	i := slices.IndexFunc(h.components, func(c *stream.Component) bool { return c.Name == name })
	return h.components[i]
}

// env is what a task of a component with so many tasks gets.
func (h *Harness) env(tasks int) stream.Env {
	env := stream.Env{Clock: &h.clock, Go: func(f func()) { h.jobs = append(h.jobs, f) }}
	if !h.sources {
		env.Input = func(step string, task int) stream.Input { return newInput(h.inputs[step], task, tasks) }
	}
	if !h.sinks {
		env.Tap = func(step string, task int) stream.Tap { return h.outs[step].tap(task) }
	}
	return env
}

// settle runs everything until nothing is left to be done at this moment.
func (h *Harness) settle() {
	h.tb.Helper()
	idle := 0
	for n := 0; idle < 3; n++ {
		if n > maxRuns {
			h.tb.Fatal("streamtest: the topology does not come to rest")
		}
		switch {
		case h.driver.Ready() > 0:
			h.driver.Step(h.pick(h.driver.Ready()), callsRun)
		case h.driver.Jobs() > 0:
			h.driver.Job(h.pick(h.driver.Jobs()))
		case len(h.jobs) > 0:
			f := h.jobs[0]
			h.jobs = h.jobs[1:]
			f()
		default:
			// Sources that had nothing are asked again, and watermarks that wait are sent, a nanosecond later.
			idle++
			h.clock.now += tick
			h.clock.ring()
			h.driver.Fire()
		}
		if err := h.driver.Err(); err != nil {
			h.tb.Fatal(err)
		}
	}
}

func (h *Harness) pick(n int) int {
	if h.rnd == nil {
		return 0
	}
	return h.rnd.IntN(n)
}

// reporter keeps the errors that components report.
type reporter struct{ h *Harness }

func (r reporter) Errored(_ gearcore.TaskID, err error) { r.h.errs = append(r.h.errs, err) }

func (reporter) Queued(_, _ gearcore.TaskID, _ int, _ time.Duration)                  {}
func (reporter) Executed(gearcore.TaskID, gearcore.StreamID, int, time.Duration, int) {}
func (reporter) Emitted(gearcore.TaskID, gearcore.StreamID, int, int)                 {}
func (reporter) Acked(gearcore.TaskID, gearcore.StreamID, int)                        {}
func (reporter) Failed(gearcore.TaskID, gearcore.StreamID, int)                       {}
func (reporter) Took(gearcore.TaskID, gearcore.StreamID, int, time.Duration)          {}
func (reporter) Held(gearcore.TaskID, time.Duration)                                  {}
func (reporter) Blocking(_, _ gearcore.TaskID)                                        {}
func (reporter) Blocked(_, _ gearcore.TaskID, _ time.Duration)                        {}
