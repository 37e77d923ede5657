package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
	"github.com/gearstorm/gearstorm/worker"
)

func boltStats(stream *stormrpc.GlobalStreamId, executed, acked, failed int64, ms float64) *stormrpc.ExecutorStats {
	count := func(n int64) map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, int64] {
		return map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, int64]{allTime: {{Key: stream, Value: n}}, "600": {{Key: stream, Value: 1}}}
	}
	return &stormrpc.ExecutorStats{Specific: &stormrpc.ExecutorSpecificStats{Bolt: &stormrpc.BoltStats{
		Executed: count(executed), Acked: count(acked), Failed: count(failed),
		ProcessMsAvg: map[string][]wire.MapEntry[*stormrpc.GlobalStreamId, float64]{allTime: {{Key: &stormrpc.GlobalStreamId{ComponentId: stream.ComponentId, StreamId: stream.StreamId}, Value: ms}}},
	}}}
}

func TestStats(t *testing.T) {
	split := &stormrpc.GlobalStreamId{ComponentId: "split", StreamId: "default"}
	got := statsOf([]*stormrpc.ExecutorSummary{
		{ComponentID: "lines", Stats: &stormrpc.ExecutorStats{
			Emitted: map[string]map[string]int64{allTime: {"default": 70}},
			Specific: &stormrpc.ExecutorSpecificStats{Spout: &stormrpc.SpoutStats{
				Acked:         map[string]map[string]int64{allTime: {"default": 60}},
				Failed:        map[string]map[string]int64{allTime: {"default": 5}},
				CompleteMsAvg: map[string]map[string]float64{allTime: {"default": 12.5}},
			}},
		}},
		{ComponentID: "count", Stats: boltStats(split, 100, 90, 0, 1)},
		{ComponentID: "count", Stats: boltStats(split, 50, 30, 2, 5)},
		{ComponentID: "new"},
		{ComponentID: "__acker", Stats: boltStats(split, 9, 9, 9, 9)},
	})
	var lines []string
	for _, s := range got {
		lines = append(lines, strings.TrimSpace(status{components: []componentStats{s}}.oneLine())+" "+thousands(s.executed)+" "+time.Duration(s.latency()*1e6).String())
	}
	want := []string{"count 120/2 150 2ms", "lines 60/5 70 12.5ms", "new 0/0 0 0s"}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
}

func TestLocalStats(t *testing.T) {
	got := localStats([]worker.ComponentStats{
		{Component: "__acker", Executed: 9},
		{Component: "lines", Spout: true, Emitted: 7, Acked: 5, Failed: 1, CompleteMs: 2.5},
		{Component: "split", Executed: 5, Acked: 4, ProcessMs: 1.5},
	})
	want := []componentStats{{"lines", 7, 5, 1, 2.5, 1}, {"split", 5, 4, 0, 1.5, 1}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(componentStats{})); d != "" {
		t.Error(d)
	}
}

func TestTable(t *testing.T) {
	s := status{elapsed: 1500 * time.Millisecond, words: 1_234_567, all: 4_000_000, rate: 98765.4,
		components: []componentStats{{name: "count", executed: 5_000, acked: 999, failed: 1}},
		top:        []wordCount{{"return", 1000}, {"a_very_long_identifier", 500}}}
	var plain, terminal strings.Builder
	p := table{w: &plain}
	p.show(s)
	p.show(s)
	if want := strings.Repeat("  1.5 s  1,234,567 of 4,000,000 words counted (30 %), 98,765 words/s  count 999/1  top: return 1000\n", 2); plain.String() != want {
		t.Errorf("plain:\n%s", plain.String())
	}
	tt := table{w: &terminal, terminal: true}
	tt.show(s)
	first := strings.Count(terminal.String(), "\n")
	tt.show(s)
	tt.note("killed")
	out := terminal.String()
	if tt.lines != 0 || strings.Count(out, "\x1b[7A") != 2 || first != 7 {
		t.Errorf("%d lines, then %q", first, out)
	}
	for _, part := range []string{"component", "5,000", "return", strings.Repeat("#", 40), "a_very_long_iden ", "killed\n"} {
		if !strings.Contains(out, part) {
			t.Errorf("%q is not in %q", part, out)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
