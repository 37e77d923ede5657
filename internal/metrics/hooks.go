package metrics

import (
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

var _ gearcore.Hooks = (*Table)(nil)

// Queued implements gearcore.Hooks.
func (t *Table) Queued(id, from gearcore.TaskID, n int, wait time.Duration) {
	k := t.of(id)
	if k == nil {
		return
	}
	sender := t.componentOf(from)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue.record(wait, n)
	e := k.edge(sender)
	e.tuples.total += int64(n)
	e.waited.total += int64(n) * int64(wait)
}

// edge returns the sums of a sender; t.mu is held.
func (t *task) edge(from int32) *edge {
	for i := range t.edges {
		if t.edges[i].from == from {
			return &t.edges[i]
		}
	}
	t.edges = append(t.edges, edge{from: from})
	return &t.edges[len(t.edges)-1]
}

// Executed implements gearcore.Hooks.
func (t *Table) Executed(id gearcore.TaskID, stream gearcore.StreamID, n int, busy time.Duration, sampled int) {
	k := t.of(id)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.in(stream)
	c.executed.total += int64(n)
	c.busy.total += int64(busy)
	c.busyN.total += int64(sampled)
}

// Emitted implements gearcore.Hooks.
func (t *Table) Emitted(id gearcore.TaskID, stream gearcore.StreamID, n, transferred int) {
	k := t.of(id)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.out(stream)
	c.emitted.total += int64(n)
	c.transferred.total += int64(transferred)
}

// settled returns where it is counted how tuples of stream ended; t.mu is held.
func (t *task) settled(stream gearcore.StreamID) *settled {
	if t.kind == dag.Spout {
		return &t.out(stream).settled
	}
	return &t.in(stream).settled
}

// Acked implements gearcore.Hooks.
func (t *Table) Acked(id gearcore.TaskID, stream gearcore.StreamID, n int) {
	k := t.of(id)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settled(stream).acked.total += int64(n)
}

// Took implements gearcore.Hooks.
func (t *Table) Took(id gearcore.TaskID, stream gearcore.StreamID, n int, d time.Duration) {
	k := t.of(id)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.settled(stream)
	c.took.total += int64(n) * int64(d)
	c.tookN.total += int64(n)
	c.latency.record(d, n)
}

// Failed implements gearcore.Hooks.
func (t *Table) Failed(id gearcore.TaskID, stream gearcore.StreamID, n int) {
	k := t.of(id)
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settled(stream).failed.total += int64(n)
}

// Held implements gearcore.Hooks.
func (t *Table) Held(id gearcore.TaskID, d time.Duration) {
	if k := t.of(id); k != nil {
		k.mu.Lock()
		k.held += d
		k.mu.Unlock()
	}
}

// Errored implements gearcore.Hooks.
func (t *Table) Errored(id gearcore.TaskID, err error) {
	component := gearcore.SystemComponent
	if k := t.of(id); k != nil {
		component = k.component
	}
	t.errs.add(component, id, err)
}

// Blocking implements gearcore.Hooks.
func (t *Table) Blocking(id, target gearcore.TaskID) {
	if k := t.of(id); k != nil {
		now := t.cfg.Now()
		k.mu.Lock()
		k.wait(t.componentOf(target)).begin(now)
		k.mu.Unlock()
	}
}

// Blocked implements gearcore.Hooks.
func (t *Table) Blocked(id, target gearcore.TaskID, d time.Duration) {
	if k := t.of(id); k != nil {
		now := t.cfg.Now()
		k.mu.Lock()
		k.wait(t.componentOf(target)).end(target, now, d)
		k.mu.Unlock()
	}
}
