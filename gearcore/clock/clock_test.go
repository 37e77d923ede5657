package clock

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/checkpoint"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// graph makes a graph of "name<source,source" in the order of names.
func graph(edges map[string][]string) *dag.Graph {
	g := &dag.Graph{}
	for name, sources := range edges {
		p := &dag.Processor{Name: name}
		for _, s := range sources {
			p.Inputs = append(p.Inputs, dag.Input{Source: s, Stream: "default"})
		}
		g.Processors = append(g.Processors, p)
	}
	slices.SortFunc(g.Processors, func(a, b *dag.Processor) int { return dag.Compare(a.Name, b.Name) })
	return g
}

func TestOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		edges map[string][]string
		want  []string
	}{
		{"a line against the names", map[string][]string{"c": nil, "b": {"c"}, "a": {"b"}}, []string{"c", "b", "a"}},
		{"a diamond", map[string][]string{"z": nil, "l": {"z"}, "m": {"z"}, "a": {"l", "m"}}, []string{"z", "l", "m", "a"}},
		{"a loop", map[string][]string{"s": nil, "b": {"s", "a"}, "a": {"b"}}, []string{"s", "a", "b"}},
		{"to itself", map[string][]string{"b": {"b", "s"}, "s": nil}, []string{"s", "b"}},
		{"nothing", nil, nil},
	} {
		o := OrderOf(graph(c.edges))
		var got []string
		for n := range o.place {
			got = append(got, n)
		}
		slices.SortFunc(got, func(a, b string) int { return o.place[a] - o.place[b] })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func row(component string, minimum gearcore.Watermark, tasks ...gearcore.TaskID) checkpoint.Clock {
	return checkpoint.Clock{Component: component, Min: minimum, Out: minimum, Task: tasks[0], Stuck: tasks[1:]}
}

func report(generation uint64, rows ...checkpoint.Clock) checkpoint.Report {
	return checkpoint.Report{Generation: generation, Clocks: rows}
}

func TestMerge(t *testing.T) {
	const idle, end = gearcore.Idle, gearcore.End
	o := OrderOf(graph(map[string][]string{"in": nil, "other": nil, "count": {"in", "other"}}))
	for _, c := range []struct {
		name    string
		reports []checkpoint.Report
		clock   gearcore.Watermark
		want    string
	}{
		{"nobody has said anything", nil, 0, "[]"},
		{"the smallest counts", []checkpoint.Report{report(1, row("in", 70, 1), row("count", 50, 3)), report(1, row("in", 60, 2), row("count", 55, 4))},
			50, "[{in 60 60 [2]} {count 50 50 [3]}]"},
		{"who is idle holds nobody up", []checkpoint.Report{report(1, row("in", 70, 1), row("other", idle, 2), row("count", 65, 3))},
			65, "[{in 70 70 [1]} {other 9223372036854775806 9223372036854775806 [2]} {count 65 65 [3]}]"},
		{"an idle task beside another", []checkpoint.Report{report(1, row("in", idle, 1)), report(1, row("in", 5, 2))}, 5, "[{in 5 5 [2]}]"},
		{"all are idle", []checkpoint.Report{report(1, row("in", idle, 1), row("count", idle, 3))}, idle,
			"[{in 9223372036854775806 9223372036854775806 [1]} {count 9223372036854775806 9223372036854775806 [3]}]"},
		{"one has ended, one is idle", []checkpoint.Report{report(1, row("in", end, 1), row("in", idle, 2))}, idle, "[{in 9223372036854775806 9223372036854775806 [2]}]"},
		{"one knows no time yet", []checkpoint.Report{report(1, row("in", 9, 1), row("count", 0, 3))}, 0, "[{in 9 9 [1]} {count 0 0 [3]}]"},
		{"other generations are left out", []checkpoint.Report{report(0, row("in", 1, 1)), report(1, row("in", 9, 2)), report(2, row("in", 3, 3))}, 9, "[{in 9 9 [2]}]"},
		{"all who are at it", []checkpoint.Report{report(1, row("in", 9, 4, 4, 6)), report(1, row("in", 9, 2)), report(1, row("in", 10, 1))}, 9, "[{in 9 9 [2 4 6]}]"},
		{"a component that the order lacks", []checkpoint.Report{report(1, row("new", 4, 9), row("count", 5, 3))}, 4, "[{count 5 5 [3]} {new 4 4 [9]}]"},
	} {
		v := o.Merge(1, c.reports)
		if got := fmt.Sprint(v.Components); got != c.want || v.Min != c.clock {
			t.Errorf("%s: clock %d of %s, want %d of %s", c.name, v.Min, got, c.clock, c.want)
		}
	}
}

func TestStalls(t *testing.T) {
	o := OrderOf(graph(map[string][]string{"in": nil, "b": {"in"}, "a": {"b"}}))
	w := Watch{Limit: 60 * time.Second}
	see := func(at int, generation uint64, in, b, a gearcore.Watermark) *Stall {
		return w.See(time.Duration(at)*time.Second, o.Merge(generation, []checkpoint.Report{report(generation, row("in", in, 1), row("b", b, 2, 3), row("a", a, 4))}))
	}
	for _, c := range []struct {
		at         int
		generation uint64
		in, b, a   gearcore.Watermark
		want       string
	}{
		{0, 1, 10, 9, 9, ""},
		{59, 1, 50, 9, 9, ""},
		{60, 1, 50, 9, 9, "the clock has stood at 1970-01-01T00:00:00.009Z for 1m0s: the first at it is b, task 2, 3"},
		{90, 1, 50, 50, 9, "the clock has stood at 1970-01-01T00:00:00.009Z for 1m30s: the first at it is a, task 4"},
		{91, 1, 50, 50, 50, ""},
		{200, 1, 50, 50, 50, "the clock has stood at 1970-01-01T00:00:00.050Z for 1m49s: the first at it is in, task 1"},
		{201, 2, 50, 50, 50, ""}, // a rollback
		{202, 2, gearcore.Idle, gearcore.Idle, gearcore.Idle, ""},
		{900, 2, gearcore.Idle, gearcore.Idle, gearcore.Idle, ""},
		{901, 2, gearcore.End, gearcore.End, gearcore.End, ""},
		{990, 2, gearcore.End, gearcore.End, gearcore.End, ""},
		{1000, 3, 0, 0, 0, ""},
		{1070, 3, 0, 0, 0, "no watermark has come for 1m10s: the first without one is in, task 1"},
	} {
		got := ""
		if s := see(c.at, c.generation, c.in, c.b, c.a); s != nil {
			got = s.String()
		}
		if got != c.want {
			t.Errorf("at %d s: %q, want %q", c.at, got, c.want)
		}
	}
	if s := w.See(5000*time.Second, View{Generation: 3}); s != nil {
		t.Errorf("without a report: %v", s)
	}
}

func TestFormat(t *testing.T) {
	for w, want := range map[gearcore.Watermark]string{0: "none", gearcore.Idle: "idle", gearcore.End: "end", 1700000000123: "2023-11-14T22:13:20.123Z"} {
		if got := Format(w); got != want {
			t.Errorf("%d is %s, want %s", w, got, want)
		}
	}
}

// The cost is a step for each row: a thousand workers with fifty components each.
func BenchmarkMerge(b *testing.B) {
	edges := map[string][]string{}
	for i := range 50 {
		edges[fmt.Sprintf("c%02d", i)] = nil
	}
	o := OrderOf(graph(edges))
	var reports []checkpoint.Report
	for w := range 1000 {
		r := checkpoint.Report{Generation: 1}
		for i := range 50 {
			r.Clocks = append(r.Clocks, row(fmt.Sprintf("c%02d", i), gearcore.Watermark(w+i+1), gearcore.TaskID(w)))
		}
		reports = append(reports, r)
	}
	for b.Loop() {
		o.Merge(1, reports)
	}
}
