package dag

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gearstorm/gearstorm/gearcore"
)

func proc(name string, kind Kind, tasks int, inputs ...Input) *Processor {
	return &Processor{Name: name, Kind: kind, Tasks: tasks, Executors: tasks,
		Outputs: []Output{{Stream: "default", Fields: []string{"a", "b"}}}, Inputs: inputs}
}

func from(src string, k GroupingKind, fields ...string) Input {
	return Input{src, "default", Grouping{Kind: k, Fields: fields}}
}

// Storm's own numbering of a stateful topology: names by UTF-16 unit, ids from 1.
func TestNumberingFollowsStorm(t *testing.T) {
	g := &Graph{Name: "t", Processors: []*Processor{
		proc("$checkpointspout", Spout, 1), proc("__acker", Acker, 1), proc("count", Bolt, 2), proc("exclaim1", Bolt, 5)}}
	p, err := Expand(g, nil, map[string]int{"exclaim1": 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.TasksOf("exclaim1"); !slices.Equal(got, []gearcore.TaskID{5, 6, 7, 8, 9}) {
		t.Errorf("exclaim1 has tasks %v", got)
	}
	var ex []gearcore.TaskID
	for _, e := range p.Executors {
		ex = append(ex, e.First, e.Last)
	}
	if want := []gearcore.TaskID{1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9}; !slices.Equal(ex, want) {
		t.Errorf("executors %v, want %v", ex, want)
	}
	if Compare("A", "__a") >= 0 || Compare("__a", "a") >= 0 || Compare("$a", "0") >= 0 || Compare("\U0001F600", "\uFF00") >= 0 {
		t.Error("component names are not in UTF-16 order")
	}
}

func TestSplitTasksLargerFirst(t *testing.T) {
	ids := []gearcore.TaskID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	var sizes []int
	for _, c := range SplitTasks(ids, 3) {
		sizes = append(sizes, len(c))
	}
	if !slices.Equal(sizes, []int{4, 3, 3}) {
		t.Errorf("10 tasks in 3 executors are %v", sizes)
	}
}

func TestStoredNumberingIsKept(t *testing.T) {
	g := &Graph{Name: "t", Processors: []*Processor{proc("a", Spout, 2), proc("b", Bolt, 1, from("a", Shuffle))}}
	p, err := Expand(g, Numbering{1: "a", 2: "b", 9: "a"}, nil)
	if err != nil || !slices.Equal(p.TasksOf("a"), []gearcore.TaskID{1, 9}) {
		t.Errorf("a has tasks %v (%v)", p.TasksOf("a"), err)
	}
	if _, err := Expand(g, Numbering{1: "a", 2: "b"}, nil); err == nil {
		t.Error("a numbering with too few tasks was accepted")
	}
	if _, err := Expand(g, Numbering{1: "a", 2: "b", 3: "a", 4: "x"}, nil); err == nil {
		t.Error("a numbering with an unknown component was accepted")
	}
}

func TestCycleEdgesAreMarked(t *testing.T) {
	g := &Graph{Name: "t", Processors: []*Processor{
		proc("a", Spout, 1), proc("b", Bolt, 1, from("a", Shuffle), from("c", Shuffle)),
		proc("c", Bolt, 1, from("b", Shuffle)), proc("d", Bolt, 1, from("c", Shuffle)), proc("e", Bolt, 1, from("e", Shuffle), from("d", Shuffle))}}
	p, err := Expand(g, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for sid, rs := range p.Routes {
		for _, r := range rs {
			got[p.Layout.Streams[sid].Component+">"+r.Target.Name] = r.Back
		}
	}
	for e, want := range map[string]bool{"a>b": false, "c>b": true, "b>c": true, "c>d": false, "e>e": true, "d>e": false} {
		if b, ok := got[e]; !ok || b != want {
			t.Errorf("edge %s: back %v (there: %v), want %v", e, b, ok, want)
		}
	}
}

func TestJavaRandom(t *testing.T) {
	for _, c := range []struct {
		seed int64
		n    int
		want []int
	}{{42, 5, []int{0, 3, 3, 4}}, {-7, 8, []int{2, 7, 5, 7}}} {
		r := NewJavaRandom(c.seed)
		for i, w := range c.want {
			if got := r.Intn(c.n); got != w {
				t.Errorf("seed %d draw %d: %d, want %d", c.seed, i, got, w)
			}
		}
	}
}

func TestSplitTasksCutsWhereIdsAreMissing(t *testing.T) {
	for _, tt := range []struct {
		n    int
		ids  []gearcore.TaskID
		want string
	}{
		{1, []gearcore.TaskID{3, 9}, "[[3] [9]]"},
		{2, []gearcore.TaskID{3, 4, 9}, "[[3 4] [9]]"},
		{2, []gearcore.TaskID{1, 5, 6, 7, 8}, "[[1] [5 6 7 8]]"},
		{3, []gearcore.TaskID{1, 2, 3, 8, 9, 10}, "[[1 2] [3] [8 9 10]]"},
		{9, []gearcore.TaskID{1, 2, 8}, "[[1] [2] [8]]"},
		{0, nil, "[]"},
	} {
		if got := fmt.Sprint(SplitTasks(tt.ids, tt.n)); got != tt.want {
			t.Errorf("%v in %d: %s, want %s", tt.ids, tt.n, got, tt.want)
		}
	}
}
