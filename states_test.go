package gearstorm_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/compat/storm"
	"github.com/gearstorm/gearstorm/gearcore"
)

// sums adds up numbers by key in a state, and emits each sum.
type sums struct {
	r        *results
	name     string
	state    storm.KeyValueState[string, int64]
	firstTx  int64
	prepared bool
}

func (b *sums) Prepare(ctx *storm.Context, _ *storm.Collector) error {
	b.name, b.firstTx = fmt.Sprint(ctx.Component, " ", ctx.Index), -1
	return nil
}

func (b *sums) InitState(s storm.KeyValueState[string, int64]) error {
	b.state = s
	entries := 0
	s.Each(func(string, int64) bool { entries++; return true })
	b.r.add(fmt.Sprintf("%s begins with %d entries", b.name, entries))
	return nil
}

func (b *sums) Execute(t storm.Tuple, c *storm.Collector) error {
	key := t.String(0)
	sum, _ := b.state.Get(key)
	sum += t.Int(1)
	b.state.Put(key, sum)
	if !b.state.Delete("gone") {
		b.state.Put("gone", 0)
	}
	c.EmitAnchored(t, key, sum)
	c.Ack(t)
	return nil
}

func (b *sums) PrePrepare(int64) { b.prepared = true }

func (b *sums) PreCommit(tx int64) {
	if b.firstTx < 0 {
		b.firstTx = tx
		b.r.add(fmt.Sprintf("%s prepared before it committed %v", b.name, b.prepared))
	} else if b.firstTx != math.MaxInt64 {
		b.r.add(fmt.Sprintf("%s next transaction is later %v", b.name, tx > b.firstTx))
		b.firstTx = math.MaxInt64
	}
}

func (b *sums) PreRollback() {}

// defineSums is the topology of two bolts with state, and one without between them.
func defineSums(b *storm.TopologyBuilder, r *results, in storm.SpoutFactory) {
	stateful := func() storm.StatefulBolt[string, int64] { return &sums{r: r} }
	b.SetSpout("numbers", in, 1).Fields("key", "n")
	b.SetBolt("sums", storm.Stateful(stateful), 2).FieldsGrouping("numbers", "key").Fields("key", "n")
	b.SetBolt("half", storm.BoltFunc(func(t storm.Tuple, out storm.Emitter) error {
		out.Emit(t.String(0), t.Int(1)/2)
		return nil
	}), 1).FieldsGrouping("sums", "key").Fields("key", "n")
	b.SetBolt("sums of halves", storm.Stateful(stateful), 2).FieldsGrouping("half", "key").Fields("key", "n")
	b.SetBolt("sink", r.sink(), 1).GlobalGrouping("sums of halves")
}

// States of Go bolts go through Storm's transactions as Storm's own do: what is acked, when, and what comes out.
func TestStatesAreStorms(t *testing.T) {
	t.Parallel()
	want, r := recorded(t, "stateful"), newResults()
	var rows [][]any
	for n := range 200 {
		rows = append(rows, []any{fmt.Sprintf("k%d", n%6), n})
	}
	runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) {
		b.AddConfig("topology.state.checkpoint.interval.ms", 300)
		defineSums(b, r, func() storm.Spout { return &feed{rows: rows, r: r} })
	})
	if d := cmp.Diff(want, r.all()); d != "" {
		t.Errorf("Storm has -, we have +\n%s", d)
	}
}

// seekable is a feed with a position.
type seekable struct{ feed }

func (s *seekable) Freeze(uint64) (gearcore.Frozen, error) { return position(s.next), nil }

func (s *seekable) Restore(r *gearcore.Recovery) error {
	s.next = 0
	for _, p := range r.Parts {
		if _, err := fmt.Sscan(string(p.Inline), &s.next); err != nil {
			return err
		}
	}
	return nil
}

type position int

func (p position) Save(context.Context, gearcore.Vault) (gearcore.Part, error) {
	return gearcore.Part{Inline: fmt.Append(nil, int(p))}, nil
}

func (position) Drop() {}

// The same bolts, in a topology whose checkpoints are the engine's.
func TestStatesInTheCheckpointsOfTheEngine(t *testing.T) {
	t.Parallel()
	want, r := recorded(t, "stateful"), newResults()
	var rows [][]any
	for n := range 200 {
		rows = append(rows, []any{fmt.Sprintf("k%d", n%6), n})
	}
	runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) {
		b.AddConfig("gearstorm.checkpoint.interval.ms", 100)
		defineSums(b, r, func() storm.Spout { return &seekable{feed{rows: rows, r: r}} })
	})
	if d := cmp.Diff(want, r.all()); d != "" {
		t.Errorf("Storm has -, we have +\n%s", d)
	}
}
