package engine

import (
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// rising is an adder that cannot be restored before something has come up.
type rising struct {
	adder
	async *gearcore.Async
	up    bool
}

func (r *rising) Open(_ *gearcore.Context, c *gearcore.Collector) error {
	r.async = c.Async()
	return nil
}

func (r *rising) Up() bool { return r.up }

// TestBirthWaitsForWhatComesUp: a graph whose tasks cannot be restored yet is not prepared, and the one before works; but not for ever.
func TestBirthWaitsForWhatComesUp(t *testing.T) {
	for name, comes := range map[string]bool{"it comes up": true, "it does not": false} {
		t.Run(name, func(t *testing.T) {
			a, before, late := &script{values: []int64{1}}, &adder{}, &rising{}
			top := pairOf(a, &script{}, before, &adder{})
			s := drive(t, top, nil)
			s.begin(checkpoint.Order{Generation: 1, Version: 1})
			s.settle(time.Second)
			top.code["c"] = func(dag.Task) any { return late }
			if _, err := s.Apply(onward(s.Engine, nextPlan(t, s.plan(), func(*dag.Graph) {}, "c"))); err != nil {
				t.Fatal(err)
			}
			s.settle(risenWithin / 2)
			if v := s.Staged(); v != 1 || s.AtWork() {
				t.Errorf("version %d is prepared, at work: %v", v, s.AtWork())
			}
			a.values = append(a.values, 2)
			s.settle(time.Second)
			if before.sum != 3 {
				t.Errorf("the task before has a sum of %d, want 3", before.sum)
			}
			told := s.told
			if comes {
				late.up = true
				if err := late.async.Do(0, func(*gearcore.Collector) {}); err != nil {
					t.Fatal(err)
				}
				s.settle(0)
			} else {
				s.settle(risenWithin)
			}
			if v := s.Staged(); v != 2 || s.told == told {
				t.Errorf("version %d is prepared, told %d times of it", v, s.told-told)
			}
		})
	}
}

// risingBolt is a bolt without a state for which nothing comes up.
type risingBolt struct{ *bolt }

func (risingBolt) Up() bool { return false }

// TestRisingBehindAnOrder: a task without a state that waits for something to come up is prepared, and at work, when the order by which it begins was
// there before it.
func TestRisingBehindAnOrder(t *testing.T) {
	top := pairOf(&script{}, &script{}, &adder{}, &adder{})
	s := drive(t, top, nil)
	s.begin(checkpoint.Order{Generation: 1, Version: 1})
	s.Obey(checkpoint.Order{Generation: 2, Version: 2})
	s.settle(time.Second)
	top.code["c"] = func(dag.Task) any { return risingBolt{&bolt{execute: passOn}} }
	if _, err := s.Apply(onward(s.Engine, nextPlan(t, s.plan(), func(*dag.Graph) {}, "c"))); err != nil {
		t.Fatal(err)
	}
	s.settle(time.Second)
	if r := s.Report(); !r.Restored || r.Generation != 2 || r.Version != 2 {
		t.Fatalf("the report is %+v", r)
	}
	if v := s.Staged(); v != 2 || !s.AtWork() {
		t.Errorf("version %d is prepared, at work: %v", v, s.AtWork())
	}
}
