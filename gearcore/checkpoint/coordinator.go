package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Coordinator decides for one topology when it goes back, when checkpoints are made, and which of them count. It is a state machine
// without goroutine, I/O or clock: what happens and the time go into Step, what is to be done comes out.
//
//	          Plan                Began              all restored
//	waiting --------> beginning --------> restoring --------------> running
//	                      ^                   |                        |
//	                      +---- a worker was lost or is broken --------+
//
// Its rules: nothing is sent that the log does not bear out. A generation is ordered after its begin record was written, which also settles what
// became of the commits before; Committed is sent after the commit record. There is one checkpoint at a time.
type Coordinator struct {
	conf     Config
	phase    phase
	order    Order
	shape           // in force
	heir     *shape // to come into force by a birth; nil: none
	late     *shape // after heir, which is being born
	arriving bool   // the heir of before is in force, and some of its tasks may not be at work yet
	bornAt   time.Duration

	workers map[string]*member
	owner   map[gearcore.TaskID]string // where each task was at Go; nil before
	wish    string                     // why a new generation is needed; ""
	below   uint64                     // checkpoints from it on are left aside; 0: none
	futile  int                        // generations in a row that broke before a checkpoint counted
	since   time.Duration              // when the generation began
	went    time.Duration              // when it got to Go

	next, limit uint64 // the next epoch, the last one that may be cut
	cut         *attempt
	due         time.Duration // of the next checkpoint
	asked       []string      // savepoints for the next one
	inARow      int           // checkpoints that were given up
	failure     string        // why the last of them was

	busy     bool          // Start, Commit, Reserve or Keep is under way
	cleaning bool          // so is Clean
	pause    time.Duration // nothing is begun before, on the store
	fails    int           // of the store, in a row
	doubt    bool          // a commit was given up that may be in the log nevertheless
	keeps    []Keep
	dirty    bool // a Clean is due

	out []Action
}

type phase string

const (
	waiting   phase = "waiting"
	beginning phase = "beginning"
	restoring phase = "restoring"
	running   phase = "running"
	stopped   phase = "stopped"
)

// member is a worker as it was last heard.
type member struct {
	report Report
	heard  time.Duration
}

// NewCoordinator returns one that waits for a Plan.
func NewCoordinator(c Config) (*Coordinator, error) {
	c.EnsureDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Coordinator{conf: c, phase: waiting, workers: map[string]*member{}}, nil
}

// Step takes in what happened at a time, which never goes back, and returns what is to be done, in order. What events hold is kept and not
// changed.
func (c *Coordinator) Step(now time.Duration, e Event) []Action {
	c.out = nil
	if c.phase == stopped {
		return nil
	}
	before := c.order
	switch e := e.(type) {
	case Plan:
		c.planned(e)
	case Report:
		c.heard(now, e)
	case Ask:
		c.ask(e.Name)
	case Began:
		c.began(now, e)
	case Committed:
		c.committed(now, e)
	case Reserved:
		c.done()
		c.limit = e.Limit
	case Kept:
		c.busy, c.fails = false, 0
		c.tell(Notice{Kind: NoticeKept, Name: e.Name, Epoch: e.Epoch})
	case Cleaned:
		c.cleaning = false
		if n := e.Records + e.Manifests + e.Files; n > 0 {
			c.tell(Notice{Kind: NoticeCleaned, Count: n})
		}
	case Failed:
		c.failed(now, e)
	}
	if c.phase != stopped {
		c.watch(now)
		c.act(now)
		if c.order != before {
			c.out = append(c.out, Send{c.order})
		}
	}
	return c.out
}

// Status is how a Coordinator is, for people.
type Status struct {
	// Phase is waiting (for a plan), beginning (a generation's record is being written), restoring, running or stopped.
	Phase string
	Order Order
	// Cutting is the checkpoint under way, 0 if none, for Since.
	Cutting uint64
	Since   time.Duration
	Missing int // tasks whose parts of it are not there
	// Failures is how many checkpoints in a row were given up, the last because of LastFailure.
	Failures    int
	LastFailure string
	// Wish is why a new generation is wanted, "" if none is.
	Wish string
}

// Status says how it is.
func (c *Coordinator) Status(now time.Duration) Status {
	s := Status{Phase: string(c.phase), Order: c.order, Failures: c.inARow, LastFailure: c.failure, Wish: c.wish}
	if c.cut != nil {
		s.Cutting, s.Since, s.Missing = c.cut.epoch, now-c.cut.since, len(c.tasks)-len(c.cut.parts)
	}
	return s
}

// Reports are the newest of all workers, in the order of their slots; not to be changed. Those that were silent for too long are left out.
func (c *Coordinator) Reports(now time.Duration) []Report {
	var out []Report
	for _, name := range slices.Sorted(maps.Keys(c.workers)) {
		if m := c.workers[name]; !c.silent(now, m) {
			out = append(out, m.report)
		}
	}
	return out
}

// Order is what workers are to be told now.
func (c *Coordinator) Order() Order { return c.order }

func (c *Coordinator) tell(n Notice) { c.out = append(c.out, n) }

// want asks for a new generation, if none is asked for yet.
func (c *Coordinator) want(why string) {
	if c.wish == "" {
		c.wish = why
	}
}

// ask queues a savepoint.
func (c *Coordinator) ask(name string) {
	const most = 16
	err := CheckSavepoint(name)
	switch {
	case err != nil:
		c.tell(Notice{Kind: NoticeUnkept, Name: name, Why: err.Error()})
	case slices.Contains(c.asked, name):
	case len(c.asked) == most:
		c.tell(Notice{Kind: NoticeUnkept, Name: name, Why: fmt.Sprintf("%d others wait already", most)})
	default:
		c.asked = append(c.asked, name)
	}
}

// began takes in that the begin record is written.
func (c *Coordinator) began(now time.Duration, b Began) {
	c.done()
	why := c.wish
	c.wish, c.below, c.owner, c.arriving = "", 0, nil, false
	c.phase, c.since = restoring, now
	c.next, c.limit = b.First, b.Limit
	c.order = Order{Generation: b.Generation, Restore: b.Base, Committed: b.Base, Dropped: b.First - 1, Version: c.plan.Graph}
	for _, f := range b.FellBack {
		c.tell(Notice{Kind: NoticeFell, Epoch: f.Epoch, Why: f.Why})
	}
	c.tell(Notice{Kind: NoticeBegan, Generation: b.Generation, Epoch: b.Base, Why: why})
}

// act begins what is due.
func (c *Coordinator) act(now time.Duration) {
	switch {
	case c.busy || now < c.pause:
	case c.wish != "" && c.phase != waiting:
		c.begin(now)
	case len(c.keeps) > 0:
		c.store(c.keeps[0])
		c.keeps = c.keeps[1:]
	case c.phase == restoring:
		c.tryGo(now)
	case c.phase != running || c.cut != nil || c.arriving || !c.isDue(now):
	case c.next > c.limit:
		c.store(Reserve{})
	case c.ripe(now):
		c.birth(now)
	default:
		c.begins(now)
	}
	if c.dirty && !c.cleaning && !c.doubt && c.order.Generation > 0 {
		c.dirty, c.cleaning = false, true
		c.out = append(c.out, Clean{max(c.order.Dropped, c.order.Committed)})
	}
}

// done is that a record was written.
func (c *Coordinator) done() { c.busy, c.doubt, c.fails = false, false, 0 }

func (c *Coordinator) store(a Action) {
	c.busy = true
	c.out = append(c.out, a)
}

// begin asks for a new generation. The checkpoint under way is given up.
func (c *Coordinator) begin(now time.Duration) {
	if c.cut != nil {
		c.drop(now, "generation ends: "+c.wish)
	}
	c.phase = beginning
	c.succeed(now)
	c.store(Start{Plan: c.plan.Version, Reason: c.wish, Below: c.below, Next: c.next})
}

// otherShape says whether a worker's tasks took other shares of the state than the plan gives them. What it says by another graph says
// nothing about that.
func (c *Coordinator) otherShape(r *Report) bool {
	return r.Shape != 0 && r.Shape != c.sum && c.byGraph(r)
}

// tryGo lets sources emit once everybody is restored.
func (c *Coordinator) tryGo(now time.Duration) {
	owner := c.restored(now)
	if len(owner) < len(c.tasks) {
		if c.heir != nil && !c.covered(now) {
			c.want(c.outrun())
		}
		return
	}
	c.owner, c.phase, c.went = owner, running, now
	c.order.Go = true
	c.due = now + c.conf.Interval
	c.tell(Notice{Kind: NoticeGo, Generation: c.order.Generation, Took: now - c.since})
}

// restored says where the tasks are that are restored. One that two workers claim is not: whoever has it by right, the other one has to
// let it go first.
func (c *Coordinator) restored(now time.Duration) map[gearcore.TaskID]string {
	owner, claims := map[gearcore.TaskID]string{}, map[gearcore.TaskID]int{}
	for name, m := range c.workers {
		r := &m.report
		if c.silent(now, m) {
			continue
		}
		done := r.Generation == c.order.Generation && r.Restored && r.Broken == "" && !c.otherShape(r) && c.byGraph(r)
		for _, t := range r.Tasks {
			if _, ok := c.tasks[t]; !ok {
				continue
			}
			claims[t]++
			if done {
				owner[t] = name
			}
		}
	}
	for t, n := range claims {
		if n > 1 {
			delete(owner, t)
		}
	}
	return owner
}
