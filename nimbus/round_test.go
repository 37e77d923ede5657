package nimbus

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/cluster"
	"github.com/gearstorm/gearstorm/nimbus/schedule"
)

func TestWhereNow(t *testing.T) {
	a, b, dead := schedule.Slot{Node: "a", Port: 1}, schedule.Slot{Node: "b", Port: 1}, schedule.Slot{Node: "c", Port: 1}
	placed := func(first, last int32, s schedule.Slot) cluster.Placement {
		return cluster.Placement{First: first, Last: last, Node: s.Node, Port: s.Port}
	}
	none := schedule.Slot{}
	for name, c := range map[string]struct {
		old           []cluster.Placement
		executors     []schedule.Executor
		current, near []schedule.Slot
	}{
		"the same executors": {[]cluster.Placement{placed(1, 2, a), placed(3, 3, b)}, []schedule.Executor{{First: 1, Last: 2}, {First: 3, Last: 3}},
			[]schedule.Slot{a, b}, []schedule.Slot{none, none}},
		"a dead worker": {[]cluster.Placement{placed(1, 1, a), placed(2, 2, dead)}, []schedule.Executor{{First: 1, Last: 1}, {First: 2, Last: 2}},
			[]schedule.Slot{a, none}, []schedule.Slot{none, none}},
		"fewer executors": {[]cluster.Placement{placed(1, 2, a), placed(3, 3, b), placed(4, 4, b)}, []schedule.Executor{{First: 1, Last: 3}, {First: 4, Last: 4}},
			[]schedule.Slot{none, b}, []schedule.Slot{a, none}},
		"more executors": {[]cluster.Placement{placed(1, 4, a), placed(5, 5, b)}, []schedule.Executor{{First: 1, Last: 2}, {First: 3, Last: 4}, {First: 5, Last: 5}},
			[]schedule.Slot{none, none, b}, []schedule.Slot{a, a, none}},
		"most tasks were in a dead worker": {[]cluster.Placement{placed(1, 2, dead), placed(3, 3, b)}, []schedule.Executor{{First: 1, Last: 3}},
			[]schedule.Slot{none}, []schedule.Slot{b}},
		"nothing yet": {nil, []schedule.Executor{{First: 1, Last: 1}}, []schedule.Slot{none}, []schedule.Slot{none}},
	} {
		t.Run(name, func(t *testing.T) {
			top := &topology{executors: c.executors, assignment: cluster.Assignment{Executors: c.old}}
			current, near := top.whereNow(map[schedule.Slot]bool{a: true, b: true})
			if diff := cmp.Diff([][]schedule.Slot{c.current, c.near}, [][]schedule.Slot{current, near}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A topology that is being killed keeps what it asks for, so that nobody gets its part of a node before it is gone.
func TestFrozenTopologiesKeepTheirPart(t *testing.T) {
	c := start(t, func(cfg *Config) { cfg.Conf = mergeConf(cfg.Conf, awareKeys) })
	a := c.node("a", 6700, 6701)
	a.report.Resources = map[string]float64{cpuPercent: 70, "memory.mb": 4096}
	a.sync(0)
	c.submitWords("words", "{}") // six executors of 10 points
	a.until("the topology", hasTopologies(1))
	top, _ := c.named("words")
	w := top.frozen()
	if !w.Fixed || len(w.Executors) != 6 || len(w.Current) != 6 {
		t.Fatalf("frozen: %+v", w)
	}
	cpu := 0.0
	for _, of := range w.Of {
		cpu += w.Components[of].CPU
	}
	if cpu != 60 {
		t.Errorf("it holds %v points", cpu)
	}
	broken := top.with(func(t *topology) { t.shape = schedule.Topology{} }).frozen()
	if len(broken.Executors) != 6 || len(broken.Components) != 3 {
		t.Errorf("one that cannot be read: %+v", broken)
	}
}

// A version in place moves nobody, whatever the scheduler would even out.
func TestUnmoved(t *testing.T) {
	a, b, none := schedule.Slot{Node: "a", Port: 1}, schedule.Slot{Node: "b", Port: 1}, schedule.Slot{}
	w := schedule.Topology{Current: []schedule.Slot{a, a, none, b}}
	where := []schedule.Slot{b, a, b, none}
	if diff := cmp.Diff([]schedule.Slot{a, a, b, b}, unmoved(w, where)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if where[0] != b {
		t.Error("the scheduler's own answer was changed")
	}
}
