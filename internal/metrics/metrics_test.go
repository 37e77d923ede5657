package metrics

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/dag"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// testPlan has tasks 1, 2 of bolt "count" and 3 of spout "words".
func testPlan(t testing.TB) *dag.Plan {
	t.Helper()
	p, err := dag.Expand(&dag.Graph{Name: "t", Processors: []*dag.Processor{
		{Name: "count", Kind: dag.Bolt, Tasks: 2, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"n"}}},
			Inputs: []dag.Input{{Source: "words", Stream: "default", Grouping: dag.Grouping{Kind: dag.Shuffle}}}},
		{Name: "words", Kind: dag.Spout, Tasks: 1, Executors: 1, Outputs: []dag.Output{{Stream: "default", Fields: []string{"word"}}}},
	}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type clock struct{ now time.Time }

func newTable(t testing.TB, change func(*Config)) (*Table, *clock) {
	t.Helper()
	c := &clock{time.Unix(1_700_000_000, 0)}
	cfg := Config{Plan: testPlan(t), Tasks: []gearcore.TaskID{1, 2, 3}, Now: func() time.Time { return c.now }}
	if change != nil {
		change(&cfg)
	}
	tab, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return tab, c
}

func TestWindows(t *testing.T) {
	var s series
	c := cursor{buckets: 20}
	at := func(secs int64) {
		n, _ := c.advance(time.Duration(secs) * time.Second)
		for w, d := range n {
			s.passed(w, d, 20)
		}
	}
	want := func(when string, counts ...int64) {
		t.Helper()
		for w, n := range counts {
			if s.count(w) != n {
				t.Errorf("%s: window %s has %d, want %d", when, windowNames[w], s.count(w), n)
			}
		}
	}
	s.total += 5
	want("before any bucket ends", 5, 5, 5, 5)
	at(29)
	s.total += 5
	at(30)
	s.total += 100
	want("in the second bucket", 110, 110, 110, 110)
	at(599)
	want("in the last bucket", 110, 110, 110, 110)
	at(600)
	want("after ten minutes the first bucket is out", 100, 110, 110, 110)
	at(300)
	s.total++
	want("a clock that went back moves nothing", 101, 111, 111, 111)
	at(10799)
	want("a long silence empties the short window", 0, 111, 111, 111)
	at(86399)
	want("before a day", 0, 0, 111, 111)
	at(86400)
	want("after a day", 0, 0, 0, 111)
	at(1 << 40)
	s.total++
	want("after ages", 1, 1, 1, 112)
}

func TestExecutorStatsOfABolt(t *testing.T) {
	tab, clk := newTable(t, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	out, _ := tab.cfg.Plan.Stream("count", "default")
	tab.Executed(1, words, 10, 30*time.Millisecond, 10)
	tab.Acked(1, words, 9)
	tab.Took(1, words, 2, 4*time.Millisecond)
	tab.Failed(1, words, 1)
	tab.Emitted(1, out, 20, 0)
	clk.now = clk.now.Add(10 * time.Minute)
	tab.Advance(clk.now)
	tab.Executed(2, words, 30, 10*time.Millisecond, 30)
	tab.Acked(2, words, 30)
	tab.Emitted(2, out, 1, 3)
	tab.Executed(99, words, 1, 0, 0) // not ours
	got := tab.ExecutorStats(tab.cfg.Plan.Executors[0])
	key := &stormrpc.GlobalStreamId{ComponentId: "words", StreamId: "default"}
	n := func(v int64) byStream[int64] { return byStream[int64]{{Key: key, Value: v}} }
	ms := func(v float64) byStream[float64] { return byStream[float64]{{Key: key, Value: v}} }
	by := func(short, long map[string]int64) map[string]map[string]int64 {
		return map[string]map[string]int64{"600": short, "10800": long, "86400": long, ":all-time": long}
	}
	want := &stormrpc.ExecutorStats{
		Emitted:     by(map[string]int64{"default": 1}, map[string]int64{"default": 21}),
		Transferred: by(map[string]int64{"default": 3}, map[string]int64{"default": 3}),
		Rate:        1,
		Specific: &stormrpc.ExecutorSpecificStats{Bolt: &stormrpc.BoltStats{
			Executed:     map[string]byStream[int64]{"600": n(30), "10800": n(40), "86400": n(40), ":all-time": n(40)},
			Acked:        map[string]byStream[int64]{"600": n(30), "10800": n(39), "86400": n(39), ":all-time": n(39)},
			Failed:       map[string]byStream[int64]{"600": {}, "10800": n(1), "86400": n(1), ":all-time": n(1)},
			ExecuteMsAvg: map[string]byStream[float64]{"600": ms(10.0 / 30), "10800": ms(1), "86400": ms(1), ":all-time": ms(1)},
			ProcessMsAvg: map[string]byStream[float64]{"600": {}, "10800": ms(4), "86400": ms(4), ":all-time": ms(4)},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("stats differ (-want +got):\n%s", d)
	}
	if _, err := wire.Marshal(got); err != nil {
		t.Errorf("the stats cannot be sent: %v", err)
	}
}

func TestExecutorStatsOfASpout(t *testing.T) {
	tab, _ := newTable(t, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	empty := tab.ExecutorStats(tab.cfg.Plan.Executors[1])
	for _, w := range []string{"600", "10800", "86400", ":all-time"} {
		if m, ok := empty.Specific.Spout.Acked[w]; !ok || len(m) != 0 {
			t.Errorf("without events window %s has %v", w, m)
		}
	}
	tab.Emitted(3, words, 7, 7)
	tab.Acked(3, words, 4)
	tab.Took(3, words, 4, 5*time.Millisecond)
	tab.Failed(3, words, 3)
	s := tab.ExecutorStats(tab.cfg.Plan.Executors[1])
	if s.Specific.Bolt != nil || s.Specific.Spout.Acked["600"]["default"] != 4 || s.Specific.Spout.Failed[":all-time"]["default"] != 3 || s.Specific.Spout.CompleteMsAvg["10800"]["default"] != 5 {
		t.Errorf("stats are %+v", s.Specific.Spout)
	}
	if s.Emitted["600"]["default"] != 7 {
		t.Errorf("emitted %v", s.Emitted)
	}
}

func TestErrorsAreThrottledAndKeptUntilReported(t *testing.T) {
	tab, clk := newTable(t, nil)
	texts := func(es []*stormrpc.WorkerError) string {
		var out []string
		for _, e := range es {
			out = append(out, fmt.Sprint(e.Component, "/", *e.Task, " ", e.Message))
		}
		return strings.Join(out, ", ")
	}
	for i := range 8 {
		tab.Errored(1, fmt.Errorf("e%d", i))
	}
	tab.Errored(3, errors.New("other"))
	tab.Errored(99, errors.New("nobody's"))
	errs, upTo := tab.Errors()
	want := "count/1 e0, count/1 e1, count/1 e2, count/1 e3, count/1 e4, words/3 other, __system/99 nobody's"
	if got := texts(errs); got != want {
		t.Errorf("errors are %s, want %s", got, want)
	}
	clk.now = clk.now.Add(10*time.Second + 1)
	tab.Errored(1, errors.New("later"))
	if again, _ := tab.Errors(); len(again) != 8 {
		t.Errorf("%d errors before the report is accepted, want 8", len(again))
	}
	tab.DropErrors(upTo)
	errs, upTo = tab.Errors()
	if got := texts(errs); got != "count/1 later" {
		t.Errorf("after a report: %s", got)
	}
	tab.DropErrors(upTo)
	if errs, _ := tab.Errors(); len(errs) != 0 || tab.ErrorsDropped() != 3 {
		t.Errorf("%d left, %d dropped", len(errs), tab.ErrorsDropped())
	}
}

func TestErrorsAreBounded(t *testing.T) {
	tab, clk := newTable(t, func(c *Config) { c.MaxErrors = 1000 })
	tab.Errored(1, errors.New(strings.Repeat("x", 1<<20)))
	errs, upTo := tab.Errors()
	if n := len(errs[0].Message); n != maxErrorBytes {
		t.Errorf("a long error is kept with %d bytes", n)
	}
	for range 2 {
		clk.now = clk.now.Add(time.Minute)
		for range 400 {
			tab.Errored(1, errors.New("x"))
		}
	}
	if errs, _ := tab.Errors(); len(errs) != maxErrorsKept {
		t.Errorf("%d errors are kept", len(errs))
	}
	tab.DropErrors(upTo) // an old number drops nothing
	if errs, _ := tab.Errors(); len(errs) != maxErrorsKept {
		t.Errorf("%d errors are kept after an old report", len(errs))
	}
}

func TestNamedMetrics(t *testing.T) {
	tab, _ := newTable(t, nil)
	tab.Gauge(1, "depth", 4)
	tab.Gauge(1, "depth", 2)
	tab.Count(1, "seen", 4)
	tab.Count(1, "seen", 2)
	tab.Gauge(99, "x", 1)
	tab.Gauge(2, strings.Repeat("x", 300), 1)
	for i := range 2 * maxNamed {
		tab.Count(3, fmt.Sprint(i), 1)
	}
	if d := cmp.Diff(map[string]Named{"depth": {true, 2}, "seen": {false, 6}}, tab.Named(1)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if len(tab.Named(2)) != 0 || len(tab.Named(3)) != maxNamed || tab.Named(99) != nil {
		t.Errorf("%d, %d metrics", len(tab.Named(2)), len(tab.Named(3)))
	}
}

func TestHooksFromManyExecutors(t *testing.T) {
	tab, clk := newTable(t, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	var wg sync.WaitGroup
	for id := gearcore.TaskID(1); id <= 2; id++ {
		wg.Go(func() {
			for range 1000 {
				tab.Executed(id, words, 1, time.Microsecond, 1)
				tab.Queued(id, 3, 1, time.Microsecond)
				tab.Blocking(id, 3)
				tab.Blocked(id, 3, time.Microsecond)
			}
		})
	}
	wg.Go(func() {
		for i := range 100 {
			tab.Advance(clk.now.Add(time.Duration(i) * time.Second))
			tab.ExecutorStats(tab.cfg.Plan.Executors[0])
		}
	})
	wg.Wait()
	s := tab.ExecutorStats(tab.cfg.Plan.Executors[0])
	if n := s.Specific.Bolt.Executed[":all-time"][0].Value; n != 2000 {
		t.Errorf("executed %d", n)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	tab, clk := newTable(t, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	tab.Executed(1, words, 1, 1, 1)
	tab.Took(1, words, 1, time.Millisecond)
	tab.Queued(1, 3, 1, time.Millisecond)
	tab.Advance(clk.now.Add(time.Hour))
	if n := testing.AllocsPerRun(1000, func() {
		tab.Executed(1, words, 100, time.Millisecond, 100)
		tab.Acked(1, words, 100)
		tab.Took(1, words, 1, time.Millisecond)
		tab.Queued(1, 3, 100, time.Millisecond)
		tab.Failed(1, words, 1)
	}); n != 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

func BenchmarkHooks(b *testing.B) {
	tab, _ := newTable(b, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	for b.Loop() {
		tab.Executed(1, words, 100, time.Millisecond, 100)
	}
}
