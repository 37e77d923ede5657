package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/seeds"
	"github.com/gearstorm/gearstorm/thrift/stormrpc"
)

func TestTopRates(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sample := func(after time.Duration, executed, emitted int64) topSample {
		return topSample{at: at.Add(after), topologies: []topologyInfo{{ID: "wc-1-1", Name: "wc", Status: "ACTIVE", Uptime: 61, Components: []componentInfo{
			{Name: "lines", Tasks: 1, Emitted: emitted}, {Name: "split", Tasks: 2, Executed: executed, Failed: 2, LatencyMs: 1.5}, {Name: "__acker", Tasks: 1, Executed: 1000},
		}}}, summaries: []*stormrpc.TopologySummary{{NumWorkers: 2, NumExecutors: 4}}, supervisors: []*stormrpc.SupervisorSummary{{NumWorkers: 4, NumUsedWorkers: 2}}}
	}
	one := topView{name: "wc"}
	one.lines(sample(0, 100, 10))
	want := []string{
		"wc  ACTIVE  up 1m1s  wc-1-1",
		"  COMPONENT  TASKS  EXECUTED/s  EMITTED/s  ACKED/s  FAILED/s  LATENCY ms    P50    P99  QUEUE P99",
		"      lines      1           0         10        0         0       0.000  0.000  0.000      0.000",
		"      split      2         100          0        0         0       1.500  0.000  0.000      0.000",
	}
	if d := cmp.Diff(want, trimmed(one.lines(sample(2*time.Second, 300, 30)))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	all := topView{}
	all.lines(sample(0, 100, 10))
	want = []string{
		"03:04:07  1 topologies, 1 nodes, 2 of 4 slots used",
		"  TOPOLOGY  STATUS  WORKERS  EXECUTORS    UP  EXECUTED/s  EMITTED/s  FAILED/s",
		"        wc  ACTIVE        2          4  1m1s           4          2         0", // its workers began anew
	}
	if d := cmp.Diff(want, trimmed(all.lines(sample(2*time.Second, 8, 4)))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func trimmed(lines []string) []string {
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return lines
}

// Without a terminal there are frames of plain text, as many as asked for.
func TestTopFrames(t *testing.T) {
	bare(t)
	_, at := startFake(t)
	t.Setenv(seeds.Env, at)
	got := command(t, "gearstorm", "top", "-n", "2", "-i", "0.01")
	if got.code != 0 || strings.Count(got.stdout, "TOPOLOGY ") != 2 || strings.Contains(got.stdout, "\x1b") || !strings.Contains(got.stdout, "1 nodes, 2 of 4 slots used") {
		t.Errorf("%+v", got)
	}
	got = command(t, "gearstorm", "top", "wc", "-n", "1")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "wc  ACTIVE") || !strings.HasSuffix(got.stdout, "\n\n") {
		t.Errorf("%+v", got)
	}
	for args, code := range map[string]int{"top nosuch": 1, "top a b": 2, "top -i 0": 2, "top -n -1": 2} {
		if got := command(t, append([]string{"gearstorm"}, strings.Fields(args)...)...); got.code != code {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestMonitorLines(t *testing.T) {
	var out strings.Builder
	m := monitor{topology: "wc", component: "split", stream: "default", watch: "emitted", out: &out}
	info, at := infoOfWC(), time.Unix(100, 0)
	if err := m.line(info, at); err != nil {
		t.Fatal(err)
	}
	info.Executors[1].Stats.Emitted[allTime]["default"] += 1000
	if err := m.line(info, at.Add(4*time.Second)); err != nil {
		t.Fatal(err)
	}
	if want := "wc\tsplit\t2\tdefault\t0\t30\t0.0\nwc\tsplit\t2\tdefault\t4000\t1000\t0.25\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

func TestUploadBar(t *testing.T) {
	b := &uploadBar{what: "create k", total: 4e6}
	if got := b.text(1e6, time.Second); got != "create k  [#######.......................]  25 %  1.0 of 4.0 MB  1.0 MB/s" {
		t.Error(got)
	}
	b.total = 0
	if got := b.text(1e6, 2*time.Second); got != "create k  1.0 MB  0.5 MB/s" {
		t.Error(got)
	}
	var out strings.Builder
	b = newUploadBar(&out, "x", 10)
	b.sent(5)
	b.end()
	if out.String() != "" {
		t.Errorf("no terminal, but %q", out.String())
	}
}
