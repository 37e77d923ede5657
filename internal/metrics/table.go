package metrics

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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
	index atomic.Pointer[index]

	mu      sync.Mutex
	cur     cursor    // guarded by mu
	turned  int64     // guarded by mu: how often the recent spans of the distributions have moved on
	settled time.Time // guarded by mu: when shares of waits were brought up

	errs errorLog
}

// task holds the counters of one task.
type task struct {
	component string
	kind      dag.Kind
	blank     bool // it stands for all tasks of the component that nothing was counted for, and is never written

	mu      sync.Mutex // guards what follows; taken alone
	inputs  []input
	outputs []output
	queue   dist          // how long tuples waited in the inbox
	edges   []edge        // the same as sums, by sender
	held    time.Duration // by the bound of tuples in flight
	waits   []wait        // for room
	named   map[string]Named
}

// edge sums up how long tuples from one component waited in the inbox.
type edge struct {
	from   int32 // place in index.components
	tuples series
	waited series // nanoseconds, summed over the tuples
}

// settled counts how tuples of one stream ended: a bolt's input tuples, with their process latency, or a spout's output
// tuples, with their complete latency.
type settled struct {
	acked, failed series
	took, tookN   series // sum of nanoseconds and how many were measured
	latency       dist
}

// input counts a bolt's tuples of one input stream.
type input struct {
	stream      gearcore.StreamID
	executed    series
	busy, busyN series // sum of nanoseconds and how many were measured
	settled
}

// output counts a task's tuples of one output stream; only a spout's are settled.
type output struct {
	stream               gearcore.StreamID
	emitted, transferred series
	settled
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
	t := &Table{cfg: cfg, start: cfg.Now(), cur: cursor{buckets: int64(cfg.Buckets)}}
	t.settled = t.start
	t.Extend(cfg.Plan)
	if err := t.Begin(cfg.Tasks); err != nil {
		return nil, err
	}
	t.errs.init(&cfg)
	return t, nil
}

// Extend has the table count for a later version of the plan, which keeps the numbers of tasks and streams. Tasks that are not in
// it any more are counted until End.
func (t *Table) Extend(plan *dag.Plan) { t.index.Store(t.index.Load().extended(plan)) }

// Begin makes tasks of the plan that are not counted yet ones of this worker.
func (t *Table) Begin(tasks []gearcore.TaskID) error {
	blanks := map[*dag.Processor]*task{}
	x := t.index.Load()
	for _, id := range tasks {
		dt, ok := x.plan.Task(id)
		if !ok {
			return fmt.Errorf("count for tasks: the plan has no task %d", id)
		}
		b := blanks[dt.Processor]
		if b == nil {
			b = &task{component: dt.Processor.Name, kind: dt.Processor.Kind, blank: true}
			blanks[dt.Processor] = b
		}
		x.slot(id).CompareAndSwap(nil, b)
	}
	return nil
}

// End forgets the counts of tasks that have left this worker; what happens to them from now on is ignored.
func (t *Table) End(tasks []gearcore.TaskID) {
	for _, id := range tasks {
		if s := t.index.Load().slot(id); s != nil {
			s.Store(nil)
		}
	}
}

// of returns the counters of a task to count in, nil if it is none of ours.
func (t *Table) of(id gearcore.TaskID) *task {
	k := t.seen(id)
	if k != nil && k.blank {
		s := t.index.Load().slot(id)
		s.CompareAndSwap(k, &task{component: k.component, kind: k.kind})
		k = s.Load()
	}
	return k
}

// seen returns the counters of a task to read, nil if it is none of ours.
func (t *Table) seen(id gearcore.TaskID) *task {
	s := t.index.Load().slot(id)
	if s == nil {
		return nil
	}
	return s.Load()
}

// componentOf returns the place of a task's component in index.components; tasks nobody knows are the system's.
func (t *Table) componentOf(id gearcore.TaskID) int32 { return t.index.Load().componentOf(id) }

// component returns the name at a place in index.components.
func (t *Table) component(at int32) string { return t.index.Load().components[at] }

// stream returns what a stream of the plan is.
func (t *Table) stream(id gearcore.StreamID) *gearcore.Stream {
	return &t.index.Load().plan.Layout.Streams[id]
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

// Advance moves the windows to now. What was counted since the last call belongs to the buckets that end by then.
func (t *Table) Advance(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settleWaits(now)
	n, moved := t.cur.advance(now.Sub(t.start))
	turns := int64(now.Sub(t.start)/recentTurn) - t.turned
	if !moved && turns <= 0 {
		return
	}
	t.turned += max(turns, 0)
	t.index.Load().each(func(_ gearcore.TaskID, k *task) {
		if !k.blank {
			k.advance(n, t.cfg.Buckets, turns)
		}
	})
}

func (t *task) advance(n [len(windows)]int, buckets int, turns int64) {
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
		move(&c.executed, &c.acked, &c.failed, &c.busy, &c.busyN, &c.took, &c.tookN)
		c.latency.turn(turns)
	}
	for i := range t.outputs {
		c := &t.outputs[i]
		move(&c.emitted, &c.transferred, &c.acked, &c.failed, &c.took, &c.tookN)
		c.latency.turn(turns)
	}
	for i := range t.edges {
		move(&t.edges[i].tuples, &t.edges[i].waited)
	}
	t.queue.turn(turns)
}
