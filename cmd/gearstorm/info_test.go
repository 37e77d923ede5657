package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

type byStream[V any] = []wire.MapEntry[*stormrpc.GlobalStreamId, V]

// infoOfWC has a spout, a bolt with two executors, an acker without statistics and the error of a worker.
func infoOfWC() *stormrpc.TopologyInfo {
	from := &stormrpc.GlobalStreamId{ComponentId: "lines", StreamId: "default"}
	bolt := func(n int64, ms float64) *stormrpc.ExecutorStats {
		b := &stormrpc.BoltStats{
			Executed:     map[string]byStream[int64]{allTime: {{Key: from, Value: n + 1}}},
			Acked:        map[string]byStream[int64]{allTime: {{Key: from, Value: n}}},
			Failed:       map[string]byStream[int64]{allTime: {{Key: from, Value: 1}}},
			ProcessMsAvg: map[string]byStream[float64]{allTime: {{Key: from, Value: ms}}},
		}
		return &stormrpc.ExecutorStats{
			Emitted: map[string]map[string]int64{allTime: {"default": 15, "other": 5}, "600": {"default": 1}}, Transferred: map[string]map[string]int64{allTime: {"default": 25}},
			Specific: &stormrpc.ExecutorSpecificStats{Bolt: b},
		}
	}
	spout := &stormrpc.ExecutorStats{
		Emitted: map[string]map[string]int64{allTime: {"default": 10}}, Transferred: map[string]map[string]int64{allTime: {"default": 10}},
		Specific: &stormrpc.ExecutorSpecificStats{Spout: &stormrpc.SpoutStats{
			Acked: map[string]map[string]int64{allTime: {"default": 9}}, Failed: map[string]map[string]int64{allTime: {"default": 1}},
			CompleteMsAvg: map[string]map[string]float64{allTime: {"default": 12.5}},
		}},
		Times: &stormrpc.ExecutorTimes{
			Complete:    &stormrpc.Distribution{Scale: 0, Offset: 23, Counts: []byte{10}}, // from 2^23 to 2^24 ns
			ThrottledBy: []*stormrpc.ThrottledBy{{Component: "split", Task: 4, Share: 0.83, Now: true}, {Component: "other", Share: 0.01}},
		},
	}
	executor := func(component string, first, last int32, s *stormrpc.ExecutorStats) *stormrpc.ExecutorSummary {
		return &stormrpc.ExecutorSummary{ExecutorInfo: &stormrpc.ExecutorInfo{TaskStart: first, TaskEnd: last}, ComponentID: component, Host: "h", Port: 6700, UptimeSecs: 5, Stats: s}
	}
	other := "k"
	host, port, lack := "h", int32(6700), "Not enough slots: 1 of 4 executors are placed"
	return &stormrpc.TopologyInfo{
		ID: "wc-1-1700000000", Name: "wc", Status: "ACTIVE", UptimeSecs: 61, SchedStatus: &lack,
		Executors: []*stormrpc.ExecutorSummary{
			executor("__acker", 1, 1, nil), executor("split", 3, 4, bolt(6, 3)), executor("split", 5, 5, bolt(2, 1)), executor("lines", 2, 2, spout),
		},
		Links: []*stormrpc.WorkerLink{
			{Peer: "h:6701", Over: "ring", Host: &host, Port: &port}, {Peer: "h:6702", Over: "ring", Host: &host, Port: &port},
			{Peer: "k:6700", Host: &host, Port: &port}, {Peer: "h:6700", Over: "tcp", Host: &other, Port: &port},
		},
		Errors: map[string][]*stormrpc.ErrorInfo{
			"lines":    {},
			"split":    {{Error: "newest <error>\n  line", ErrorTimeSecs: 100, Host: &host, Port: &port}},
			"__system": {{Error: "worker w ended by signal 9", ErrorTimeSecs: 99, Host: &host, Port: &port}},
		},
	}
}

func TestSummarize(t *testing.T) {
	want := topologyInfo{ID: "wc-1-1700000000", Name: "wc", Status: "ACTIVE", Uptime: 61, Scheduled: "Not enough slots: 1 of 4 executors are placed", Components: []componentInfo{
		{Name: "lines", Executors: 1, Tasks: 1, Emitted: 10, Transferred: 10, Acked: 9, Failed: 1, LatencyMs: 12.5, weight: 9,
			P50Ms: 11.863283, P99Ms: 16.661327, ThrottledBy: []throttle{{"split", 0.83, 4, true}, {"other", 0.01, 0, false}}},
		{Name: "split", Executors: 2, Tasks: 3, Emitted: 40, Transferred: 50, Executed: 10, Acked: 8, Failed: 2, LatencyMs: 2.5, weight: 8,
			Errors: []errorInfo{{"newest <error>\n  line", 100, "h", 6700}}},
		{Name: "__acker", Executors: 1, Tasks: 1},
		{Name: "__system", Errors: []errorInfo{{"worker w ended by signal 9", 99, "h", 6700}}},
	}, Links: []linkInfo{{"h:6700", "h:6701", "ring"}, {"h:6700", "h:6702", "ring"}, {"h:6700", "k:6700", "down"}, {"k:6700", "h:6700", "tcp"}}}
	if d := cmp.Diff(want, summarize(infoOfWC()), cmp.AllowUnexported(componentInfo{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestPrintInfo(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var b strings.Builder
	if err := printInfo(&b, summarize(infoOfWC())); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"wc  ACTIVE  up 1m1s  wc-1-1700000000\nNot enough slots: 1 of 4 executors are placed\n\n",
		"  COMPONENT  EXECUTORS  TASKS  EXECUTED  EMITTED  ACKED  FAILED  LATENCY ms     P50     P99  QUEUE P99\n" +
			"      lines          1      1         0       10      9       1      12.500  11.863  16.661      0.000\n" +
			"      split          2      3        10       40      8       2       2.500   0.000   0.000      0.000\n" +
			"    __acker          1      1         0        0      0       0       0.000   0.000   0.000      0.000\n",
		"\nWORKER  LINKS  TO\nh:6700  down   k:6700\nh:6700  ring   h:6701 h:6702\nk:6700  tcp    h:6700\n",
		"\nsplit holds lines back: lines waited 83 % of the last seconds for room in the inbox of split, above all of task 4\n\n",
		"  split  h:6700\n    newest <error>\n      line\n",
		"  __system  h:6700\n    worker w ended by signal 9\n",
	} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%q is not in\n%s", part, b.String())
		}
	}
}

func TestNewestOfEach(t *testing.T) {
	got := newestOfEach([]errorInfo{{Text: "restart 3 in 400ms"}, {Text: "other"}, {Text: "restart 2 in 200ms"}, {Text: "restart 1 in 1.5s"}})
	want := []errorsAlike{{errorInfo{Text: "restart 3 in 400ms"}, 2}, {errorInfo{Text: "other"}, 0}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(errorsAlike{})); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestPrintInfoSaysWhatIsUnusual(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var b strings.Builder
	info := topologyInfo{Name: "wc", Scheduled: fullyScheduled, Components: []componentInfo{
		{Name: "__acker", Tasks: 1},
		{Name: "held", Tasks: 1, Executed: 100, Acked: 9},
		{Name: "fine", Tasks: 1, Executed: 100, Acked: 5, Failed: 5},
		{Name: "split", Tasks: 1, Errors: []errorInfo{
			{"child 7 was lost; restart 2 in 1.6s", 101, "h", 6700}, {"bad line", 101, "h", 6700}, {"child 6 was lost; restart 1 in 800ms", 100, "h", 6700},
		}},
	}}
	if err := printInfo(&b, info); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "\n\n") // the heading
	_, got, _ = strings.Cut(got, "\n\n")         // the table
	want := "held has acked or failed 9 of 100 tuples; without either a tuple times out\n" +
		"\n1970-01-01 00:01:41  split  h:6700  (and 1 like it before)\n    child 7 was lost; restart 2 in 1.6s\n" +
		"\n1970-01-01 00:01:41  split  h:6700\n    bad line\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	info.Components[0].Tasks = 0 // nothing is tracked, so nothing times out
	b.Reset()
	if err := printInfo(&b, info); err != nil || strings.Contains(b.String(), "times out") {
		t.Errorf("without ackers: %v\n%s", err, b.String())
	}
}
