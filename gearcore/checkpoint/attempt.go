package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
)

// attempt is the checkpoint under way.
type attempt struct {
	epoch      uint64
	since      time.Duration
	parts      map[gearcore.TaskID]gearcore.TaskPart
	names      []string // savepoints that it will be
	committing bool
	bytes      int64
}

// wanted says whether a checkpoint is due.
func (c *Coordinator) wanted(now time.Duration) bool {
	return len(c.asked) > 0 || c.conf.Interval > 0 && now >= c.due
}

// begins has sources cut the next epoch.
func (c *Coordinator) begins(now time.Duration) {
	c.cut = &attempt{epoch: c.next, since: now, parts: map[gearcore.TaskID]gearcore.TaskPart{}, names: c.asked}
	c.asked = nil
	c.next++
	c.order.Cut = c.cut.epoch
	c.tell(Notice{Kind: NoticeCut, Epoch: c.cut.epoch})
	c.complete()
}

// progress takes in what a worker says of the checkpoint under way.
func (c *Coordinator) progress(now time.Duration, r Report) {
	if c.cut.committing {
		return
	}
	if r.Failed != "" {
		c.drop(now, fmt.Sprintf("worker %s: %s", r.Worker, r.Failed))
		return
	}
	for _, w := range r.Waiting {
		if w.Since > c.conf.AlignLimit {
			c.drop(now, fmt.Sprintf("%s, the limit is %v", w.Text(c.component), c.conf.AlignLimit))
			return
		}
	}
	for _, p := range r.Saved {
		if len(p.Inline) > gearcore.MaxInline {
			c.drop(now, fmt.Sprintf("task %d of %s has %d bytes that are not in a file, more than %d", p.Task, c.component(p.Task), len(p.Inline), gearcore.MaxInline))
			return
		}
		if c.owner[p.Task] == r.Worker {
			c.cut.parts[p.Task] = p
		}
	}
	c.complete()
}

func (c *Coordinator) component(t gearcore.TaskID) string {
	return cmp.Or(c.tasks[t].Component, "nobody")
}

// complete writes the record once all parts are there.
func (c *Coordinator) complete() {
	if len(c.cut.parts) < len(c.tasks) || c.busy || c.wish != "" {
		return
	}
	m := c.manifest()
	if c.bears() {
		m.Plan = c.heir.plan.Version // from its record on, no coordinator begins by an earlier one
	}
	c.cut.committing, c.cut.bytes = true, m.Bytes()
	c.store(Commit{m})
}

// manifest puts the parts together.
func (c *Coordinator) manifest() *Manifest {
	m := &Manifest{Epoch: c.cut.epoch, Generation: c.order.Generation, Plan: c.plan.Version, Watermark: gearcore.End}
	at := map[string]int{}
	for id, t := range c.tasks {
		i, ok := at[t.Component]
		if !ok {
			i = len(m.Components)
			at[t.Component] = i
			m.Components = append(m.Components, Component{Name: t.Component, Source: t.Source})
		}
		p := c.cut.parts[id]
		p.Index = t.Index
		m.Components[i].Parts = append(m.Components[i].Parts, p)
		m.Watermark = min(m.Watermark, p.Watermark)
	}
	slices.SortFunc(m.Components, func(a, b Component) int { return strings.Compare(a.Name, b.Name) })
	for _, k := range m.Components {
		slices.SortFunc(k.Parts, func(a, b gearcore.TaskPart) int {
			return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Task, b.Task))
		})
	}
	return m
}

// committed takes in that the record is written.
func (c *Coordinator) committed(now time.Duration, e Committed) {
	c.done()
	c.limit = e.Limit
	k := c.cut
	c.cut = nil
	c.order.Committed = e.Epoch
	if c.heir != nil && c.order.Birth.Epoch == e.Epoch {
		c.bear(k.since)
	}
	c.tell(Notice{Kind: NoticeCommit, Generation: c.order.Generation, Epoch: e.Epoch, Took: now - k.since, Bytes: k.bytes})
	for _, name := range k.names {
		c.keeps = append(c.keeps, Keep{name, e.Epoch})
	}
	if c.inARow >= c.conf.Alarm {
		c.tell(Notice{Kind: NoticeRelief, Count: c.inARow})
	}
	c.inARow, c.futile, c.due, c.dirty = 0, 0, max(now, k.since+c.conf.Interval), true
}

// drop gives the checkpoint under way up. If that is because the generation ends it is no failure, and savepoints wait for the next one.
func (c *Coordinator) drop(now time.Duration, why string) {
	k := c.cut
	c.cut = nil
	c.order.Dropped = k.epoch
	c.due, c.dirty = now+c.conf.Interval, true
	n := Notice{Kind: NoticeDropped, Generation: c.order.Generation, Epoch: k.epoch, Why: why, Took: now - k.since}
	if c.wish != "" {
		c.asked = append(k.names, c.asked...)
		c.tell(n)
		return
	}
	if c.heir != nil && k.epoch == c.order.Birth.Epoch { // tasks may have gone over to the other graph
		c.want(fmt.Sprintf("checkpoint %d, with which version %d of the graph was to come into force, was given up: %s", k.epoch, c.heir.plan.Graph, why))
	}
	c.inARow++
	c.failure = why
	n.Count = c.inARow
	c.tell(n)
	if c.inARow == c.conf.Alarm {
		c.tell(Notice{Kind: NoticeAlarm, Count: c.inARow, Why: why})
	}
	for _, name := range k.names {
		c.tell(Notice{Kind: NoticeUnkept, Name: name, Why: why})
	}
}

// watch finds what has taken too long.
func (c *Coordinator) watch(now time.Duration) {
	if c.phase == running {
		for _, name := range slices.Sorted(maps.Keys(c.workers)) {
			if m := c.workers[name]; c.silent(now, m) && c.owns(name) {
				c.want(fmt.Sprintf("worker %s has been silent for %v", name, now-m.heard))
			}
		}
	}
	if c.cut != nil && !c.cut.committing && c.wish == "" && now-c.cut.since >= c.conf.Timeout {
		c.drop(now, fmt.Sprintf("%v have passed and %s", c.conf.Timeout, c.missing()))
	}
}

// missing names some of the tasks whose parts are not there.
func (c *Coordinator) missing() string {
	var ids []gearcore.TaskID
	for t := range c.tasks {
		if _, ok := c.cut.parts[t]; !ok {
			ids = append(ids, t)
		}
	}
	if len(ids) == 0 {
		return "its record could not be begun"
	}
	slices.Sort(ids)
	first := ids[0]
	return fmt.Sprintf("%d of %d tasks have not saved theirs, the first is %d of %s at worker %s", len(ids), len(c.tasks), first, c.component(first), c.owner[first])
}

// failed takes in what the store did not do.
func (c *Coordinator) failed(now time.Duration, f Failed) {
	if f.fenced() {
		c.phase = stopped
		c.out = append(c.out, Stop{f.Err.Error()})
		return
	}
	if _, ok := f.Action.(Clean); ok {
		c.cleaning = false
		c.tell(Notice{Kind: NoticeStore, Why: f.Err.Error()})
		return
	}
	c.busy = false
	switch a := f.Action.(type) {
	case Commit:
		c.doubt = c.doubt || !errors.As(f.Err, new(unwritten)) // one that surely was not written says nothing of the one before
		c.drop(now, f.Err.Error())
	case Keep:
		c.tell(Notice{Kind: NoticeUnkept, Name: a.Name, Epoch: a.Epoch, Why: f.Err.Error()})
	default:
		c.fails++
		c.pause = now + min(500*time.Millisecond<<min(c.fails, 10), 10*time.Second)
		kind, why := NoticeStore, f.Err
		if start, ok := errors.AsType[startError](f.Err); ok {
			kind, why = NoticeStart, start
		}
		c.tell(Notice{Kind: kind, Why: why.Error()})
	}
}
