package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/connect/kafka"
)

// row is a checkpoint k: how many records the source had read, and how many were in the state of the counter.
type row struct {
	epoch, generation uint64
	offset, state     int64
}

// equal is what every row has to be.
func (r row) equal() bool { return r.offset == r.state }

// table has a row for each checkpoint of a topology that counts, as it is in the store.
type table struct {
	store    checkpoint.Store
	topology string
	rows     []row
}

// read adds the checkpoints that are new.
func (t *table) read(ctx context.Context) error {
	epochs, err := checkpoint.Counting(ctx, t.store, t.topology)
	if err != nil {
		return err
	}
	for _, k := range epochs {
		if slices.ContainsFunc(t.rows, func(r row) bool { return r.epoch == k }) {
			continue
		}
		r, err := t.rowOf(ctx, k)
		if checkpoint.Lost(err) {
			continue // it was removed just now
		}
		if err != nil {
			return fmt.Errorf("read checkpoint %d: %w", k, err)
		}
		t.rows = append(t.rows, r)
	}
	return nil
}

func (t *table) rowOf(ctx context.Context, epoch uint64) (r row, err error) {
	m, err := checkpoint.ReadManifest(ctx, t.store, t.topology, epoch)
	if err != nil {
		return r, err
	}
	r.epoch, r.generation = epoch, m.Generation
	source, counter := m.Component(sourceName), m.Component(counterName)
	if source == nil || counter == nil {
		return r, errors.New("it has not all components")
	}
	vault := checkpoint.NewVault(t.store, t.topology, 0)
	for _, p := range source.Parts {
		offsets, err := kafka.Offsets(ctx, vault, p.Part)
		if err != nil {
			return r, err
		}
		for _, next := range offsets[inTopic] {
			r.offset += next
		}
	}
	r.state, err = stateOf(counter, epoch, vault)
	return r, err
}

// stateOf restores the state of all tasks of the counter, and returns how many records are in it.
func stateOf(c *checkpoint.Component, epoch uint64, vault gearcore.Vault) (total int64, err error) {
	for i := range c.Parts {
		k, err := newCounts(i, len(c.Parts))
		if err != nil {
			return 0, err
		}
		first, last := gearcore.KeyGroupRange(i, len(c.Parts))
		r := &gearcore.Recovery{Epoch: epoch, Parts: c.Parts, Index: i, Tasks: len(c.Parts), First: first, Last: last, Vault: vault}
		if err := k.store.Restore(r); err != nil {
			return 0, err
		}
		total += k.total()
		k.store.Close()
	}
	return total, nil
}

// print prints the table and returns how many rows are not equal.
func (t *table) print(out io.Writer) (unequal int) {
	fmt.Fprintf(out, "%8s %10s %10s %10s\n", "k", "generation", "offset(k)", "state(k)")
	for _, r := range t.rows {
		verdict := "equal"
		if !r.equal() {
			verdict = "UNEQUAL"
			unequal++
		}
		fmt.Fprintf(out, "%8d %10d %10d %10d %s\n", r.epoch, r.generation, r.offset, r.state, verdict)
	}
	return unequal
}
