package metrics

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm/thrift/stormrpc"
	"github.com/gearstorm/gearstorm/thrift/wire"
)

// An executor that waits is seen while it waits, its share follows within seconds, and overlapping waits for tasks of
// one component count once.
func TestWaits(t *testing.T) {
	tab, clk := newTable(t, nil)
	words := tab.cfg.Plan.Executors[1]
	pass := func(d time.Duration) {
		for end := clk.now.Add(d); clk.now.Before(end); {
			clk.now = clk.now.Add(time.Second)
			tab.Advance(clk.now)
		}
	}
	want := func(when string, total time.Duration, now bool, worst int, low, high float64) {
		t.Helper()
		ws := tab.Waits(words, clk.now)
		if len(ws) != 1 {
			t.Fatalf("%s: %+v", when, ws)
		}
		w := ws[0]
		if w.Component != "words" || w.For != "count" || w.Total != total || w.Now != now || int(w.Worst) != worst || w.Share < low || w.Share > high {
			t.Errorf("%s: %+v, want %v in all, now %v, worst %d, share %g to %g", when, w, total, now, worst, low, high)
		}
	}
	if len(tab.Waits(words, clk.now)) != 0 {
		t.Error("waits before any")
	}
	tab.Blocking(3, 1)
	tab.Blocking(3, 2)
	want("at the start", 0, true, 0, 0, 0)
	pass(40 * time.Second)
	want("while it waits", 40*time.Second, true, 0, 0.97, 1)
	tab.Blocked(3, 1, 40*time.Second)
	pass(10 * time.Second)
	tab.Blocked(3, 2, 50*time.Second)
	want("after overlapping waits", 50*time.Second, false, 2, 0.97, 1)
	if got := tab.BlockedFor(3); got != 50*time.Second {
		t.Errorf("blocked for %v", got)
	}
	pass(40 * time.Second)
	want("later", 50*time.Second, false, 2, 0, 0.03)
	tab.Blocking(99, 1) // not ours
	tab.Blocked(99, 1, time.Second)
}

func TestTimesOfAComponent(t *testing.T) {
	tab, clk := newTable(t, nil)
	words, _ := tab.cfg.Plan.Stream("words", "default")
	for i := range 100 {
		tab.Took(3, words, 1, time.Duration(i+1)*time.Millisecond)
	}
	tab.Queued(1, 3, 10, 2*time.Millisecond)
	tab.Queued(2, 3, 10, 4*time.Millisecond)
	tab.Took(1, words, 1, time.Second)
	tab.Blocking(3, 2)
	for range 60 {
		clk.now = clk.now.Add(time.Second)
		tab.Advance(clk.now)
	}
	times := func(i int) (ts Times) {
		s := tab.ExecutorStats(tab.cfg.Plan.Executors[i])
		data, err := wire.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		back := stormrpc.NewExecutorStats()
		if err := wire.Unmarshal(data, back); err != nil {
			t.Fatal(err)
		}
		ts.Add(back)
		return ts
	}
	near := func(what string, got, want time.Duration) {
		t.Helper()
		if math.Abs(float64(got-want)) > 0.1*float64(want) {
			t.Errorf("%s is %v, want about %v", what, got, want)
		}
	}
	spout, bolt := times(1), times(0)
	near("p50 of the complete latency", spout.Latency.Quantile(0.5), 50*time.Millisecond)
	near("p99 of the complete latency", spout.Latency.Quantile(0.99), 99*time.Millisecond)
	near("longest wait in an inbox", bolt.Queue.Quantile(1), 4*time.Millisecond)
	near("process latency", bolt.Latency.Quantile(0.5), time.Second)
	spout.Add(&stormrpc.ExecutorStats{Times: &stormrpc.ExecutorTimes{Complete: &stormrpc.Distribution{Scale: 99}}}) // damaged, and never throttled
	th := spout.Throttles()
	if len(th) != 1 || th[0].By != "count" || !th[0].Now || th[0].Share < 0.45 || th[0].Share > 0.5 {
		t.Errorf("throttles %+v, want count for half of the time of two executors", th)
	}
	// Ten minutes later the old values are gone from what is recent, not from what is exposed.
	for range 3 {
		clk.now = clk.now.Add(recentTurn)
		tab.Advance(clk.now)
	}
	if later := times(1); later.Latency.Count() != 0 {
		t.Errorf("%d recent values after a long silence", later.Latency.Count())
	}
	tab.Held(3, 1500*time.Millisecond)
	var b strings.Builder
	e := NewExposition(&b, "topology", `a"b\`)
	tab.Expose(e, clk.now)
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"# TYPE storm_complete_latency_seconds histogram\n",
		`storm_complete_latency_seconds_bucket{topology="a\"b\\",component="words",stream="default",le="0.134218"} 100` + "\n",
		`storm_complete_latency_seconds_bucket{topology="a\"b\\",component="words",stream="default",le="1.024e-06"} 0` + "\n",
		`storm_complete_latency_seconds_count{topology="a\"b\\",component="words",stream="default"} 100` + "\n",
		`gearstorm_queue_seconds_count{topology="a\"b\\",component="count"} 20` + "\n",
		`gearstorm_edge_queue_seconds_total{topology="a\"b\\",component="count",task="2",source="words"} 0.04` + "\n",
		`storm_skipped_max_spout_seconds_total{topology="a\"b\\",component="words",task="3"} 1.5` + "\n",
		`gearstorm_throttled{topology="a\"b\\",component="words",task="3",by="count"} 1` + "\n",
		`gearstorm_throttled_seconds_total{topology="a\"b\\",component="words",task="3",by="count"} 960` + "\n",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("the exposition lacks %s", line)
		}
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

func TestReadDistribution(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{1, time.Microsecond, time.Millisecond, time.Hour} {
		h.Record(d, 3)
	}
	d := distribution(&h)
	back, err := ReadDistribution(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nonZero(&h), nonZero(&back)); diff != "" || back.n != h.n || back.coarse != h.coarse {
		t.Errorf("(-sent +read):\n%s", diff)
	}
	for name, d := range map[string]*stormrpc.Distribution{
		"scale too fine":   {Scale: 4, Counts: []byte{1}},
		"scale too coarse": {Scale: -1, Counts: []byte{1}},
		"offset":           {Scale: 3, Offset: 1 << 30, Counts: []byte{1}},
		"cut count":        {Scale: 3, Counts: []byte{1, 0x80}},
		"many counts":      {Scale: 3, Counts: make([]byte, maxHistogram+1)},
		"counts that wrap": {Scale: 3, Counts: []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01")},
	} {
		if _, err := ReadDistribution(d); !errors.Is(err, ErrDistribution) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h, err := ReadDistribution(nil); err != nil || h.Count() != 0 {
		t.Errorf("none: %v", err)
	}
}

func FuzzReadDistribution(f *testing.F) {
	f.Add(int32(3), int32(100), []byte{1, 2, 3, 0, 0, 9})
	f.Add(int32(0), int32(-1), []byte{0x80, 1})
	f.Fuzz(func(t *testing.T, scale, offset int32, counts []byte) {
		h, err := ReadDistribution(&stormrpc.Distribution{Scale: scale, Offset: offset, Counts: counts})
		if err != nil {
			return
		}
		var sum Histogram
		sum.Record(time.Millisecond, 1)
		sum.Add(&h)
		if sum.Count() != h.Count()+1 || len(sum.counts) > maxHistogram {
			t.Errorf("%d values in %d buckets, want %d", sum.Count(), len(sum.counts), h.Count()+1)
		}
		if q := h.Quantile(0.99); q < 0 {
			t.Errorf("quantile %v", q)
		}
	})
}
