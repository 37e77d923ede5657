package connecttest

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Names of the component that is tested and of what stands before it.
const (
	Topology  = "test"
	Component = "tested"
	upstream  = "upstream"
)

// firstTask is the id of the component's task 0; upstreamTask is what its input comes from.
const (
	firstTask    gearcore.TaskID = 10
	upstreamTask gearcore.TaskID = 1
)

// Executor is what a task or source sees of an engine. It records what it is told. It is for one goroutine, but Post.
type Executor struct {
	Context *gearcore.Context
	C       *gearcore.Collector
	Emitted [][]gearcore.Value
	IDs     []gearcore.Value
	Acked   []gearcore.Tuple
	Failed  []gearcore.Tuple
	Errors  []error
	Losses  []error
	Paused  bool

	input gearcore.StreamID

	mu    sync.Mutex
	posts []func(*gearcore.Collector)
}

// NewExecutor returns the executor of task index of tasks. fields are those of the tuples that Tuple makes.
func NewExecutor(index, tasks int, fields ...string) *Executor {
	e := &Executor{}
	e.C = gearcore.NewCollector(e)
	l := &gearcore.Layout{
		Streams: []gearcore.Stream{{Component: Component, Name: gearcore.DefaultStream},
			{Component: upstream, Name: gearcore.DefaultStream, Fields: fields}},
		Components: map[gearcore.TaskID]string{upstreamTask: upstream},
	}
	e.input = 1
	e.Context = &gearcore.Context{TopologyID: Topology + "-1-0", TopologyName: Topology, Component: Component, Index: index,
		Task: firstTask + gearcore.TaskID(index), Conf: map[string]any{}, Layout: l, Log: slog.New(slog.DiscardHandler)}
	for i := range tasks {
		id := firstTask + gearcore.TaskID(i)
		e.Context.Tasks = append(e.Context.Tasks, id)
		l.Components[id] = Component
	}
	return e
}

// Tuple returns a tuple for the task.
func (e *Executor) Tuple(values ...any) gearcore.Tuple {
	return gearcore.NewTuple(e.Context.Layout, e.input, upstreamTask, gearcore.AppendValues(nil, values)...)
}

// Run runs what other goroutines posted, and returns how much that was.
func (e *Executor) Run() int {
	e.mu.Lock()
	posts := e.posts
	e.posts = nil
	e.mu.Unlock()
	for _, f := range posts {
		f(e.C)
	}
	return len(posts)
}

// Forget drops what was posted and not run, as a rollback does.
func (e *Executor) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.posts = nil
}

// Post implements gearcore.Poster.
func (e *Executor) Post(_ int, f func(*gearcore.Collector)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.posts = append(e.posts, f)
	return nil
}

// Output implements gearcore.Sink; every stream is the default one.
func (e *Executor) Output(string) int { return 0 }

// Emit implements gearcore.Sink.
func (e *Executor) Emit(em *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	e.Emitted = append(e.Emitted, slices.Clone(vals))
	e.IDs = append(e.IDs, em.ID)
	return nil, nil
}

// The rest of gearcore.Sink.
func (e *Executor) Ack(t gearcore.Tuple)        { e.Acked = append(e.Acked, t) }
func (e *Executor) Fail(t gearcore.Tuple)       { e.Failed = append(e.Failed, t) }
func (e *Executor) ResetTimeout(gearcore.Tuple) {}
func (e *Executor) Pause()                      { e.Paused = true }
func (e *Executor) Resume()                     { e.Paused = false }
func (e *Executor) ReportError(err error)       { e.Errors = append(e.Errors, err) }
func (e *Executor) Lost(err error)              { e.Losses = append(e.Losses, err) }
func (e *Executor) Async() *gearcore.Async      { return gearcore.NewAsync(e) }
