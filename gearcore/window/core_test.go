package window

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

const sec = 1000 // ms

func start(t *testing.T, cfg Config, merge bool) *kit {
	t.Helper()
	k, err := newKit(cfg, merge)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) add(t *testing.T, v int, at int64, want Outcome) {
	t.Helper()
	if got, err := k.Add("k", v, at); got != want || err != nil {
		t.Fatalf("record %d at %d: %v, %v, want %v", v, at, got, err, want)
	}
}

func (k *kit) advance(t *testing.T, w int64, panes ...string) {
	t.Helper()
	if out, err := k.AdvanceTo(w); err != nil || out > w {
		t.Fatalf("advance to %d: %d, %v", w, out, err)
	}
	k.wants(t, panes...)
}

func (k *kit) wants(t *testing.T, panes ...string) {
	t.Helper()
	slices.Sort(panes)
	if got := k.take(); !slices.Equal(got, panes) {
		t.Fatalf("panes\n%q, want\n%q", got, panes)
	}
}

// TestSlidingWindowIsNotOneWindowPerElement is a defect of Gearpump 0.8.4 (SlidingWindowFunction): the condition of its loop was wrong, and every
// element got a window of its own.
func TestSlidingWindowIsNotOneWindowPerElement(t *testing.T) {
	for _, merge := range []bool{true, false} {
		k := start(t, Config{Windows: Sliding(10*time.Second, 5*time.Second)}, merge)
		k.add(t, 1, 12*sec, Counted)
		k.add(t, 2, 13*sec, Counted)
		k.add(t, 3, 17*sec, Counted)
		k.advance(t, 30*sec,
			"k [5000 15000) on time [1 2] @14999",
			"k [10000 20000) on time [1 2 3] @19999",
			"k [15000 25000) on time [3] @24999")
	}
}

// TestSlicesAreShared counts the accumulators that a record touches.
func TestSlicesAreShared(t *testing.T) {
	for _, c := range []struct {
		merge bool
		want  int
	}{{true, 1}, {false, 60}} {
		k := start(t, Config{Windows: Sliding(time.Minute, time.Second)}, c.merge)
		k.add(t, 1, 500*sec+100, Counted)
		before := k.panes.refs
		k.add(t, 2, 500*sec+200, Counted)
		if got := k.panes.refs - before; got != c.want {
			t.Errorf("merging %v: a record is added %d times, want %d", c.merge, got, c.want)
		}
	}
}

func TestAbsurdTimes(t *testing.T) {
	k := start(t, Config{Windows: Tumbling(time.Second), MaxAhead: time.Hour}, true)
	k.ClockTo(1_700_000_000_000)
	for at, want := range map[int64]Outcome{
		0: TooOld, -1: TooOld, math.MinInt64: TooOld, 1: Counted, 1_700_000_000_000 + 3_600_000: Counted,
		1_700_000_000_000 + 3_600_001: TooFar, MaxTime: TooFar, math.MaxInt64: TooFar,
	} {
		k.add(t, 1, at, want)
	}
	k = start(t, Config{Windows: Session(100 * 366 * 24 * time.Hour), Lateness: time.Hour}, true)
	k.add(t, 1, MaxTime, Counted)
	k.add(t, 1, MaxTime+1, TooFar)
	k.advance(t, MaxTime)
	for o, want := range map[Outcome]string{Counted: "counted", Late: "late", TooOld: "too old", TooFar: "too far ahead", 9: "outcome(9)"} {
		if o.String() != want {
			t.Errorf("outcome %d is %q, want %q", uint8(o), o, want)
		}
	}
}

func TestEarlyPanesByTheClock(t *testing.T) {
	k := start(t, Config{Windows: Tumbling(time.Minute), EarlyEvery: 10 * time.Second, Accumulate: true}, true)
	k.ClockTo(1000 * sec)
	k.add(t, 1, 600*sec, Counted)
	if at, ok := k.NextClock(); !ok || at != 1010*sec {
		t.Fatalf("the clock is needed at %d, %v", at, ok)
	}
	k.ClockTo(1005 * sec)
	k.add(t, 2, 601*sec, Counted)
	k.wants(t)
	k.ClockTo(1010 * sec)
	k.wants(t, "k [600000 660000) early [1 2] @659999")
	if at, ok := k.NextClock(); ok {
		t.Fatalf("nothing new, but the clock is needed at %d", at)
	}
	k.add(t, 3, 602*sec, Counted)
	k.ClockTo(1030 * sec)
	k.wants(t, "k [600000 660000) early [1 2 3] @659999")
	k.advance(t, 660*sec, "k [600000 660000) on time [1 2 3] @659999")
}

// TestNothingIsAskedForAfterTheEnd: the clock has nothing to do any more once the input has ended, whatever was to come early.
func TestNothingIsAskedForAfterTheEnd(t *testing.T) {
	for _, w := range []Windows{Tumbling(time.Minute), Session(time.Minute), Global()} {
		k := start(t, Config{Windows: w, EarlyEvery: 10 * time.Second, Accumulate: true}, true)
		k.ClockTo(1000 * sec)
		k.add(t, 1, 600*sec, Counted)
		k.AdvanceTo(Forever)
		if got := k.take(); len(got) != 1 {
			t.Errorf("%+v: panes %q, want one", w, got)
		}
		if at, ok := k.NextClock(); ok {
			t.Errorf("%+v: the clock is needed at %d", w, at)
		}
	}
}

// TestTimesOfTheLastPanes: what the end of the input brings is not older than the watermark before it.
func TestTimesOfTheLastPanes(t *testing.T) {
	for _, cfg := range []Config{{Windows: Global()}, {Windows: Tumbling(time.Hour), Processing: true}} {
		k := start(t, cfg, true)
		k.ClockTo(1)
		k.add(t, 1, 10*sec, Counted)
		k.AdvanceTo(50 * sec)
		k.AdvanceTo(Forever - 1) // idle
		k.AdvanceTo(Forever)
		if got := k.take(); len(got) != 1 || !strings.HasSuffix(got[0], "on time [1] @50000") {
			t.Errorf("%+v: panes %q, want one of 50 seconds", cfg.Windows, got)
		}
	}
}

// TestLatePanesAreHeldFor lets the output watermark wait for windows that may still have late panes, also for those that nothing was kept of.
func TestLatePanesAreHeldFor(t *testing.T) {
	k := start(t, Config{Windows: Tumbling(10 * time.Second), Lateness: 5 * time.Second, Accumulate: true, HoldLate: true}, true)
	k.add(t, 1, 11*sec, Counted)
	for _, step := range []struct{ mark, out int64 }{{12 * sec, 12 * sec}, {20 * sec, 20*sec - 1}, {24 * sec, 20*sec - 1}, {25 * sec, 25 * sec}} {
		out, err := k.AdvanceTo(step.mark)
		if err != nil || out > step.out || out < min(step.out, step.mark-5*sec-1) {
			t.Errorf("at %d the output watermark is %d, %v, want %d", step.mark, out, err, step.out)
		}
		if step.mark == 24*sec {
			k.add(t, 2, 12*sec, Counted)
		}
	}
	k.wants(t, "k [10000 20000) on time [1] @19999", "k [10000 20000) late [1 2] @19999")
	k.add(t, 3, 13*sec, Late)
	out, err := k.AdvanceTo(34 * sec)
	k.add(t, 4, 22*sec, Counted)
	if k.wants(t, "k [20000 30000) late [4] @29999"); err != nil || out > 29_999 {
		t.Errorf("the output watermark is %d, %v, and a pane of 29999 comes", out, err)
	}
}

func TestIdleAndEnd(t *testing.T) {
	k := start(t, Config{Windows: Tumbling(10 * time.Second), Processing: true}, true)
	k.ClockTo(5 * sec)
	k.add(t, 1, 0, Counted)
	if out, err := k.AdvanceTo(Forever - 1); out != Forever-1 || err != nil {
		t.Errorf("idle: %d, %v", out, err)
	}
	k.wants(t)
	k.advance(t, Forever, "k [0 10000) on time [1] @0")
}

// TestResumeFromBeforeTheEnd goes back from behind the end of input: what comes again by the clock is counted.
func TestResumeFromBeforeTheEnd(t *testing.T) {
	k := start(t, Config{Windows: Tumbling(10 * time.Second), Processing: true}, true)
	k.ClockTo(5 * sec)
	k.advance(t, Forever)
	k.Resume(0)
	k.ClockTo(6 * sec)
	k.add(t, 1, 0, Counted)
	k.ClockTo(10 * sec)
	k.wants(t, "k [0 10000) on time [1] @0")
}

func TestErrorsOfEmitComeBack(t *testing.T) {
	full := errors.New("full")
	k := &plain[int]{panes: map[string]map[Span]*Acc[int]{}}
	c, err := New(Config{Windows: Tumbling(time.Second)}, Aggregator[int, int, int]{Add: func(a *int, v int) { *a += v }, Result: func(a *int) int { return *a }},
		State[string, int]{k, &alarms{}, &alarms{}}, func(Pane[string, int]) error { return full })
	if err != nil {
		t.Fatal(err)
	}
	c.Add("k", 1, 1)
	if _, err := c.AdvanceTo(sec); !errors.Is(err, full) {
		t.Errorf("emit's error is %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]Config{
		"the slide is at least 1 and at most the size": {Windows: CountSliding(3, 4)},
		"of 0 records":                          {Windows: CountTumbling(0)},
		"whole milliseconds":                    {Windows: Tumbling(1500 * time.Microsecond)},
		"from one up":                           {Windows: Tumbling(0)},
		"up to a hundred years":                 {Windows: Session(math.MaxInt64)},
		"the slide is at least 1 ms":            {Windows: Sliding(time.Second, 2*time.Second)},
		"a record would be in 86400000 windows": {Windows: Sliding(24*time.Hour, time.Millisecond)},
		"not negative":                          {Windows: Global(), EarlyCount: -1},
		"lateness of 1µs":                       {Windows: Global(), Lateness: time.Microsecond},
		"counted windows have no early panes":   {Windows: CountTumbling(1), EarlyCount: 2},
		"lateness needs event time":             {Windows: Tumbling(time.Second), Processing: true, Lateness: time.Second},
		"event times end with the year 9999":    {Windows: Tumbling(time.Second), Latest: MaxTime + 1},
	} {
		if _, err := newKit(cfg, true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	if _, err := newKit(Config{Windows: Session(time.Second)}, false); !errors.Is(err, errMerge) {
		t.Errorf("sessions without Merge: %v", err)
	}
	if _, err := New(Config{Windows: Global()}, Aggregator[int, int, int]{}, State[string, int]{}, nil); err == nil {
		t.Error("an aggregator without functions is taken")
	}
}

// TestAddAllocatesNothing is the budget of a record for a window that is there.
func TestAddAllocatesNothing(t *testing.T) {
	for name, cfg := range map[string]Config{
		"tumbling": {Windows: Tumbling(time.Minute)}, "sliding": {Windows: Sliding(time.Minute, time.Second)}, "session": {Windows: Session(time.Minute)},
		"count": {Windows: CountTumbling(1 << 30)},
	} {
		k := &plain[int]{panes: map[string]map[Span]*Acc[int]{}}
		c, err := New(cfg, Aggregator[int, int, int]{Add: func(a *int, v int) { *a += v }, Merge: func(a, b *int) { *a += *b }, Result: func(a *int) int { return *a }},
			State[string, int]{k, &alarms{}, &alarms{}}, func(Pane[string, int]) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		c.Add("k", 1, 1000*sec)
		if n := testing.AllocsPerRun(500, func() { c.Add("k", 1, 1000*sec) }); n > 0 {
			t.Errorf("%s: a record allocates %v times", name, n)
		}
	}
}

// FuzzCore gives a Core bytes as records and watermarks and compares with the naive model.
func FuzzCore(f *testing.F) {
	f.Add(uint64(1), uint8(3), true)
	f.Add(uint64(99), uint8(7), false)
	names := make([]string, 0, len(modelled))
	for n := range modelled {
		names = append(names, n)
	}
	slices.Sort(names)
	f.Fuzz(func(t *testing.T, seed uint64, which uint8, merge bool) {
		cfg := modelled[names[int(which)%len(names)]]
		if cfg.Windows.kind == session {
			merge = true
		}
		compareToModel(t, cfg, merge, newRand(seed), 150)
	})
}

func ExampleCore() {
	st := State[string, int]{&plain[int]{panes: map[string]map[Span]*Acc[int]{}}, &alarms{}, &alarms{}}
	count := Aggregator[int, string, int]{Add: func(n *int, _ string) { *n++ }, Result: func(n *int) int { return *n }}
	core, _ := New(Config{Windows: Tumbling(10 * time.Second)}, count, st, func(p Pane[string, int]) error {
		fmt.Printf("%s [%d, %d): %d\n", p.Key, p.Span.Start, p.Span.End, p.Out)
		return nil
	})
	core.Add("user", "click", 11_000)
	core.Add("user", "click", 12_000)
	core.AdvanceTo(21_000)
	outcome, _ := core.Add("user", "click", 13_000)
	fmt.Println(outcome)
	// Output:
	// user [10000, 20000): 2
	// late
}
