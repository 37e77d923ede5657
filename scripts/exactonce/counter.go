package main

import (
	"fmt"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
)

// counts is the state of the counter: how many records of each key came.
type counts struct {
	store *state.Store
	byKey *state.Value[string, int64]
}

func newCounts(index, tasks int) (*counts, error) {
	s, err := state.New(state.Config{Name: counterName, Index: index, Tasks: tasks})
	if err != nil {
		return nil, err
	}
	// Which keys are whose is the affair of the fields grouping, so a task keeps all of its keys in its first group.
	group, _ := gearcore.KeyGroupRange(index, tasks)
	keys := state.KeyFunc(state.Strings[string](), func(*string, gearcore.HashMode) int { return group }, nil)
	return &counts{s, state.NewValue(s, "counts", keys, state.Ints[int64]())}, nil
}

// total is how many records came.
func (c *counts) total() (n int64) {
	c.byKey.Each(func(_ string, count int64) bool {
		n += count
		return true
	})
	return n
}

// counter counts records by key, and adds to each its number within its key.
type counter struct{ *counts }

func newCounter() storm.Bolt { return &counter{} }

// Prepare implements storm.Bolt.
func (k *counter) Prepare(ctx *storm.Context, _ *storm.Collector) (err error) {
	k.counts, err = newCounts(ctx.Index, len(ctx.Tasks))
	return err
}

// Execute implements storm.Bolt.
func (k *counter) Execute(t storm.Tuple, c *storm.Collector) error {
	key := t.String(0)
	var number int64
	k.byKey.Update(key, func(n *int64) { *n++; number = *n })
	c.EmitAnchored(t, key, fmt.Sprintf("%s go %d", t.String(1), number))
	c.Ack(t)
	return nil
}

// Freeze implements storm.Checkpointed.
func (k *counter) Freeze(epoch uint64) (gearcore.Frozen, error) { return k.store.Freeze(epoch) }

// Restore implements storm.Checkpointed.
func (k *counter) Restore(r *gearcore.Recovery) error { return k.store.Restore(r) }

// Commit implements storm.Committer.
func (k *counter) Commit(epoch uint64) { k.store.Commit(epoch) }

// Close implements storm.Closer.
func (k *counter) Close() { k.store.Close() }
