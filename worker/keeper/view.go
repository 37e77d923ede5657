package keeper

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

// Timing says how far the topology is, for people. The answer belongs to the caller, what its lists hold does not.
func (k *Keeper) Timing() *stormrpc.TopologyTiming {
	k.mu.Lock()
	defer k.mu.Unlock()
	t := &stormrpc.TopologyTiming{Generation: int64(k.order.Generation), State: k.stateLocked(),
		Answers: slices.Clone(k.saves.answers), Savepoints: k.saves.list, Checkpoints: slices.Clone(k.history.rows)}
	back := k.goesBackLocked()
	t.GoingBack = &back
	if v := k.atWorkLocked(); v != 0 {
		t.DagVersion = &v
	}
	k.clocks.tell(t)
	if k.cfg.Store != nil {
		every, where := int64(k.cfg.Checkpoints.Interval/time.Millisecond), k.cfg.Where
		t.IntervalMs, t.Store = &every, &where
	}
	if len(t.Checkpoints) > 0 && t.Checkpoints[0].TookMs == nil {
		row := *t.Checkpoints[0]
		waiting := k.waitingLocked(uint64(row.Epoch))
		row.Waiting = &waiting
		t.Checkpoints[0] = &row
	}
	return t
}

// stateLocked says in words what the topology does.
func (k *Keeper) stateLocked() string {
	switch {
	case k.cfg.Store == nil:
		return "running"
	case k.trouble != "":
		return k.trouble
	case k.rests != "":
		return k.rests
	case k.order.Generation == 0:
		return "reading its checkpoints"
	case k.order.Go && !k.arrivesLocked():
		return "running"
	}
	text := fmt.Sprintf("going back to checkpoint %d (%s)", k.order.Restore, k.why)
	switch {
	case k.order.Go:
		text = fmt.Sprintf("taking up version %d from checkpoint %d", k.order.Version, k.order.Birth.Epoch)
	case k.order.Restore == 0:
		text = "beginning"
	}
	if missing := k.missingLocked(); missing != "" {
		text += ", waits for " + missing
	}
	return text
}

// arrivesLocked says whether a version of the graph has come into force in this generation, and not all of its tasks are at work.
func (k *Keeper) arrivesLocked() bool {
	o := &k.order
	return o.Go && o.Birth.Version != 0 && o.Birth.Version == o.Version && !o.Birth.Done
}

// goesBackLocked says whether the topology, or what a new version brings, is on its way to a checkpoint, or waits before it tries that again.
func (k *Keeper) goesBackLocked() bool {
	o := &k.order
	return k.cfg.Store != nil && k.trouble == "" && (k.rests != "" || o.Generation > 0 && !o.Go && o.Restore > 0 || k.arrivesLocked())
}

// atWorkLocked is the version of the graph by which all tasks are at work, 0 while some are not.
func (k *Keeper) atWorkLocked() int64 {
	o := &k.order
	switch {
	case k.cfg.Store == nil:
		return k.plan.Graph
	case o.Go && (o.Birth.Version != o.Version || o.Birth.Done):
		return o.Version
	}
	return 0
}

// waitingLocked says what the checkpoint under way waits for.
func (k *Keeper) waitingLocked(epoch uint64) string {
	for _, slot := range k.slots {
		r := k.reports[slot]
		if r.Epoch == epoch && len(r.Waiting) > 0 {
			w := r.Waiting[0]
			if w.For == w.Task {
				return fmt.Sprintf("task %d has not acked all its tuples for %v", w.Task, w.Since.Round(time.Millisecond))
			}
			return fmt.Sprintf("task %d waits for the marker of task %d for %v", w.Task, w.For, w.Since.Round(time.Millisecond))
		}
	}
	saved := map[gearcore.TaskID]bool{}
	for _, r := range k.reports {
		if r.Epoch == epoch {
			for _, p := range r.Saved {
				saved[p.Task] = true
			}
		}
	}
	return tasksText(k.plan.Tasks, func(t gearcore.TaskID) bool { return !saved[t] })
}

// missingLocked names tasks that no worker has restored.
func (k *Keeper) missingLocked() string {
	there := map[gearcore.TaskID]bool{}
	for _, r := range k.reports {
		if r.Generation != k.order.Generation || !r.Restored && len(r.Unrestored) == 0 {
			continue
		}
		for _, t := range r.Tasks {
			there[t] = there[t] || !slices.Contains(r.Unrestored, t)
		}
	}
	return tasksText(k.plan.Tasks, func(t gearcore.TaskID) bool { return !there[t] })
}

// tasksText names some of the tasks that are wanted, "" if there are none.
func tasksText(tasks []checkpoint.Task, want func(gearcore.TaskID) bool) string {
	const named = 4
	var names []string
	more := 0
	for _, t := range tasks {
		switch {
		case !want(t.ID):
		case len(names) < named:
			names = append(names, fmt.Sprintf("task %d of %s", t.ID, t.Component))
		default:
			more++
		}
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
