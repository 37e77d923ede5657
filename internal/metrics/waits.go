package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

const (
	// maxTargets bounds the tasks of a component that waits are told apart by; waits for more count for the component.
	maxTargets = 32
	// shareOver is over what time, about, the share of waiting is taken.
	shareOver = 5 * time.Second
)

// wait is how long an executor, kept at its first task, was held back by the tasks of one component: the time in which
// it waited for at least one of them.
type wait struct {
	component int32         // its place in index.components
	total     time.Duration // of waits that are over
	open      int           // waits under way
	since     time.Time     // of the first of those
	targets   []targetWait  // by task

	share   float64       // of the last seconds, 0 to 1
	counted time.Duration // what of the total is in share
}

type targetWait struct {
	task  gearcore.TaskID
	total time.Duration
}

// wait returns the waits for a component; t.mu is held.
func (t *task) wait(component int32) *wait {
	for i := range t.waits {
		if t.waits[i].component == component {
			return &t.waits[i]
		}
	}
	t.waits = append(t.waits, wait{component: component})
	return &t.waits[len(t.waits)-1]
}

func (w *wait) begin(now time.Time) {
	if w.open == 0 {
		w.since = now
	}
	w.open++
}

func (w *wait) end(target gearcore.TaskID, now time.Time, d time.Duration) {
	switch w.open {
	case 0: // its beginning was not told
		w.total += d
	case 1:
		w.total += max(now.Sub(w.since), 0)
		w.open = 0
	default:
		w.open--
	}
	for i := range w.targets {
		if w.targets[i].task == target {
			w.targets[i].total += d
			return
		}
	}
	if len(w.targets) < maxTargets {
		w.targets = append(w.targets, targetWait{target, d})
	}
}

// until is the total with what is under way.
func (w *wait) until(now time.Time) time.Duration {
	if w.open > 0 {
		return w.total + max(now.Sub(w.since), 0)
	}
	return w.total
}

// settle brings the share up to now, passed after the last call.
func (w *wait) settle(now time.Time, passed time.Duration) {
	total := w.until(now)
	part := min(float64(total-w.counted)/float64(passed), 1)
	keep := math.Exp(-float64(passed) / float64(shareOver))
	w.share = keep*w.share + (1-keep)*part
	w.counted = total
}

// worst is the task waited for longest, 0 if no wait is over yet.
func (w *wait) worst() gearcore.TaskID {
	if len(w.targets) == 0 {
		return 0
	}
	return slices.MaxFunc(w.targets, func(a, b targetWait) int { return cmp.Compare(a.total, b.total) }).task
}

// Wait says that an executor is or was throttled: it had a full batch for a task without room.
type Wait struct {
	Component string          // who waits
	Task      gearcore.TaskID // the executor's first
	For       string          // the component it waits for
	Worst     gearcore.TaskID // the task of For that it waited for longest, 0: not known yet
	Total     time.Duration   // since the start
	Share     float64         // of about the last five seconds, 0 to 1
	Now       bool            // it waits at this moment
}

// Waits returns the waits of an executor of this worker, by the order in which they first came.
func (t *Table) Waits(x dag.Executor, now time.Time) []Wait {
	k := t.seen(x.First)
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Wait
	for i := range k.waits {
		w := &k.waits[i]
		out = append(out, Wait{
			Component: k.component, Task: x.First, For: t.component(w.component), Worst: w.worst(),
			Total: w.until(now), Share: w.share, Now: w.open > 0,
		})
	}
	return out
}

// BlockedFor returns how long the executor that starts at task has waited for room, since the start, added up over the
// components it waited for.
func (t *Table) BlockedFor(id gearcore.TaskID) (d time.Duration) {
	k := t.seen(id)
	if k == nil {
		return 0
	}
	now := t.cfg.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.waits {
		d += k.waits[i].until(now)
	}
	return d
}

// settleWaits brings the shares of all waits up to now; t.mu is held.
func (t *Table) settleWaits(now time.Time) {
	passed := now.Sub(t.settled)
	if passed < time.Second/2 {
		return // a share of next to nothing
	}
	t.settled = now
	t.index.Load().each(func(_ gearcore.TaskID, k *task) {
		if k.blank {
			return
		}
		k.mu.Lock()
		for i := range k.waits {
			k.waits[i].settle(now, passed)
		}
		k.mu.Unlock()
	})
}
