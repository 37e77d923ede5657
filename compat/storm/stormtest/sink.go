package stormtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Emit is one tuple that a component emitted.
type Emit struct {
	Stream  string
	Values  []any            // as Value.Any returns them
	Anchors []gearcore.Tuple // bolts
	ID      gearcore.Value   // spouts; null if untracked
	Task    gearcore.TaskID  // the target of a direct emit, else 0
}

// sink records what a collector is told. All of it is used by the test's goroutine, but the posts.
type sink struct {
	outputs []gearcore.Stream
	emits   []Emit
	acked   []gearcore.Tuple
	failed  []gearcore.Tuple
	resets  []gearcore.Tuple
	errs    []error
	paused  bool

	mu     sync.Mutex
	posts  []func(*gearcore.Collector)
	posted chan struct{} // holds one token when posts is not empty
}

func (s *sink) Output(name string) int {
	return slices.IndexFunc(s.outputs, func(o gearcore.Stream) bool { return o.Name == name })
}

func (s *sink) Emit(e *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if e.Stream < 0 || e.Stream >= len(s.outputs) {
		return nil, fmt.Errorf("emit on output %d: the component declares %d streams", e.Stream, len(s.outputs))
	}
	o := s.outputs[e.Stream]
	switch {
	case len(vals) != len(o.Fields):
		return nil, fmt.Errorf("emit on stream %s: %d values for fields %v", o.Name, len(vals), o.Fields)
	case o.Direct && e.Task == 0:
		return nil, fmt.Errorf("emit on stream %s: cannot do a regular emit to a direct stream", o.Name)
	case !o.Direct && e.Task != 0:
		return nil, fmt.Errorf("emit on stream %s: cannot do a direct emit to a regular stream", o.Name)
	}
	out := Emit{Stream: o.Name, Values: make([]any, 0, len(vals)), Anchors: slices.Clone(e.Anchors), ID: e.ID, Task: e.Task}
	for _, v := range vals {
		out.Values = append(out.Values, v.Any())
	}
	s.emits = append(s.emits, out)
	return nil, nil
}

func (s *sink) Ack(t gearcore.Tuple)  { s.settle(t, &s.acked) }
func (s *sink) Fail(t gearcore.Tuple) { s.settle(t, &s.failed) }

// settle counts t once, as the engine does.
func (s *sink) settle(t gearcore.Tuple, list *[]gearcore.Tuple) {
	if r := t.Row(); r.Flags&gearcore.RowSettled == 0 {
		r.Flags |= gearcore.RowSettled
		*list = append(*list, t)
	}
}

func (s *sink) ResetTimeout(t gearcore.Tuple) { s.resets = append(s.resets, t) }
func (s *sink) Pause()                        { s.paused = true }
func (s *sink) Resume()                       { s.paused = false }
func (s *sink) ReportError(err error)         { s.errs = append(s.errs, err) }
func (s *sink) Async() *gearcore.Async        { return gearcore.NewAsync(s) }

// Post implements gearcore.Poster.
func (s *sink) Post(_ int, f func(*gearcore.Collector)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts = append(s.posts, f)
	select {
	case s.posted <- struct{}{}:
	default:
	}
	return nil
}

// runPosts runs what was posted so far and returns how many there were.
func (s *sink) runPosts(c *gearcore.Collector) int {
	s.mu.Lock()
	posts := s.posts
	s.posts = nil
	s.mu.Unlock()
	for _, f := range posts {
		f(c)
	}
	return len(posts)
}
