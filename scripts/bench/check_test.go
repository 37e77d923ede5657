package main

import (
	"testing"

	"github.com/gearstorm/gearstorm/compat/conf"
)

func TestCheck(t *testing.T) {
	line := shape{Kind: kindLine, Bytes: 2, Acked: true, Read: true}
	split := shape{Kind: kindScript, Script: "storm_split.py"}
	for _, c := range []struct {
		name  string
		shape shape
		r     reading
		ok    bool
	}{
		{"all there", line, reading{Emitted: 100, Acked: 100, Tuples: 65, Sum: 65 * 2 * 'x'}, true},
		{"too few", line, reading{Emitted: 100, Acked: 100, Tuples: 1, Sum: 2 * 'x'}, false},
		{"too many", line, reading{Emitted: 100, Acked: 100, Tuples: 129, Sum: 129 * 2 * 'x'}, false},
		{"not all acked", line, reading{Emitted: 100, Acked: 99, Tuples: 65, Sum: 65 * 2 * 'x'}, false},
		{"some failed", line, reading{Emitted: 100, Acked: 100, Failed: 1, Tuples: 65, Sum: 65 * 2 * 'x'}, false},
		{"unread", line, reading{Emitted: 100, Acked: 100, Tuples: 65}, false},
		{"six words each", split, reading{Emitted: 100, Tuples: 577}, true},
		{"five words each", split, reading{Emitted: 100, Tuples: 500}, false},
	} {
		if wrong := c.shape.check(c.r, 0); (len(wrong) == 0) != c.ok {
			t.Errorf("%s: %q", c.name, wrong)
		}
	}
	late := reading{Emitted: 3000, Acked: 1000, Tuples: 937, Sum: 937 * 2 * 'x'}
	if wrong := line.check(late, stuck(conf.Conf{"topology.producer.batch.size": 500})); len(wrong) != 0 {
		t.Errorf("with batches of Storm's: %q", wrong)
	}
	if wrong := line.check(late, stuck(conf.Conf{"topology.workers": 1})); len(wrong) != 2 {
		t.Errorf("with single tuples: %q", wrong)
	}
	fresh := shape{Bytes: 100, Fresh: true}
	s := &source{shape: &fresh, letters: []byte(fresh.payload())}
	for id := range int64(60) {
		var sum int64
		for _, b := range s.fresh(id) {
			sum += int64(b)
		}
		if sum != fresh.sum() {
			t.Fatalf("fresh payload %d adds up to %d, want %d", id, sum, fresh.sum())
		}
	}
}

// TestCheckWindows compares the events in complete windows with a plain count of all.
func TestCheckWindows(t *testing.T) {
	windows := shape{Kind: kindWindow, Tasks: 2}
	for _, n := range []int64{0, 1, 90_000, 109_999, 110_000, 110_001, 120_064, 1_234_560} {
		newest := int64(0)
		for i := range n {
			newest = max(newest, eventAt(i))
		}
		want := int64(0)
		for i := range n {
			if end := eventAt(i)/windowSpan*windowSpan + windowSpan; end <= newest-windowLag.Milliseconds() {
				want++
			}
		}
		if got := countedEvents(n); got != want {
			t.Errorf("%d of %d events are in complete windows, not %d", want, n, got)
		}
		for _, c := range []struct {
			off, slack int64
			ok         bool
		}{{0, 0, true}, {1, 0, false}, {-1, 0, false}, {-99_999, 2000, true}, {-400_000, 2000, false}} {
			if want+c.off < 0 {
				continue
			}
			if wrong := windows.check(reading{Emitted: n, Tuples: want + c.off}, c.slack); (len(wrong) == 0) != c.ok {
				t.Errorf("%d events, %d%+d at the sink, slack %d: %q", n, want, c.off, c.slack, wrong)
			}
		}
	}
}

func TestParted(t *testing.T) {
	for _, c := range []struct {
		places []string
		ok     bool
	}{
		{[]string{"a-source c-sink", "b-middle"}, true},
		{[]string{"a-source b-middle", "c-sink"}, false},
		{[]string{"a-source b-middle c-sink"}, false},
		{[]string{"a-source", "b-middle", "c-sink"}, false},
	} {
		if wrong := parted(c.places); (len(wrong) == 0) != c.ok {
			t.Errorf("%q: %q", c.places, wrong)
		}
	}
}
