package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// maxWorkers bounds how many are remembered.
const maxWorkers = 10_000

// heard takes in a worker's report.
func (c *Coordinator) heard(now time.Duration, r Report) {
	m := c.workers[r.Worker]
	switch {
	case m == nil:
		if len(c.workers) == maxWorkers {
			return
		}
		m = &member{}
		c.workers[r.Worker] = m
	case r.Life < m.report.Life && !c.silent(now, m):
		return // a process that was replaced still speaks
	case r.Life != m.report.Life:
		c.replaced(r.Worker)
	case r.Generation < m.report.Generation:
		m.heard = now // an old report came late
		return
	}
	m.report, m.heard = r, now
	if r.Generation != c.order.Generation || c.order.Generation == 0 {
		return
	}
	if r.Broken != "" {
		if c.phase == restoring && r.Unreadable != 0 && r.Unreadable == c.order.Restore { // later it may have been removed
			c.below = r.Unreadable
		}
		if c.wish == "" { // once: reports come again, and each would move the pause on
			c.rest(now, fmt.Sprintf("worker %s: %s", r.Worker, r.Broken))
		}
		c.want(fmt.Sprintf("worker %s: %s", r.Worker, r.Broken))
	}
	if c.phase == running {
		if c.bearing() && r.Version < c.heir.plan.Graph && r.Staged > c.heir.plan.Graph { // the order came too late for it
			c.want(fmt.Sprintf("worker %s has prepared version %d of the graph in the place of %d", r.Worker, r.Staged, c.heir.plan.Graph))
		}
		c.moved(r)
		c.arrive(now)
	}
	if c.cut != nil && r.Epoch == c.cut.epoch {
		c.progress(now, r)
	}
}

// replaced is that there is another process at a worker's place: what tasks there knew is gone.
func (c *Coordinator) replaced(worker string) {
	if c.phase == running && c.owns(worker) {
		c.want(fmt.Sprintf("worker %s was started again", worker))
	}
}

// retire forgets workers that have no part in the plan any more. What they had is at others, or will be, who need not wait until they are
// silent.
func (c *Coordinator) retire(stay []string) {
	for _, name := range slices.Sorted(maps.Keys(c.workers)) {
		if slices.Contains(stay, name) {
			continue
		}
		delete(c.workers, name)
		if c.phase == running && c.owns(name) {
			c.want(fmt.Sprintf("worker %s has no part in the plan any more", name))
		}
	}
}

func (c *Coordinator) owns(worker string) bool {
	for _, w := range c.owner {
		if w == worker {
			return true
		}
	}
	return false
}

// moved finds tasks that are where they were not restored, or not there any more.
func (c *Coordinator) moved(r Report) {
	if c.otherShape(&r) && c.owns(r.Worker) {
		c.want(fmt.Sprintf("worker %s has another plan", r.Worker))
		return
	}
	if !r.Restored && !c.arriving && c.owns(r.Worker) {
		c.want(fmt.Sprintf("worker %s has tasks that were not restored", r.Worker))
		return
	}
	for _, t := range r.Tasks {
		if at, ok := c.owner[t]; ok && at != r.Worker {
			c.want(fmt.Sprintf("task %d moved from worker %s to %s", t, at, r.Worker))
			return
		}
	}
	for t, at := range c.owner {
		if at != r.Worker {
			continue
		}
		if _, ok := slices.BinarySearch(r.Tasks, t); !ok {
			c.want(fmt.Sprintf("worker %s has lost tasks", r.Worker))
			return
		}
	}
}

func (c *Coordinator) silent(now time.Duration, m *member) bool { return now-m.heard > c.conf.Silence }

// lasting is after how long a generation that breaks is no repetition of the ones before, also where no checkpoints are made.
const lasting = time.Minute

// rest has generations that break one after the other, without a checkpoint that counts between, follow each other more and more
// slowly: a tuple that cannot be executed is the same after each of them.
func (c *Coordinator) rest(now time.Duration, why string) {
	if c.phase == running && now-c.went >= lasting {
		c.futile = 0
	}
	if c.futile > 0 {
		pause := min(100*time.Millisecond<<min(c.futile, 10), 10*time.Second)
		c.pause = max(c.pause, now+pause)
		c.tell(Notice{Kind: NoticeRests, Generation: c.order.Generation, Took: pause, Count: c.futile + 1, Why: why})
	}
	c.futile++
}
