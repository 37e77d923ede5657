package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// Births. A plan with another graph is an heir until it comes into force:
//
//	heir --all have it staged--> Birth is ordered --all have heard of it--> Cut --> committed: in force --all tasks at work--> born
//
// Before the birth is ordered a new generation begins by the old graph, as long as its tasks are somewhere; from then on by the
// heir. So no order ever takes back a graph that some task may work by already. A marker of the birth's epoch exists only once
// every worker knows that it is one.

// shape is a plan with what follows from it.
type shape struct {
	plan  Plan
	tasks map[gearcore.TaskID]Task
	sum   uint64 // ShapeOf
}

func shapeOf(p Plan) shape {
	tasks := make(map[gearcore.TaskID]Task, len(p.Tasks))
	for _, t := range p.Tasks {
		tasks[t.ID] = t
	}
	return shape{p, tasks, ShapeOf(p.Tasks)}
}

// planned takes in another plan. Where tasks run does not matter here, but for workers that have none any more. Other tasks, or another
// graph, are an heir where the topology is at work, and mean a new generation at once where it is not, or where nothing tells the graphs apart.
func (c *Coordinator) planned(p Plan) {
	if p.Version < c.plan.Version {
		return
	}
	is := shapeOf(p)
	switch {
	case c.tasks == nil:
		c.shape, c.phase = is, beginning
		c.want("the coordinator began")
	case p.Graph == c.plan.Graph:
		same := maps.Equal(is.tasks, c.tasks)
		c.shape = is
		if !same {
			c.want(fmt.Sprintf("plan %d has other tasks", p.Version))
		}
	case p.Graph < c.plan.Graph || c.heir != nil && p.Graph < c.heir.plan.Graph:
	case c.heir != nil && p.Graph > c.heir.plan.Graph && c.bearing():
		c.late = &is
	case c.phase == running:
		c.heir = &is
	default:
		c.shape, c.heir, c.late = is, nil, nil
		c.want(fmt.Sprintf("plan %d has another graph", p.Version))
	}
	if p.Workers != nil {
		c.retire(p.Workers)
	}
}

// bearing says whether the birth of the heir is ordered.
func (c *Coordinator) bearing() bool {
	return c.heir != nil && c.order.Birth.Version == c.heir.plan.Graph
}

// bears says whether the checkpoint under way is a birth.
func (c *Coordinator) bears() bool {
	return c.bearing() && c.cut != nil && c.cut.epoch == c.order.Birth.Epoch
}

// ripe says whether the next step towards the birth of the heir may be made.
func (c *Coordinator) ripe(now time.Duration) bool { return c.heir != nil && c.lacking(now) == "" }

// isDue says whether a checkpoint is to begin, or a birth is to be ordered. Between the order and its checkpoint there is no other one.
func (c *Coordinator) isDue(now time.Duration) bool {
	return c.ripe(now) || !c.bearing() && c.wanted(now)
}

// lacking says what the next step towards the birth of the heir waits for, "" if nothing: all workers that have tasks now or will have
// some have to be as far, and all of its tasks have to be at one of them. One that has been silent for long and has none now may be gone
// for good: what it would have has to be at others.
func (c *Coordinator) lacking(now time.Duration) string {
	claimed := 0
	for _, name := range slices.Sorted(maps.Keys(c.workers)) {
		m := c.workers[name]
		r := &m.report
		mine := 0
		for _, t := range r.Tasks {
			if _, ok := c.heir.tasks[t]; ok {
				mine++
			}
		}
		if !c.owns(name) && (mine == 0 || c.silent(now, m)) {
			continue
		}
		switch {
		case c.silent(now, m):
			return fmt.Sprintf("worker %s, silent for %v", name, now-m.heard)
		case r.Generation != c.order.Generation || r.Broken != "":
			return fmt.Sprintf("worker %s, which is in generation %d", name, r.Generation)
		case c.bearing() && r.Birth != c.order.Birth.Epoch:
			return fmt.Sprintf("worker %s to hear of checkpoint %d", name, c.order.Birth.Epoch)
		case !c.bearing() && r.Staged != c.heir.plan.Graph:
			return fmt.Sprintf("worker %s, which has prepared version %d", name, r.Staged)
		}
		claimed += mine
	}
	if claimed != len(c.heir.tasks) {
		return fmt.Sprintf("its %d tasks: they are at %d places", len(c.heir.tasks), claimed)
	}
	return ""
}

// Unborn says which version of the graph is to come into force, and what for it waits; "" if none is.
func (c *Coordinator) Unborn(now time.Duration) string {
	if c.heir == nil {
		return ""
	}
	why := c.lacking(now)
	switch {
	case why != "":
	case c.cut != nil:
		why = fmt.Sprintf("checkpoint %d", c.cut.epoch)
	case c.arriving:
		why = fmt.Sprintf("the tasks of version %d", c.plan.Graph)
	default:
		why = "its turn"
	}
	return fmt.Sprintf("version %d of the graph waits for %s", c.heir.plan.Graph, why)
}

// birth makes that step: it orders the birth, or has it cut.
func (c *Coordinator) birth(now time.Duration) {
	if c.bearing() {
		c.begins(now)
		return
	}
	c.order.Birth = Birth{Version: c.heir.plan.Graph, Epoch: c.next}
	c.tell(Notice{Kind: NoticeBirth, Epoch: c.next, Count: int(c.heir.plan.Graph)})
}

// bear puts the heir in force, whose birth counts since now.
func (c *Coordinator) bear(cut time.Duration) {
	c.adopt()
	for t := range c.owner {
		if _, ok := c.tasks[t]; !ok {
			delete(c.owner, t)
		}
	}
	c.order.Version = c.plan.Graph
	c.arriving, c.bornAt = true, cut
}

// arrive ends a birth once all tasks that came with it are at work. Where a worker knows only a later graph, some never will be.
func (c *Coordinator) arrive(now time.Duration) {
	if !c.arriving {
		return
	}
	if owner := c.restored(now); len(owner) == len(c.tasks) {
		c.owner, c.arriving = owner, false
		c.order.Birth.Done = true
		c.tell(Notice{Kind: NoticeBorn, Epoch: c.order.Birth.Epoch, Count: int(c.plan.Graph), Took: now - c.bornAt})
	} else if c.heir != nil && !c.covered(now) {
		c.want(c.outrun())
	}
}

// outrun is why a generation of the heir begins.
func (c *Coordinator) outrun() string {
	return fmt.Sprintf("version %d of the graph has lost tasks, and the next one is there", c.plan.Graph)
}

// succeed decides by which graph a new generation begins.
func (c *Coordinator) succeed(now time.Duration) {
	if c.heir != nil && (c.bearing() || !c.covered(now)) {
		c.adopt()
	}
}

// adopt makes the heir the plan.
func (c *Coordinator) adopt() { c.shape, c.heir, c.late = *c.heir, c.late, nil }

// byGraph says whether a worker's tasks work by the graph in force, as far as anybody tells.
func (c *Coordinator) byGraph(r *Report) bool {
	return r.Version == 0 || c.plan.Graph == 0 || r.Version == c.plan.Graph
}

// covered says whether all tasks of the plan are at workers that work by its graph, or may come to that.
func (c *Coordinator) covered(now time.Duration) bool {
	found := map[gearcore.TaskID]bool{}
	for _, m := range c.workers {
		beyond := m.report.Version > c.plan.Graph || m.report.Version < c.plan.Graph && m.report.Staged > c.plan.Graph
		if c.silent(now, m) || beyond {
			continue
		}
		for _, t := range m.report.Tasks {
			if _, ok := c.tasks[t]; ok {
				found[t] = true
			}
		}
	}
	return len(found) == len(c.tasks)
}
