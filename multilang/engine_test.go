package multilang

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// fakeEngine is one executor with one task: a goroutine that runs what is posted, and Execute or Next unless paused.
type fakeEngine struct {
	t       testing.TB
	layout  *gearcore.Layout
	ctx     *gearcore.Context
	col     *gearcore.Collector
	async   *gearcore.Async
	bolt    gearcore.Task
	spout   gearcore.Source
	outputs []fakeOutput
	quiet   bool // benchmarks: count only

	mu       sync.Mutex
	cond     sync.Cond
	posts    []fakePost
	bytes    int
	input    []gearcore.Tuple
	paused   bool
	active   bool
	ended    bool
	idle     bool // the last Next was ErrIdle
	polls    int  // calls of Next
	reserved int
	nEmit    int
	nAck     int
	seen
	done chan struct{}
}

// seen is what the task did.
type seen struct {
	emits  []fakeEmit
	acked  []string
	failed []string
	errs   []error
	lost   []error
	logs   []string
	pauses int
}

// snap returns a copy of what was seen so far.
func (e *fakeEngine) snap() seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	return seen{slices.Clone(e.emits), slices.Clone(e.acked), slices.Clone(e.failed), slices.Clone(e.errs), slices.Clone(e.lost), slices.Clone(e.logs), e.pauses}
}

type fakePost struct {
	size int
	f    func(*gearcore.Collector)
}

type fakeOutput struct {
	name   string
	direct bool
	width  int
	looks  bool // routing looks at the tuple
	tasks  func(vals []gearcore.Value) []gearcore.TaskID
}

type fakeEmit struct {
	stream  string
	task    gearcore.TaskID
	vals    []string
	kinds   []gearcore.Kind
	anchors []string
	id      gearcore.Value
	to      []gearcore.TaskID
}

func to(ids ...gearcore.TaskID) func([]gearcore.Value) []gearcore.TaskID {
	return func([]gearcore.Value) []gearcore.TaskID { return ids }
}

var testLayout = &gearcore.Layout{
	Streams: []gearcore.Stream{
		{Component: "src", Name: "default", Fields: []string{"sentence"}},
		{Component: gearcore.SystemComponent, Name: gearcore.TickStream, Fields: []string{"rate_secs"}},
		{Component: "me", Name: "default", Fields: []string{"a"}},
		{Component: "me", Name: "direct", Fields: []string{"a"}, Direct: true},
	},
	Components: map[gearcore.TaskID]string{-1: "__system", 1: "__acker", 2: "src", 3: "me", 4: "me"},
}

func newEngine(t testing.TB, conf map[string]any) *fakeEngine {
	e := &fakeEngine{t: t, layout: testLayout, done: make(chan struct{})}
	e.cond.L = &e.mu
	e.outputs = []fakeOutput{{name: "default", width: 1, tasks: to(7)}, {name: "direct", direct: true, width: 1}}
	e.ctx = &gearcore.Context{
		TopologyID: "top-1-1", TopologyName: "top", Component: "me", Task: 3, Tasks: []gearcore.TaskID{3, 4}, Conf: conf,
		Layout: testLayout, CodeDir: t.TempDir(), PidDir: t.TempDir(), Log: slog.New(logSink{e}),
	}
	e.col = gearcore.NewCollector(e)
	e.async = gearcore.NewAsync(e)
	return e
}

// logSink keeps log lines as "LEVEL message text".
type logSink struct{ e *fakeEngine }

func (s logSink) Enabled(context.Context, slog.Level) bool { return true }
func (s logSink) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s logSink) WithGroup(string) slog.Handler            { return s }

func (s logSink) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "text" {
			line += " " + a.Value.String()
		}
		return true
	})
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	s.e.logs = append(s.e.logs, line)
	return nil
}

// start returns once the task is open, so that tests may read what Open set.
func (e *fakeEngine) start(bolt gearcore.Task, spout gearcore.Source) {
	e.t.Helper()
	e.bolt, e.spout = bolt, spout
	opened := make(chan struct{})
	e.do(func(c *gearcore.Collector) {
		defer close(opened)
		var err error
		if bolt != nil {
			err = bolt.Open(e.ctx, c)
		} else {
			err = spout.Open(e.ctx, c)
		}
		if err != nil {
			e.t.Errorf("open: %v", err)
		}
	})
	go e.loop()
	e.t.Cleanup(e.close)
	<-opened
}

// close ends the task, then the executor, and checks that the child is gone.
func (e *fakeEngine) close() {
	e.mu.Lock()
	ended := e.ended
	e.mu.Unlock()
	if ended {
		return
	}
	pid := e.pid()
	e.do(func(*gearcore.Collector) {
		if e.bolt != nil {
			e.bolt.Close()
		} else {
			e.spout.Close()
		}
		e.mu.Lock()
		e.ended = true
		e.cond.Broadcast()
		e.mu.Unlock()
	})
	<-e.done
	if pid != 0 && alive(pid) {
		e.t.Errorf("child %d is alive after Close", pid)
	}
}

func (e *fakeEngine) child() *child {
	if b, ok := e.bolt.(*Bolt); ok {
		return b.child
	}
	return e.spout.(*Spout).child
}

// pid returns the pid of the running child, 0 if none was started.
func (e *fakeEngine) pid() int {
	c := e.child()
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.p == nil {
		return 0
	}
	return c.p.pid()
}

func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	rest := string(b[strings.LastIndexByte(string(b), ')')+1:])
	return !strings.HasPrefix(rest, " Z") && !strings.HasPrefix(rest, " X")
}

func (e *fakeEngine) do(f func(*gearcore.Collector)) {
	e.mu.Lock()
	e.posts = append(e.posts, fakePost{0, f})
	e.cond.Broadcast()
	e.mu.Unlock()
}

const fakePostCap = 1 << 20

func (e *fakeEngine) Post(size int, f func(*gearcore.Collector)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.bytes > fakePostCap && !e.ended {
		e.cond.Wait()
	}
	if e.ended {
		return gearcore.ErrClosed
	}
	e.posts = append(e.posts, fakePost{size, f})
	e.bytes += size
	e.cond.Broadcast()
	return nil
}

func (e *fakeEngine) loop() {
	defer close(e.done)
	var batch []fakePost
	for {
		e.mu.Lock()
		for !e.ended && len(e.posts) == 0 && (e.paused || len(e.input) == 0 && !(e.spout != nil && e.active)) {
			e.cond.Wait()
		}
		if e.ended {
			e.cond.Broadcast()
			e.mu.Unlock()
			return
		}
		batch, e.posts = e.posts, batch[:0]
		e.mu.Unlock()
		for _, p := range batch {
			p.f(e.col)
			e.mu.Lock()
			e.bytes -= p.size
			e.cond.Broadcast()
			e.mu.Unlock()
		}
		e.step()
	}
}

// step runs the task until something is posted or it is paused.
func (e *fakeEngine) step() {
	for range 64 {
		e.mu.Lock()
		if e.paused || len(e.posts) > 0 || e.ended {
			e.mu.Unlock()
			return
		}
		if e.spout != nil {
			active := e.active
			e.polls++
			e.mu.Unlock()
			if !active {
				return
			}
			if err := e.spout.Next(e.col); errors.Is(err, gearcore.ErrIdle) {
				e.mu.Lock()
				e.idle = true
				e.mu.Unlock()
				time.Sleep(time.Millisecond) // the engine's spout wait
			}
			continue
		}
		if len(e.input) == 0 {
			e.mu.Unlock()
			return
		}
		t := e.input[0]
		e.input = e.input[1:]
		e.mu.Unlock()
		if err := e.bolt.Execute(t, e.col); err != nil {
			e.ReportError(err)
			e.Fail(t)
		}
	}
}

// feed queues input tuples with one string each.
func (e *fakeEngine) feed(texts ...string) {
	ts := make([]gearcore.Tuple, 0, len(texts))
	for _, s := range texts {
		ts = append(ts, gearcore.NewTuple(e.layout, 0, 2, gearcore.Str(s)))
	}
	e.feedTuples(ts...)
}

func (e *fakeEngine) feedTuples(ts ...gearcore.Tuple) {
	e.mu.Lock()
	e.input = append(e.input, ts...)
	e.cond.Broadcast()
	e.mu.Unlock()
}

func (e *fakeEngine) activate(on bool) {
	e.do(func(c *gearcore.Collector) {
		e.mu.Lock()
		e.active = on
		e.mu.Unlock()
		if on {
			e.spout.Activate(c)
		} else {
			e.spout.Deactivate(c)
		}
	})
}

// The Sink.

func (e *fakeEngine) Output(name string) int {
	return slices.IndexFunc(e.outputs, func(o fakeOutput) bool { return o.name == name })
}

func (e *fakeEngine) emit(em *gearcore.Emission, to []gearcore.TaskID, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	o := e.outputs[em.Stream]
	if len(vals) != o.width {
		return nil, fmt.Errorf("stream %s has %d fields, got %d values", o.name, o.width, len(vals))
	}
	if o.direct != (em.Task != 0) {
		return nil, fmt.Errorf("wrong kind of emit on stream %s", o.name)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nEmit++
	if !e.quiet {
		f := fakeEmit{stream: o.name, task: em.Task, id: em.ID, to: slices.Clone(to)}
		for _, v := range vals {
			f.vals = append(f.vals, v.Text())
			f.kinds = append(f.kinds, v.Kind())
		}
		for _, a := range em.Anchors {
			f.anchors = append(f.anchors, textOf(a))
		}
		e.emits = append(e.emits, f)
	}
	return to, nil
}

// Reserve and EmitTo make fakeEngine a gearcore.RoutedSink and Reserver. Streams whose routing looks at the tuple are marked.
func (e *fakeEngine) Reserve(stream int, dst []gearcore.TaskID) ([]gearcore.TaskID, bool) {
	o := e.outputs[stream]
	if o.direct || o.looks {
		return dst, false
	}
	e.mu.Lock()
	e.reserved++
	e.mu.Unlock()
	return append(dst, o.tasks(nil)...), true
}

func (e *fakeEngine) EmitTo(em *gearcore.Emission, tasks []gearcore.TaskID, vals []gearcore.Value) error {
	_, err := e.emit(em, tasks, vals)
	return err
}

func (e *fakeEngine) Emit(em *gearcore.Emission, vals []gearcore.Value) ([]gearcore.TaskID, error) {
	if o := e.outputs[em.Stream]; !o.direct && em.Task == 0 {
		return e.emit(em, o.tasks(vals), vals)
	}
	return e.emit(em, []gearcore.TaskID{em.Task}, vals)
}

func textOf(t gearcore.Tuple) string {
	if t.Len() == 0 {
		return ""
	}
	return t.Value(0).Text()
}

func (e *fakeEngine) Ack(t gearcore.Tuple) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.nAck++
	if !e.quiet {
		e.acked = append(e.acked, textOf(t))
	}
}

func (e *fakeEngine) Fail(t gearcore.Tuple) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed = append(e.failed, textOf(t))
}

func (e *fakeEngine) ResetTimeout(gearcore.Tuple) {}

func (e *fakeEngine) Pause() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.paused {
		e.pauses++
	}
	e.paused = true
}

func (e *fakeEngine) Resume() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paused = false
	e.cond.Broadcast()
}

func (e *fakeEngine) ReportError(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, err)
}

// Lost implements gearcore.LossSink.
func (e *fakeEngine) Lost(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost = append(e.lost, err)
}

func (e *fakeEngine) Async() *gearcore.Async { return e.async }

// eventually waits for cond, which is called with the lock held.
func (e *fakeEngine) eventually(what string, cond func() bool) {
	e.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		e.mu.Lock()
		ok := cond()
		e.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.t.Fatalf("%s: not reached; %.5000s %v", what, fmt.Sprintf("%+v", e.seen), errors.Join(e.errs[:min(len(e.errs), 2)]...))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (e *fakeEngine) hasError(part string) func() bool {
	return func() bool {
		return slices.ContainsFunc(e.errs, func(err error) bool { return strings.Contains(err.Error(), part) })
	}
}

func (e *fakeEngine) hasLog(part string) func() bool {
	return func() bool {
		return slices.ContainsFunc(e.logs, func(l string) bool { return strings.Contains(l, part) })
	}
}
