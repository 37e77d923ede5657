package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Homes. An executor runs where its input was made, which is the loop of its sender, as long as one loop can do all there is:
// nothing is faster. Where one loop is busy all the time while others have little to do, the executors are divided among them:
// each gets a home, where it is queued whoever makes it ready, so that the stages of the topology work side by side. Stealing
// alone does not come to that: what is stolen runs dry soon, and the loop that took it parks again.
//
// Whether it pays cannot be told beforehand, since batches then move between the caches of two processors. So a division is
// tried. It stays if more calls of user code are made than before, else all homes are given up and the next trial comes later. A
// division that stays is tried again now and then, by other figures if the load is another one.

const (
	surveyEvery = 20 * time.Millisecond
	fullLoop    = 0.9  // share of the time for which a loop that has no time left runs
	freeLoops   = 0.4  // loops' worth of free time that makes a division worth a trial
	calmLoops   = 0.7  // loops' worth of work below which one loop is enough again
	leastGain   = 1.15 // calls in a trial by calls before
	tryFrom     = 3    // surveys in a row that call for a trial: they say how fast it is without homes
	tryFor      = 5    // surveys of a trial; the first is not counted
	keepFor     = 500  // surveys until a division that stayed is put to the test
	tryAgain    = time.Second
	tryAtLast   = 64 * time.Second // tryAgain doubles up to this
	manyHomes   = 512              // executors from which on stealing alone divides well enough
	leastShare  = 0.01             // of a loop's time: who takes less gets no home
	crossing    = 0.15             // what an edge from loop to loop adds, as a share of the smaller one's work
)

// work is what an executor did in all its runs.
type work struct {
	busy  time.Duration
	calls int64 // of user code
}

// homes divides the executors of an engine among its loops. It belongs to the watch.
type homes struct {
	s     *shell
	at    time.Duration   // of the last survey
	of    *roster         // then
	was   []work          // then, by place in of.execs
	rests []time.Duration // then, by loop
	plan  trial
}

// survey looks at what was done since the last one, and gives or takes homes.
func (h *homes) survey(now time.Duration) {
	if r := h.s.e.roster.Load(); r != h.of { // other figures
		h.leave()
		h.of, h.was, h.plan = r, nil, trial{}
	}
	took := now - h.at
	if len(h.s.loops) == 1 || len(h.of.execs) > manyHomes || took < surveyEvery {
		return
	}
	h.at = now
	stages, calls := h.count(took)
	free, most := h.rested(took, now)
	c := census{now: now, rate: calls / took.Seconds(), free: free, work: float64(len(h.s.loops)) - free, most: most, stages: len(stages)}
	if took > 5*surveyEvery { // nothing ran for a part of it, else somebody had looked
		c.most, c.work = 0, 0
	}
	switch h.plan.step(c) {
	case giveHomes:
		divide(stages, len(h.s.loops))
		for i := range stages {
			stages[i].x.lives.Store(h.s.loops[stages[i].loop])
		}
	case takeHomes:
		h.leave()
	}
}

// leave gives up all homes.
func (h *homes) leave() {
	for _, x := range h.of.execs {
		x.lives.Store(nil)
	}
}

// count returns the executors that had work to speak of, and how many calls of user code there were.
func (h *homes) count(took time.Duration) (stages []stage, calls float64) {
	if h.was == nil {
		h.was = make([]work, len(h.of.execs))
	}
	for i, x := range h.of.execs {
		x.mu.Lock()
		is := x.work
		x.mu.Unlock()
		if share := float64(is.busy-h.was[i].busy) / float64(took); share > leastShare {
			stages = append(stages, stage{x: x, share: share})
		}
		calls += float64(is.calls - h.was[i].calls)
		h.was[i] = is
	}
	return stages, calls
}

// rested returns for how much of the time loops were parked, in loops, and for what share of it the busiest was not.
func (h *homes) rested(took, now time.Duration) (free, most float64) {
	if h.rests == nil {
		h.rests = make([]time.Duration, len(h.s.loops))
	}
	for i, l := range h.s.loops {
		is := l.parkedFor(now)
		share := min(max(float64(is-h.rests[i])/float64(took), 0), 1)
		h.rests[i] = is
		free += share
		most = max(most, 1-share)
	}
	return free, most
}

// census is what a survey found.
type census struct {
	now        time.Duration
	rate       float64 // calls of user code a second
	free, work float64 // time of loops, in loops
	most       float64 // share of the time for which the busiest loop ran
	stages     int     // executors with work
}

// decision is what is to be done after a survey.
type decision uint8

const (
	letBe decision = iota
	giveHomes
	takeHomes
)

// trial decides when there are homes.
//
//	none --a loop is full, others are not-----> tried --more calls than before--> kept
//	none <--------no gain, or calm------------ tried
//	none <---------calm, or time for a test------------------------------------- kept
type trial struct {
	state  trialState
	rounds int     // surveys in it
	before float64 // rate without homes
	sum    float64 // of the rates in state
	from   time.Duration
	wait   time.Duration // until from, after the last trial
}

type trialState uint8

const (
	none trialState = iota
	tried
	kept
)

func (t *trial) step(c census) decision {
	t.rounds++
	switch {
	case t.state == none:
		if c.now < t.from || c.most <= fullLoop || c.free <= freeLoops || c.stages < 2 || c.rate == 0 {
			t.enter(none)
			return letBe
		}
		t.sum += c.rate
		if t.rounds == tryFrom {
			t.before = t.sum / tryFrom
			t.enter(tried)
			return giveHomes
		}
	case c.work < calmLoops || t.state == kept && t.rounds >= keepFor:
		t.enter(none)
		return takeHomes
	case t.state == tried:
		if t.rounds > 1 {
			t.sum += c.rate
		}
		if t.rounds < tryFor {
			return letBe
		}
		if t.sum/(tryFor-1) >= leastGain*t.before {
			t.wait = 0
			t.enter(kept)
			return letBe
		}
		t.wait = min(max(2*t.wait, tryAgain), tryAtLast)
		t.from = c.now + t.wait
		t.enter(none)
		return takeHomes
	}
	return letBe
}

func (t *trial) enter(s trialState) { t.state, t.rounds, t.sum = s, 0, 0 }

// stage is an executor that has work, for a division.
type stage struct {
	x     *executor
	share float64 // of a loop's time
	loop  int
}

// divide chooses a loop for each stage: the largest first, each where least is then to do, an edge from loop to loop counted
// as additional work.
func divide(stages []stage, loops int) {
	slices.SortFunc(stages, func(a, b stage) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.x.first, b.x.first))
	})
	work := make([]float64, loops)
	near := make([]float64, loops) // what the edges to stages of each loop count
	for i := range stages {
		s := &stages[i]
		clear(near)
		all := 0.0
		for _, o := range stages[:i] {
			if s.x.sendsTo(o.x) || o.x.sendsTo(s.x) {
				edge := crossing * min(s.share, o.share)
				near[o.loop] += edge
				all += edge
			}
		}
		least := 0.0
		for l := range work {
			if sum := work[l] + s.share + all - near[l]; l == 0 || sum < least {
				s.loop, least = l, sum
			}
		}
		work[s.loop] += s.share
	}
}

// sendsTo says whether something that x emits may go to y.
func (x *executor) sendsTo(y *executor) bool {
	plan := x.e.plan()
	d, ok := plan.Task(x.first)
	if !ok {
		return false // it leaves, or is about to come
	}
	for _, o := range d.Processor.Outputs {
		sid, _ := plan.Stream(x.component, o.Stream)
		for _, r := range plan.Routes[sid] {
			if slices.ContainsFunc(r.Tasks, func(t gearcore.TaskID) bool { return y.first <= t && t <= y.last }) {
				return true
			}
		}
	}
	return false
}
