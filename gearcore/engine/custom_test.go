package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// byRest sends a number to as many tasks as its remainder modulo 3 says: to none, to the first, to the last one twice.
type byRest struct {
	targets  []gearcore.TaskID
	prepared int
	fail     error
	wrong    bool
}

func (g *byRest) Prepare(ctx *gearcore.Context, targets []gearcore.TaskID) error {
	if ctx.Component != "src" {
		return errors.New("not the emitter's context")
	}
	g.prepared++
	g.targets = targets
	return g.fail
}

func (g *byRest) Choose(task gearcore.TaskID, vals []gearcore.Value) []gearcore.TaskID {
	last := g.targets[len(g.targets)-1]
	switch v := vals[0].Int() % 3; {
	case g.wrong:
		return []gearcore.TaskID{task}
	case v == 0:
		return nil
	case v == 1:
		return g.targets[:1]
	default:
		return []gearcore.TaskID{last, last}
	}
}

func customTopology(src *counter, seen *[3]atomic.Int64) *topology {
	top := newTopology(1)
	top.add("sink", dag.Bolt, 3, 3, func(d dag.Task) any {
		return &bolt{execute: func(t gearcore.Tuple, c *gearcore.Collector) error {
			seen[d.Index].Add(1)
			c.Ack(t)
			return nil
		}}
	}, dag.Input{Source: "src", Stream: "default", Grouping: dag.Grouping{Kind: dag.Custom, Name: "rest"}})
	top.add("src", dag.Spout, 1, 1, func(dag.Task) any { return src })
	return top
}

func TestCustomGrouping(t *testing.T) {
	const n = 3000
	src, g := &counter{limit: n, track: true}, &byRest{}
	var seen [3]atomic.Int64
	cfg := customTopology(src, &seen).config(t)
	cfg.NewGrouping = func(name string) (gearcore.CustomGrouping, error) {
		if name != "rest" {
			t.Errorf("grouping %q was asked for", name)
		}
		return g, nil
	}
	_, stop := begin(t, cfg)
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
	stop()
	if got := [3]int64{seen[0].Load(), seen[1].Load(), seen[2].Load()}; got != [3]int64{n / 3, 0, 2 * n / 3} {
		t.Errorf("the tasks got %v tuples", got)
	}
	if g.prepared != 1 || len(g.targets) != 3 || !slices.IsSorted(g.targets) {
		t.Errorf("prepared %d times for %v", g.prepared, g.targets)
	}
}

func TestCustomGroupingBesideAnotherSubscriber(t *testing.T) {
	const n = 300
	src := &counter{limit: n, track: true}
	var seen [3]atomic.Int64
	var all atomic.Int64
	top := customTopology(src, &seen)
	top.add("other", dag.Bolt, 2, 2, counts(&all), from("src", dag.All))
	cfg := top.config(t)
	cfg.NewGrouping = func(string) (gearcore.CustomGrouping, error) { return &byRest{}, nil }
	_, stop := begin(t, cfg)
	eventually(t, "all are acked", func() bool { return src.acked.Load() == n })
	stop()
	if all.Load() != 2*n || seen[0].Load() != n/3 || seen[2].Load() != 2*n/3 {
		t.Errorf("%d, %d and %d tuples", all.Load(), seen[0].Load(), seen[2].Load())
	}
}

// A task that is none of the targets is a mistake of the emit.
func TestCustomGroupingThatChoosesWrongly(t *testing.T) {
	var seen [3]atomic.Int64
	h := newErrorsSeen()
	cfg := customTopology(&counter{limit: 10}, &seen).config(t)
	cfg.Hooks = h
	cfg.NewGrouping = func(string) (gearcore.CustomGrouping, error) { return &byRest{wrong: true}, nil }
	_, stop := begin(t, cfg)
	eventually(t, "errors", func() bool { return h.get(func() int { return len(h.errs) }) == 10 })
	stop()
	if text := h.errs[0].Error(); !strings.Contains(text, "rest chose task 5, which is none of sink") {
		t.Errorf("the error is %s", text)
	}
	if seen[0].Load()+seen[1].Load()+seen[2].Load() > 0 {
		t.Error("something was sent all the same")
	}
}

func TestCustomGroupingThatCannotBe(t *testing.T) {
	oops := errors.New("oops")
	var seen [3]atomic.Int64
	cfg := customTopology(&counter{limit: 10}, &seen).config(t)
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "custom grouping rest of sink") {
		t.Errorf("without groupings: %v", err)
	}
	cfg.NewGrouping = func(string) (gearcore.CustomGrouping, error) { return nil, oops }
	if _, err := New(cfg); !errors.Is(err, oops) {
		t.Errorf("a grouping that cannot be made: %v", err)
	}
	cfg.NewGrouping = func(string) (gearcore.CustomGrouping, error) { return &byRest{fail: oops}, nil }
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e.Activate()
	if err := e.Run(context.Background()); !errors.Is(err, oops) || !strings.Contains(err.Error(), "prepare custom grouping rest") {
		t.Errorf("a grouping that cannot be prepared: %v", err)
	}
}
