package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gearstorm/gearstorm/ackers"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// state is where an executor is with the scheduler.
//
//	idle ----data, acks, events, room, closures----> queued ---> running ---> idle, blocked or queued again
//	blocked ------acks, events, room, closures-----> queued
//
// An executor that has left a change is gone for good.
type state uint8

const (
	idle    state = iota
	blocked       // waits for room, for Resume, or to be opened: data does not wake it
	queued
	running
	gone
)

func (s state) String() string { return [...]string{"idle", "blocked", "queued", "running", "gone"}[s] }

// event is something an executor is told; a set of bits.
type event uint8

const (
	evRotate event = 1 << iota // one message timeout has passed
	evWaited                   // the spout's wait is over
	evStatus                   // the engine's phase or activity changed
	evLeave                    // it leaves, or its time to do so is over
	evClock                    // there may be a watermark to be told
	evOrder                    // the coordinator wants something, or the task is restored
)

// role is what kind of tasks an executor drives.
type role uint8

const (
	roleBolt role = iota
	roleSpout
	roleAcker
)

// task is one task of an executor.
type task struct {
	id     gearcore.TaskID
	bolt   gearcore.Task // nil for spouts and batch tasks
	batch  gearcore.BatchTask
	source gearcore.Source
	exec   gearcore.Executor // bolt, or what it stands for
	next   gearcore.Nexter   // source, or what it stands for
	ctx    *gearcore.Context // until Open was called: who does not keep it need not have it
	sink   sink
	c      *gearcore.Collector
	paused bool
	begun  bool // Open was called
}

// executor drives the tasks first..last of one component, one thread of control at a time.
type executor struct {
	e           *Engine
	component   string
	role        role
	borrowed    bool // the next run is part of the run of the executor that x is fused with
	first, last gearcore.TaskID
	recycle     bool  // no task keeps anything of its input
	mixed       bool  // tuples come on several streams
	opened      bool  // the tasks are, and in a topology with checkpoints restored; owned by the run, as what follows
	counted     bool  // that they were opened
	hidden      bool  // a task of it works outside its calls
	keeps       bool  // its tasks may keep tuples that are not settled
	onTrial     bool  // it came with another graph, which may be taken back
	unopened    error // what Open said, if it failed and has not ended the engine yet; owned by the run
	unopenedAt  time.Duration
	risesBy     time.Duration // when what its tasks wait for is not waited for any more (gearcore.Riser); 0: they are not open yet
	tasks       []*task       // ascending; not always without gaps

	mu       sync.Mutex
	state    state         // guarded by mu
	again    bool          // guarded by mu: woken while running
	closed   bool          // guarded by mu
	events   event         // guarded by mu
	in       inbox         // guarded by mu
	posts    []posted      // guarded by mu
	postSize int           // guarded by mu: bytes of posts
	posters  int32         // guarded by mu: goroutines waiting for postRoom
	ticks    int32         // guarded by mu: tick tuples not consumed
	room     chan struct{} // guarded by mu, cap 1: room is back, for an emit that waits; made when one does
	postRoom *sync.Cond    // with mu; made when somebody waits
	work     work          // guarded by mu: written at the end of each run
	exit     *leaving      // guarded by mu: it leaves

	// For the ready queues: owned by the queue it is in.
	next     *executor
	queuedAt time.Duration
	home     *loop  // where it ran last
	term     uint64 // of the goroutine that runs it; set before its run begins

	lives atomic.Pointer[loop] // where it is queued whoever makes it ready; nil: where that happens (homes.go)

	slow    atomic.Bool  // caught by the watch: hand over after every call and emit, until a run is short again
	attn    atomic.Bool  // attend is due: set with slow, and by the run itself
	barred  atomic.Bool  // it is not opened yet: others have its tasks (Engine.bars)
	lingers atomic.Int64 // it leaves, but not before that time: something may still come for it (lingerLocked); 0: it need not wait
	cost    atomic.Int64 // nanoseconds of a tuple, smoothed; 0: not known

	timed *timed // nil where nobody follows event time; owned by whoever runs it, as what follows and is kept between two runs

	*spouting
	*tracking
	wired   *roster                     // what its outboxes follow
	leaves  *leaving                    // exit when the run began
	fusedTo *executor                   // the executor that x is fused with
	emits   int                         // tuples, ever
	boxes   *outbox                     // a list of few, or
	boxAt   map[gearcore.TaskID]*outbox // many
	ways    int32                       // outboxes that take room
	stride  int32                       // calls between two readings of the clock
	pace                                // of its meter

	*run // owned by whoever runs it; noRun while it has nothing to do
}

// run is what a run of an executor works with. Tasks may be very many and mostly idle: an executor that has nothing under
// way gives its run back to the engine, and takes one when it runs again. That one has just been used, so it is warm.
type run struct {
	active    bool
	waiting   bool // a spout wait is under way
	stuck     bool // more waits for room than x may go on with
	lent      bool // the loop has been given a stand-in for this run
	executing bool // it executes the row of cur before row
	inside    bool // between the begin and the end of steps
	fusedDue  bool // a batch for fused is full
	inPlace   bool // in runFused: an idle receiver is run here
	away      bool // it is running, inside x's run
	posted    bool // posts had something when the run began
	attentive bool // heard is what events was then
	allAcked  bool // all tuples of cur were acked while they were executed
	heard     event

	loop      *loop         // the loop that runs it now
	goroutine uint64        // that runs it; set before state is running
	now       time.Duration // last reading of the clock
	until     time.Duration // end of the budget
	calls     int           // left in the budget
	quota     int           // what calls was at the start
	batches   int           // left in the budget
	toCheck   int           // calls until the next reading of the clock
	executed  int           // tuples of this run
	paused    int           // tasks
	calling   *task         // whose code runs

	parents  []gearcore.Tuple // unsettled ones that remember new tuples, and some that no longer do
	lastBook *book

	taken  *gearcore.Batch // tuples taken from the inbox
	cur    *gearcore.Batch // the batch under way, and its next row
	row    int
	from   int // where the present stretch of cur began, and when
	began  time.Duration
	acks   *gearcore.Batch
	ackAt  int
	todo   []posted
	todoAt int

	scratch gearcore.Scratch  // of the collectors
	ids     []gearcore.TaskID // scratch: the receivers of the last emit
	toBoxes []*outbox         // scratch: the ways to them

	dirty     []*outbox // those that hold something
	overshoot int       // bytes in full batches that wait
	openKin   *route    // a shuffle that was found to have somewhere to go

	fused   *outbox       // to fusedTo, once used
	woken   *executor     // the receiver, if it was idle
	strikes int           // expensive batches in a row
	apart   time.Duration // until then the two run apart

	meter meter
}

// spouting is what the executors of spouts have. All others share one that is never written.
type spouting struct {
	turn       int   // next task of the round
	before     int   // emits at the start of the round; -1: none yet
	book       *book // of pending
	pending    ackers.Pending
	maxPending int
	spoutWait  time.Duration
	quietAt    int            // emits when it last turned out to have nothing,
	quietSince time.Duration  // and since when that is so
	askAt      time.Duration  // when the wait is over
	instant    []ackers.Entry // complete without any acker
	instantAt  int
	expired    []ackers.Entry
	expiredAt  int
	inFlight   atomic.Int64 // pending.Len() at the end of the last run
}

// tracking is what executors have where tuples are tracked. All others share one that is never written.
type tracking struct {
	reports reports                        // what the owners of roots are told at the end of the run
	trail   gearcore.Trail                 // of the batch that is executed
	kept    keptBatches                    // with tuples that are not settled
	roots   []gearcore.RootEdge            // scratch
	rootAt  map[gearcore.RootEdge]struct{} // scratch: roots from manyRoots on
}

var (
	noSpouting spouting
	noTracking tracking
	noRun      run // no task is called in it
)

// takeRun gives x something to run with unless it has kept that.
func (x *executor) takeRun() {
	if x.run == &noRun {
		x.run = x.e.runs.Get().(*run)
	}
}

// quiet says whether nothing in x.run is of any use to the next run. Sources, of which there are few, and executors
// with something outside their calls keep theirs.
func (x *executor) quiet() bool {
	r := x.run
	return x.role != roleSpout && x.fusedTo == nil && !x.hidden && !r.stuck && r.paused == 0 && r.cur == nil && r.taken == nil && r.acks == nil &&
		r.todoAt == len(r.todo) && len(r.dirty) == 0 && len(r.parents) == 0 && len(r.meter.sampled) == 0 && r.heard == 0
}

func roleOf(p *dag.Processor) role {
	switch p.Kind {
	case dag.Spout:
		return roleSpout
	case dag.Acker, dag.Clock:
		return roleAcker
	}
	return roleBolt
}

// task returns the executor's task with that id, nil if it has none.
func (x *executor) task(id gearcore.TaskID) *task {
	if i := int(id - x.first); uint(i) < uint(len(x.tasks)) && x.tasks[i].id == id {
		return x.tasks[i]
	}
	for _, t := range x.tasks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// tell adds ev and makes x run (again) soon. by is the executor whose run causes it, nil from outside.
func (x *executor) tell(ev event, by *executor) {
	x.mu.Lock()
	x.events |= ev
	x.wakeLocked(by)
}

// told is tell for a caller that gives x to a run loop itself if it says so.
func (x *executor) told(ev event) (woken bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events |= ev
	return x.queueLocked()
}

// wakeLocked queues x unless it is queued already, and unlocks mu.
func (x *executor) wakeLocked(by *executor) {
	woken := x.queueLocked()
	x.mu.Unlock()
	if woken {
		x.e.disp.ready(x, by)
	}
}

// queueLocked makes x queued if it is not, and says whether it did: then the caller gives x to a run loop. A running x
// runs again.
func (x *executor) queueLocked() bool {
	switch x.state {
	case idle, blocked:
		x.state = queued
		return true
	case running:
		x.again = true
	}
	return false
}

// deliver puts b into the inbox and says whether there is room for more.
func (x *executor) deliver(b *gearcore.Batch, by *executor) (room bool) {
	room, woken := x.put(b, x.arrived(by))
	if woken {
		x.e.disp.ready(x, by)
	}
	return room
}

// put puts b, which comes in at that time, into the inbox. room says whether there is room for more, woken that x is
// queued because of it: the caller gives x to a run loop.
func (x *executor) put(b *gearcore.Batch, at time.Duration) (room, woken bool) {
	x.mu.Lock()
	if x.closed {
		left := x.state == gone
		x.mu.Unlock()
		if left {
			return x.e.passOn(x, b), false
		}
		finish(b)
		return true, false
	}
	room = true
	if len(b.Acks) > 0 {
		x.in.acks.push(b)
		woken = x.queueLocked()
	} else {
		x.in.pushRows(b)
		b.At = at
		room = x.in.room()
		if woken = x.state == idle; woken {
			x.state = queued
		}
	}
	x.mu.Unlock()
	return room, woken
}

// arrived is when something that by sent comes in, by the sender's last reading of the clock if there is one.
func (x *executor) arrived(by *executor) time.Duration {
	switch {
	case x.e.cfg.Hooks == nil:
		return 0
	case by != nil:
		return by.now
	}
	return x.e.cfg.Clock.Now()
}

// consumed gives back the room that b took in the inbox, and b.
func (x *executor) consumed(b *gearcore.Batch) {
	size := b.Size
	finish(b)
	x.mu.Lock()
	wakes := x.in.release(size)
	x.mu.Unlock()
	for _, w := range wakes {
		w()
	}
	clear(wakes) // who waited may be gone for good before somebody waits again
}

func finish(b *gearcore.Batch) {
	if b.Done != nil {
		b.Done(b)
	}
}
