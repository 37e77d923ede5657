package metrics

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Config says what a Table counts. Plan and Tasks are required.
type Config struct {
	Plan  *dag.Plan
	Tasks []gearcore.TaskID // of this worker
	// Buckets is num.stat.buckets; default DefaultBuckets.
	Buckets int
	// MaxErrors errors of a task are kept per ErrorInterval, the others dropped; defaults 5 and 10 s, as in Storm
	// (topology.max.error.report.per.interval, topology.error.throttle.interval.secs).
	MaxErrors     int
	ErrorInterval time.Duration
	// Now is the clock, read when an error is reported and by the caller's Advance; default time.Now.
	Now func() time.Time
	Log *slog.Logger // gets the errors that are kept; default: none
}

// Table counts for the tasks of one worker. It implements gearcore.Hooks; all methods are safe for concurrent use.
// Events of other tasks are ignored.
type Table struct {
	cfg   Config
	start time.Time
	tasks map[gearcore.TaskID]*task // fixed by New

	mu  sync.Mutex
	cur cursor // guarded by mu

	errs errorLog
}

// task holds the counters of one task.
type task struct {
	component string
	kind      dag.Kind

	mu      sync.Mutex // guards what follows; taken alone
	inputs  []input
	outputs []output
	blocked time.Duration
	named   map[string]Named
}

// input counts a bolt's tuples of one input stream.
type input struct {
	stream                         gearcore.StreamID
	executed, acked, failed        series
	busy, busyN, process, processN series // sums of nanoseconds and how many were measured
}

// output counts a task's tuples of one output stream; the last four are a spout's.
type output struct {
	stream               gearcore.StreamID
	emitted, transferred series
	acked, failed        series
	complete, completeN  series
}

var _ gearcore.Hooks = (*Table)(nil)

// New returns a Table whose windows start now.
func New(cfg Config) (*Table, error) {
	if cfg.Plan == nil {
		return nil, fmt.Errorf("metrics config: Plan is required")
	}
	if cfg.Buckets == 0 {
		cfg.Buckets = DefaultBuckets
	}
	if cfg.Buckets < 1 || cfg.Buckets > maxBuckets {
		return nil, fmt.Errorf("metrics config: num.stat.buckets is %d, want 1 to %d", cfg.Buckets, maxBuckets)
	}
	if cfg.MaxErrors == 0 {
		cfg.MaxErrors = 5
	}
	if cfg.ErrorInterval == 0 {
		cfg.ErrorInterval = 10 * time.Second
	}
	if cfg.MaxErrors < 0 || cfg.ErrorInterval < 0 {
		return nil, fmt.Errorf("metrics config: %d errors in %v: want neither negative", cfg.MaxErrors, cfg.ErrorInterval)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Table{cfg: cfg, start: cfg.Now(), tasks: make(map[gearcore.TaskID]*task, len(cfg.Tasks)), cur: cursor{buckets: int64(cfg.Buckets)}}
	for _, id := range cfg.Tasks {
		dt, ok := cfg.Plan.Task(id)
		if !ok {
			return nil, fmt.Errorf("metrics config: the plan has no task %d", id)
		}
		t.tasks[id] = &task{component: dt.Processor.Name, kind: dt.Processor.Kind}
	}
	t.errs.init(&cfg)
	return t, nil
}

// in returns the counters of an input stream; t.mu is held.
func (t *task) in(stream gearcore.StreamID) *input {
	for i := range t.inputs {
		if t.inputs[i].stream == stream {
			return &t.inputs[i]
		}
	}
	t.inputs = append(t.inputs, input{stream: stream})
	return &t.inputs[len(t.inputs)-1]
}

// out returns the counters of an output stream; t.mu is held.
func (t *task) out(stream gearcore.StreamID) *output {
	for i := range t.outputs {
		if t.outputs[i].stream == stream {
			return &t.outputs[i]
		}
	}
	t.outputs = append(t.outputs, output{stream: stream})
	return &t.outputs[len(t.outputs)-1]
}

// Executed implements gearcore.Hooks.
func (t *Table) Executed(id gearcore.TaskID, stream gearcore.StreamID, n int, busy time.Duration, sampled int) {
	k := t.tasks[id]
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.in(stream)
	c.executed.total += int64(n)
	c.busy.total += int64(busy)
	c.busyN.total += int64(sampled)
}

// Emitted implements gearcore.Hooks.
func (t *Table) Emitted(id gearcore.TaskID, stream gearcore.StreamID, n, transferred int) {
	k := t.tasks[id]
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.out(stream)
	c.emitted.total += int64(n)
	c.transferred.total += int64(transferred)
}

// Acked implements gearcore.Hooks.
func (t *Table) Acked(id gearcore.TaskID, stream gearcore.StreamID, n int, latency time.Duration, sampled int) {
	k := t.tasks[id]
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kind == dag.Spout {
		c := k.out(stream)
		c.acked.total += int64(n)
		c.complete.total += int64(latency)
		c.completeN.total += int64(sampled)
		return
	}
	c := k.in(stream)
	c.acked.total += int64(n)
	c.process.total += int64(latency)
	c.processN.total += int64(sampled)
}

// Failed implements gearcore.Hooks.
func (t *Table) Failed(id gearcore.TaskID, stream gearcore.StreamID, n int) {
	k := t.tasks[id]
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kind == dag.Spout {
		k.out(stream).failed.total += int64(n)
	} else {
		k.in(stream).failed.total += int64(n)
	}
}

// Errored implements gearcore.Hooks.
func (t *Table) Errored(id gearcore.TaskID, err error) {
	component := gearcore.SystemComponent
	if k := t.tasks[id]; k != nil {
		component = k.component
	}
	t.errs.add(component, id, err)
}

// Blocked implements gearcore.Hooks.
func (t *Table) Blocked(id, _ gearcore.TaskID, d time.Duration) {
	if k := t.tasks[id]; k != nil {
		k.mu.Lock()
		k.blocked += d
		k.mu.Unlock()
	}
}

// BlockedFor returns how long the executor that starts at task has waited for room, since the start.
func (t *Table) BlockedFor(id gearcore.TaskID) time.Duration {
	k := t.tasks[id]
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.blocked
}

// Advance moves the windows to now. What was counted since the last call belongs to the buckets that end by then.
func (t *Table) Advance(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, any := t.cur.advance(now.Sub(t.start))
	if !any {
		return
	}
	for _, k := range t.tasks {
		k.advance(n, t.cfg.Buckets)
	}
}

func (t *task) advance(n [len(windows)]int, buckets int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	move := func(cs ...*series) {
		for w, d := range n {
			if d == 0 {
				continue
			}
			for _, s := range cs {
				s.passed(w, d, buckets)
			}
		}
	}
	for i := range t.inputs {
		c := &t.inputs[i]
		move(&c.executed, &c.acked, &c.failed, &c.busy, &c.busyN, &c.process, &c.processN)
	}
	for i := range t.outputs {
		c := &t.outputs[i]
		move(&c.emitted, &c.transferred, &c.acked, &c.failed, &c.complete, &c.completeN)
	}
}
