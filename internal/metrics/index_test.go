package metrics

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
)

// nextPlan is testPlan with new tasks of count, 200 and 201, which also have another stream, and "more", 202, behind it.
func nextPlan(t testing.TB, was *dag.Plan) *dag.Plan {
	t.Helper()
	g := &dag.Graph{Name: "t", Processors: []*dag.Processor{
		{Name: "count", Kind: dag.Bolt, Tasks: 2, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"n"}}, {Stream: "late", Fields: []string{"n"}}},
			Inputs: []dag.Input{{Source: "words", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
		{Name: "more", Kind: dag.Bolt, Tasks: 1, Executors: 1,
			Inputs: []dag.Input{{Source: "count", Stream: "late", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
		{Name: "words", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"word"}}}},
	}}
	p, err := dag.ExpandAfter(g, dag.Numbering{200: "count", 201: "count", 202: "more", 3: "words"},
		dag.Former{Streams: was.Layout.Streams, Gone: map[gearcore.TaskID]string{1: "count", 2: "count"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTableGrowsWithThePlan: what stays keeps its counts, what leaves is counted until its end, what comes is new.
func TestTableGrowsWithThePlan(t *testing.T) {
	tab, c := newTable(t, nil)
	was := testPlan(t)
	words, _ := was.Stream("words", "default")
	tab.Emitted(3, words, 5, 5)
	tab.Executed(1, words, 5, time.Millisecond, 5)
	next := nextPlan(t, was)
	late, _ := next.Stream("count", "late")
	if err := tab.Begin([]gearcore.TaskID{200}); err == nil {
		t.Error("a task of a plan that was not told is counted for")
	}
	tab.Emitted(200, late, 1, 1) // of nobody yet
	tab.Extend(next)
	if err := tab.Begin([]gearcore.TaskID{200, 201, 202}); err != nil {
		t.Fatal(err)
	}
	tab.Executed(1, words, 1, 0, 0)
	tab.Emitted(3, words, 2, 2)
	tab.Emitted(200, late, 3, 3)
	tab.Executed(202, late, 3, 0, 0)
	tab.Queued(202, 200, 3, time.Millisecond)
	tab.Queued(202, 1, 1, time.Millisecond)
	tab.End([]gearcore.TaskID{1, 2})
	tab.Executed(1, words, 1, 0, 0)
	tab.Advance(c.now.Add(time.Minute))
	stats := func(component string) int64 {
		x := dag.Executor{Processor: next.Graph.Processor(component), First: next.TasksOf(component)[0]}
		x.Last = next.TasksOf(component)[len(next.TasksOf(component))-1]
		return tab.ExecutorStats(x).Emitted[AllTime]["default"] + tab.ExecutorStats(x).Emitted[AllTime]["late"]
	}
	if w, n := stats("words"), stats("count"); w != 7 || n != 3 {
		t.Errorf("words has %d emitted, count %d", w, n)
	}
	var out bytes.Buffer
	e := NewExposition(&out, "topology", "t")
	tab.Expose(e, c.now)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`storm_execute_count_total{topology="t",component="more",task="202",source="count",stream="late"} 3`,
		`gearstorm_edge_tuples_total{topology="t",component="more",task="202",source="count"} 4`,
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%s is missing in\n%s", line, out.String())
		}
	}
	if strings.Contains(out.String(), `task="1"`) {
		t.Errorf("a task that has ended is exposed:\n%s", out.String())
	}
}

// TestTableGrowsUnderLoad counts while the table grows: nothing is lost.
func TestTableGrowsUnderLoad(t *testing.T) {
	tab, c := newTable(t, nil)
	was := testPlan(t)
	words, _ := was.Stream("words", "default")
	const n = 20_000
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range n {
				tab.Emitted(3, words, 1, 1)
			}
		})
	}
	for range 50 {
		tab.Extend(nextPlan(t, was))
		tab.Advance(c.now)
	}
	wg.Wait()
	if got := tab.ExecutorStats(was.Executors[1]).Emitted[AllTime]["default"]; got != 2*n {
		t.Errorf("%d counted of %d", got, 2*n)
	}
}
