package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// phase is how far the engine has come. It only goes forward.
//
//	fresh --Open, Activate--> openBolts --all bolts open--> openSpouts --all spouts open--> up
type phase int32

const (
	fresh phase = iota
	openBolts
	openSpouts
	up
)

// Engine runs the tasks of one worker. New makes it, Run drives it until its context ends. Open, Activate, Deactivate,
// Deliver and Stats may be called at any time from any goroutine.
type Engine struct {
	cfg     Config
	roster  atomic.Pointer[roster]
	tracked bool // the topology has ackers
	books   books
	pool    *pool
	runs    sync.Pool // *run: what executors run with
	timers  timers
	disp    dispatcher
	shell   *shell // nil in a Driver

	active atomic.Bool
	phase  atomic.Int32
	ending chan struct{} // closed when run loops are to end

	epochs   *epochs // nil: nobody follows event time
	early    early   // what came too soon
	homeless homeless
	closing  sync.WaitGroup // executors that left and whose tasks are being closed

	mu       sync.Mutex
	toOpen   [2]int                    // guarded by mu: executors not open yet, spouts second
	err      error                     // guarded by mu: why the engine ends by itself
	ended    bool                      // guarded by mu: ending is closed
	settlers []*reports                // guarded by mu: not in use
	leavers  map[*executor]*leaving    // guarded by mu: executors that leave, until they are closed
	heirs    map[*executor][]*executor // guarded by mu: who waits for one of them to be closed
	bars     map[*executor]int         // guarded by mu: how many of them one waits for
	held     map[*executor]*batches    // guarded by mu: who waits for Admit, and what is brought to it until then
}

// dispatcher is where executors go that became ready: the run loops, or a Driver.
type dispatcher interface {
	// ready takes x, whose state is queued. by is the executor whose run caused it, nil from outside.
	ready(x, by *executor)
	// detach says that the run of x is about to block in user code; false where that is not possible.
	detach(x *executor) bool
	// spawn has f run outside of any run; the engine does not end before it has.
	spawn(f func())
	// single says that everything happens on one goroutine, which therefore may not wait for itself.
	single() bool
}

// New makes an engine and its tasks. It starts nothing: tasks are opened when Run runs and Open or Activate was called.
func New(cfg Config) (*Engine, error) {
	e, err := build(cfg)
	if err != nil {
		return nil, err
	}
	e.shell = newShell(e, e.cfg.Loops)
	e.disp = e.shell
	e.timers.alarm = e.shell.alarm
	return e, e.startTimers()
}

func build(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, ending: make(chan struct{}), pool: newPool(), leavers: map[*executor]*leaving{},
		heirs: map[*executor][]*executor{}, bars: map[*executor]int{}}
	e.early.e = e
	if cfg.Timing != nil {
		e.epochs = newEpochs(cfg.Timing)
	}
	e.runs.New = func() any { return &run{meter: meter{hooks: cfg.Hooks}} }
	e.tracked = cfg.Plan.Tracked()
	r := &roster{version: cfg.Version, plan: cfg.Plan}
	local := 0
	execs := make([]*executor, 0, len(cfg.Local))
	for _, d := range cfg.Local {
		x := e.newExecutor(d, r)
		e.enroll(x)
		execs = append(execs, x)
		local += len(x.tasks)
	}
	if cfg.Timing != nil && cfg.Timing.Checkpoints {
		r.weigh()
	}
	r.seat(execs)
	e.roster.Store(r)
	for _, x := range r.execs {
		if err := e.fill(x); err != nil {
			return nil, err
		}
	}
	r.fused = e.fusion(r)
	for _, x := range r.execs {
		x.fusedTo = r.fused[x]
	}
	if cfg.Remote == nil && local < len(cfg.Plan.Numbering) {
		return nil, errors.New("engine config: Remote is missing, but tasks of the plan are not local")
	}
	return e, nil
}

// place makes the tasks of x, still without code.
func (x *executor) place() {
	ids := x.wired.plan.TasksOf(x.component)
	from, _ := slices.BinarySearch(ids, x.first)
	to, _ := slices.BinarySearch(ids, x.last+1)
	tasks := make([]task, max(to-from, 0))
	x.tasks = make([]*task, len(tasks))
	for i := range tasks {
		id := ids[from+i]
		tasks[i].id = id
		x.tasks[i] = &tasks[i]
	}
}

// enroll makes x count among those that are to be opened, and its book known.
func (e *Engine) enroll(x *executor) {
	e.mu.Lock()
	e.toOpen[x.turnToOpen()]++
	e.mu.Unlock()
	if x.role == roleSpout {
		e.books.open(x.book)
		x.pending.Next.Book, x.pending.Next.Now = x.book.id, &x.now
	}
}

// turnToOpen is when the tasks of x are opened: those of spouts last.
func (x *executor) turnToOpen() int {
	if x.role == roleSpout {
		return 1
	}
	return 0
}

// newExecutor makes one of those that r has, with its tasks, still without code.
func (e *Engine) newExecutor(d dag.Executor, r *roster) *executor {
	x := &executor{e: e, component: d.Processor.Name, first: d.First, last: d.Last, state: blocked, run: &noRun, wired: r}
	x.in.maxBatches, x.in.maxBytes = clip(e.cfg.InboxBatches), clip(e.cfg.InboxBytes)
	x.spouting, x.tracking = &noSpouting, &noTracking
	if e.tracked {
		x.tracking = &tracking{reports: reports{pool: e.pool}}
	}
	every := e.cfg.SampleEvery
	if !e.tracked {
		every = -1 // acks are not counted
	}
	x.pace = newPace(e.cfg.Hooks, every)
	x.mixed = len(d.Processor.Inputs) > 1
	x.role = roleOf(d.Processor)
	if x.role == roleSpout {
		x.recycle = true
		x.spouting = &spouting{before: -1, spoutWait: time.Millisecond}
		x.book = &book{counts: &x.pending.Counts, spout: x}
		x.takeRun() // for good: see quiet
	}
	x.place()
	return x
}

// fill makes the tasks of x.
func (e *Engine) fill(x *executor) error {
	if len(x.tasks) == 0 {
		return fmt.Errorf("executor [%d %d] of %s: the plan has no such tasks", x.first, x.last, x.component)
	}
	if x.role == roleSpout && e.cfg.SpoutWait != nil {
		if x.spoutWait = orElse(e.cfg.SpoutWait(x.component), time.Millisecond); x.spoutWait < 0 {
			return fmt.Errorf("spout %s: SpoutWait is %v", x.component, x.spoutWait)
		}
	}
	if x.role == roleSpout && e.cfg.MaxSpoutPending != nil {
		x.maxPending = max(0, e.cfg.MaxSpoutPending(x.component)) * len(x.tasks)
	}
	for _, t := range x.tasks {
		if x.role == roleAcker {
			continue
		}
		d, _ := x.wired.plan.Task(t.id)
		if err := e.makeTask(x, t, d); err != nil {
			return fmt.Errorf("make task %d of component %s: %w", t.id, x.component, err)
		}
	}
	if x.role == roleBolt {
		x.recycle = !slices.ContainsFunc(x.tasks, func(t *task) bool {
			_, frugal := t.bolt.(gearcore.NoRetain)
			return !frugal && t.batch == nil
		})
		x.keeps = e.tracked && !x.recycle
	}
	return nil
}

func (e *Engine) makeTask(x *executor, t *task, d dag.Task) error {
	user, ctx, err := e.cfg.NewTask(d)
	if err != nil {
		return err
	}
	t.ctx = ctx
	t.bolt, _ = user.(gearcore.Task)
	t.source, _ = user.(gearcore.Source)
	if t.batch, _ = user.(gearcore.BatchTask); t.batch != nil {
		x.hidden = true
	}
	switch {
	case x.role == roleSpout && t.source == nil:
		return fmt.Errorf("a %T is no gearcore.Source", user)
	case x.role == roleBolt && t.bolt == nil && t.batch == nil:
		return fmt.Errorf("a %T is no gearcore.Task or gearcore.BatchTask", user)
	case x.role == roleSpout:
		t.bolt, t.batch = nil, nil
	default:
		t.source = nil
	}
	t.exec, t.next = t.bolt, t.source
	if d, ok := user.(gearcore.DirectTask); ok {
		t.exec = d.Direct()
	}
	if d, ok := user.(gearcore.DirectSource); ok {
		t.next = d.Direct()
	}
	t.sink = sink{x: x, t: t}
	t.c = gearcore.NewCollector(&t.sink)
	if t.sink.outs, err = e.outputs(x, x.wired.plan, d.Processor, t.id); err != nil || e.epochs == nil {
		return err
	}
	x.timed, err = e.newTimed(x, user)
	return err
}

// periodic returns the timers of execs.
func (e *Engine) periodic(execs []*executor) (out []timer, err error) {
	now := e.cfg.Clock.Now()
	for _, x := range execs {
		if to := e.cfg.MessageTimeout; to > 0 && e.tracked && x.role == roleSpout {
			out = append(out, timer{at: now + to, x: x, what: evRotate, every: to})
		}
		if x.role != roleBolt || e.cfg.TickEvery == nil || strings.HasPrefix(x.component, "__") {
			continue
		}
		every := e.cfg.TickEvery(x.component)
		if every <= 0 {
			continue
		}
		tick, ok := x.wired.plan.Stream(gearcore.SystemComponent, gearcore.TickStream)
		if !ok {
			return nil, fmt.Errorf("ticks for component %s: the plan has no stream %s of %s", x.component, gearcore.TickStream, gearcore.SystemComponent)
		}
		out = append(out, timer{at: now + every, x: x, every: every, stream: tick, tick: gearcore.Int(int32(every / time.Second))})
	}
	return out, nil
}

// startTimers sets the timers of all executors.
func (e *Engine) startTimers() error {
	ts, err := e.periodic(e.executors())
	for _, t := range ts {
		e.timers.add(t)
	}
	return err
}

// Open has all bolts opened, then all spouts, unless that was begun before. Spouts emit nothing until Activate, but take part in
// checkpoints: it is for topologies that have them, whose tasks make visible what the last one holds while nothing is emitted.
func (e *Engine) Open() {
	if e.phase.CompareAndSwap(int32(fresh), int32(openBolts)) {
		e.advance()
		e.tellAll(false)
	}
}

// Activate lets spouts emit. Tasks are opened before if they are not yet.
func (e *Engine) Activate() {
	e.active.Store(true)
	e.Open()
	e.tellAll(true)
}

// Deactivate stops the spouts from emitting; what is in flight goes on.
func (e *Engine) Deactivate() {
	e.active.Store(false)
	e.tellAll(true)
}

// tellAll wakes all spouts, or all others.
func (e *Engine) tellAll(spouts bool) {
	for _, x := range e.executors() {
		if (x.role == roleSpout) == spouts {
			x.tell(evStatus, nil)
		}
	}
}

// advance moves the phase on while nothing of it is left to open.
func (e *Engine) advance() {
	e.mu.Lock()
	bolts, spouts := e.toOpen[0], e.toOpen[1]
	e.mu.Unlock()
	if bolts == 0 && e.phase.CompareAndSwap(int32(openBolts), int32(openSpouts)) {
		e.tellAll(true)
	}
	if bolts == 0 && spouts == 0 {
		e.phase.CompareAndSwap(int32(openSpouts), int32(up))
	}
}

func (e *Engine) mayOpen(r role) bool {
	p := phase(e.phase.Load())
	return p >= openSpouts || r != roleSpout && p >= openBolts
}

// countOpened is told by an executor that its tasks are open.
func (e *Engine) countOpened(x *executor) {
	e.mu.Lock()
	e.toOpen[x.turnToOpen()]--
	e.mu.Unlock()
	e.advance()
	if e.epochs != nil {
		e.epochs.changed()
	}
}

func (e *Engine) isEnding() bool {
	select {
	case <-e.ending:
		return true
	default:
		return false
	}
}

// fail ends the engine because of err; the first one counts.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	if e.err == nil {
		e.err = err
	}
	e.mu.Unlock()
	e.end()
}

// end tells the run loops to end.
func (e *Engine) end() {
	e.mu.Lock()
	if !e.ended {
		e.ended = true
		close(e.ending)
	}
	e.mu.Unlock()
	if e.epochs != nil {
		e.epochs.cancel()
	}
	if e.shell != nil {
		e.shell.wakeAll()
	}
}

func (e *Engine) failed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err != nil
}

// Recycles reports whether batches for a local task are free to be used again after their Done: nobody keeps tuples of
// them. Values may have been passed on.
func (e *Engine) Recycles(task gearcore.TaskID) bool {
	x := e.executorOf(task)
	return x != nil && x.recycle
}

// ExecutorStats is the state of one executor at a moment.
type ExecutorStats struct {
	Component   string
	First, Last gearcore.TaskID
	State       string // idle, blocked, queued, running
	Batches     int    // of tuples in the inbox, those under way included
	Bytes       int
	Posted      int // bytes of closures of Async that wait
	Pending     int // spouts: tuples in flight
}

// Stats returns the state of all local executors, by first task.
func (e *Engine) Stats() []ExecutorStats {
	out := make([]ExecutorStats, 0, len(e.executors()))
	for _, x := range e.executors() {
		x.mu.Lock()
		out = append(out, ExecutorStats{
			Component: x.component, First: x.first, Last: x.last, State: x.state.String(),
			Batches: int(x.in.used), Bytes: x.in.usedBytes, Posted: x.postSize, Pending: int(x.inFlight.Load()),
		})
		x.mu.Unlock()
	}
	return out
}

// PendingRoots returns the number of spout tuples of this worker that are neither acked nor failed.
func (e *Engine) PendingRoots() int {
	n := 0
	for _, x := range e.executors() {
		n += int(x.inFlight.Load())
	}
	return n
}
