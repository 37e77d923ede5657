package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// Inspect implements gearcore.Inspected: the key is what is to happen.
func (a *adder) Inspect(q gearcore.StateQuery) ([]gearcore.StateEntry, error) {
	switch q.Key {
	case "error":
		return nil, errors.New("no such key")
	case "panic":
		panic("a codec's mistake")
	}
	return []gearcore.StateEntry{{State: "sum", JSON: fmt.Append(nil, a.sum)}}, nil
}

// TestInspect looks at the state of a task while it runs, in a topology with checkpoints. A panic of that breaks nothing.
func TestInspect(t *testing.T) {
	src, sum, end := &script{values: []int64{1, 2, 3}}, &adder{}, &adder{}
	top := newTopology(0)
	top.add("a", dag.Spout, 1, 1, func(dag.Task) any { return src })
	top.add("b", dag.Bolt, 1, 1, func(dag.Task) any { return sum }, from("a", dag.Global))
	top.add("c", dag.Bolt, 1, 1, func(dag.Task) any { return end }, from("b", dag.Global))
	s := drive(t, top, nil)
	p := top.plan(t)
	ask := func(component, key string) string {
		got := "nothing"
		err := s.Inspect(p.TasksOf(component)[0], gearcore.StateQuery{Key: key, HasKey: true}, func(found []gearcore.StateEntry, err error) {
			if got = fmt.Sprint(err); err == nil {
				got = string(found[0].JSON)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		s.settle(0)
		return got
	}
	if got := ask("b", ""); got != "nothing" {
		t.Errorf("before it is restored it answers %q", got)
	}
	s.begin(checkpoint.Order{Generation: 1})
	for _, c := range []struct{ component, key, want string }{
		{"b", "", "6"}, {"b", "error", "no such key"}, {"b", "panic", "a codec's mistake"}, {"a", "", gearcore.ErrNoState.Error()}, {"b", "", "6"},
	} {
		if got := ask(c.component, c.key); !strings.Contains(got, c.want) {
			t.Errorf("%s %q: %q, want %q", c.component, c.key, got, c.want)
		}
	}
	if r := s.Report(); r.Broken != "" {
		t.Errorf("looking has broken it: %s", r.Broken)
	}
	if err := s.Inspect(99, gearcore.StateQuery{}, nil); !errors.Is(err, ErrNotHere) {
		t.Errorf("a task of elsewhere: %v", err)
	}
}
