package stream

import (
	"fmt"

	"github.com/gearstorm/gearstorm/gearcore"
)

// streamOf names a stream of the topology.
type streamOf struct{ component, stream string }

// task is the steps of a component without state, or the common part of one that has some.
type task struct {
	r      *run
	names  map[streamOf]handler
	layout *gearcore.Layout
	by     []handler // by StreamID of layout
}

func (t *task) Open(ctx *gearcore.Context, c *gearcore.Collector) error { return t.r.open(ctx, c) }

func (t *task) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if l := tu.Batch().Layout; l != t.layout {
		t.learn(l)
	}
	h := t.by[tu.Row().Stream]
	if h == nil {
		c.Ack(tu)
		return fmt.Errorf("a tuple came on stream %s of %s, which nobody here listens to", tu.Stream(), tu.Component())
	}
	if err := h(tu); err != nil {
		t.r.fail(err)
	}
	if err := t.r.take(); err != nil {
		return err
	}
	c.Ack(tu)
	return nil
}

func (t *task) Close() { t.r.close() }

// learn finds the handlers by the numbers that streams have in l.
func (t *task) learn(l *gearcore.Layout) {
	t.layout, t.by = l, make([]handler, len(l.Streams))
	for i, s := range l.Streams {
		t.by[i] = t.names[streamOf{s.Component, s.Name}]
	}
}

// operator is a step that keeps state by key and acts on time.
type operator interface {
	gearcore.Checkpointed
	gearcore.Committer
	gearcore.Clocked
	gearcore.Inspected
	trim() error // between records: what is in memory stays within its bounds
}

// stateTask is the task of an operator.
type stateTask struct {
	*task
	op operator
}

// Advance implements gearcore.Clocked.
func (t *stateTask) Advance(w gearcore.Watermark, c *gearcore.Collector) (gearcore.Watermark, error) {
	out, err := t.op.Advance(w, c)
	if wrong := t.r.take(); err == nil {
		err = wrong
	}
	if err == nil {
		err = t.op.trim()
	}
	return out, err
}

// Execute implements gearcore.Task.
func (t *stateTask) Execute(tu gearcore.Tuple, c *gearcore.Collector) error {
	if err := t.task.Execute(tu, c); err != nil {
		return err
	}
	return t.op.trim()
}

// Freeze implements gearcore.Checkpointed.
func (t *stateTask) Freeze(epoch uint64) (gearcore.Frozen, error) {
	t.r.frozen(epoch)
	return t.op.Freeze(epoch)
}

// Restore implements gearcore.Checkpointed.
func (t *stateTask) Restore(r *gearcore.Recovery) error { return t.op.Restore(r) }

// Commit implements gearcore.Committer.
func (t *stateTask) Commit(epoch uint64) { t.op.Commit(epoch) }

// Inspect implements gearcore.Inspected.
func (t *stateTask) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	return t.op.Inspect(q)
}

// sinkTask is the task of a sink that takes part in checkpoints.
type sinkTask struct {
	*task
	sink gearcore.Checkpointed
}

// Freeze implements gearcore.Checkpointed.
func (t *sinkTask) Freeze(epoch uint64) (gearcore.Frozen, error) { return t.sink.Freeze(epoch) }

// Restore implements gearcore.Checkpointed.
func (t *sinkTask) Restore(r *gearcore.Recovery) error { return t.sink.Restore(r) }

// Commit implements gearcore.Committer.
func (t *sinkTask) Commit(epoch uint64) {
	if c, ok := t.sink.(gearcore.Committer); ok {
		c.Commit(epoch)
	}
}

// tappedTask is a task without state in a test, which wants to know of checkpoints.
type tappedTask struct{ *task }

// Freeze implements gearcore.Checkpointed. There is nothing to be saved.
func (t tappedTask) Freeze(epoch uint64) (gearcore.Frozen, error) {
	t.r.frozen(epoch)
	return nil, nil
}

// Restore implements gearcore.Checkpointed.
func (tappedTask) Restore(*gearcore.Recovery) error { return nil }
