package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/internal/metrics"
	"github.com/gearstorm/gearstorm/worker"
)

func TestConsole(t *testing.T) {
	var got []string
	c := newConsole(func(s string) { got = append(got, s[len("15:04:05 "):]) })
	log := slog.New(c).With("topology", "wc-1-7")
	split := log.With("component", "split", "task", 4)
	split.Info("shell log", "pid", 1, "text", "two\nlines\n")
	split.Warn("shell log", "pid", 1, "text", "beware")
	split.Info("shell log", "pid", 1, "text", "")
	split.Info("child wrote to standard error", "pid", 1, "text", "Traceback")
	split.Debug("not shown", "text", "x")
	for range 3 {
		split.Error("component error", "err", "boom\nat line 1\n")
	}
	split.Error("component error", "err", "lost (task 4, pid 77); restart 1 in 100ms")
	split.Error("component error", "err", "lost (task 5, pid 78); restart 5 in 1.6s")
	log.Error("component error", "component", "count", "err", "boom\nat line 1\n")
	log.Warn("something", "slot", 6700, "err", "odd")
	log.Info("plain")
	want := []string{
		"split: two\n    lines", "warning: split: beware", "split: Traceback", "split error: boom\n    at line 1", "split error: lost (task 4, pid 77); restart 1 in 100ms",
		"count error: boom\n    at line 1", "warning: something slot=6700 err=odd", "plain",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if n := c.seen.of("split"); n != 5 {
		t.Errorf("split had %d errors, want 5", n)
	}
}

func TestConsoleIsBounded(t *testing.T) {
	lines := 0
	log := slog.New(newConsole(func(string) { lines++ })).With("component", "split")
	for i := range 2 * maxErrorsKnown {
		log.Error("component error", "err", "error "+strings.Repeat("x", i))
	}
	if lines != maxErrorsKnown {
		t.Errorf("%d different errors were shown, want %d", lines, maxErrorsKnown)
	}
}

// terminal is a screen of that size and what it got.
func terminal(columns, rows int) (*screen, *strings.Builder) {
	var b strings.Builder
	return &screen{w: &b, size: func() (int, int, bool) { return columns, rows, rows > 0 }}, &b
}

func TestScreenRedrawsTheBlockBelowTheLines(t *testing.T) {
	s, got := terminal(10, 4)
	s.line("first")
	s.show([]string{"a", "b"})
	s.line("second")
	s.show([]string{"a long line of text", "ümläüte äöüß", "c", "does not fit"})
	s.end()
	s.show([]string{"too late"})
	s.line("last\n")
	want := "\r\x1b[Kfirst\n" + "a\nb\n" +
		"\r\x1b[2A\x1b[J\r\x1b[Ksecond\na\nb\n" +
		"\r\x1b[2A\x1b[Ja long lin\nümläüte äö\nc\n" +
		"\r\x1b[Klast\n"
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestScreenThatIsNoTerminal(t *testing.T) {
	s, got := terminal(0, 0)
	s.show([]string{"block"})
	s.line("line")
	if s.live() || got.String() != "line\n" {
		t.Errorf("it got %q", got.String())
	}
}

func TestLiveTable(t *testing.T) {
	began := time.Unix(100, 0)
	table := liveTable{name: "wc", began: began, errors: func(c string) int { return len(c) }}
	stats := []worker.ComponentStats{
		{Component: "__acker", Tasks: 1, Executed: 9},
		{Component: "lines", Spout: true, Tasks: 1, Emitted: 100, Acked: 90, CompleteMs: 1.5, P50Ms: 1.25, P99Ms: 10, Pending: 10,
			Throttles: []metrics.Throttle{{By: "split", Share: 0.5}}},
		{Component: "split", Tasks: 2, Executed: 200, Emitted: 400, Acked: 199, Failed: 1, ProcessMs: 0.25, QueueP99Ms: 0.125},
	}
	table.lines(stats, began.Add(time.Second))
	stats[1].Emitted, stats[2].Executed = 150, 300
	want := []string{
		"", "wc, up 3s",
		"  component  tasks  per s  executed  emitted  acked  failed  errors  latency ms    p50     p99  queue p99  pending",
		"      lines      1     25         0      150     90       0       5       1.500  1.250  10.000      0.000       10",
		"      split      2     50       300      400    199       1       5       0.250  0.000   0.000      0.125         ",
		"split holds lines back: lines waited 50 % of the last seconds for room in the inbox of split",
	}
	if d := cmp.Diff(want, table.lines(stats, began.Add(3*time.Second))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
