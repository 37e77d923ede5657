package window

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// naive does what windows mean in the plainest way: every window has a list, every step looks at all of them.
type naive struct {
	cfg     Config
	mark    int64
	seen    int64 // the last mark before the end
	now     int64
	windows map[string][]*naiveWindow
	got     []string
	counts  map[string]int64
	all     map[string][]naiveRecord
}

type naiveRecord struct {
	v  int
	at int64
}

type naiveWindow struct {
	span    Span
	records []int
	fresh   []int
	last    int64
	fired   bool
	alarm   int64 // of the early pane; 0: none
}

func (n *naive) pane(k string, w *naiveWindow, timing Timing) {
	list := w.fresh
	if n.cfg.Accumulate {
		list = w.records
	}
	at := w.span.End - 1
	if w.span.End == Forever || n.cfg.Processing {
		at = max(w.last, n.seen)
	}
	n.got = append(n.got, show(Pane[string, string]{k, w.span, timing, at, fmt.Sprint(sorted(list))}))
	w.fresh = nil
}

// spans are the windows that t is in, by trying all starts near it.
func (n *naive) spans(t int64) []Span {
	w := n.cfg.Windows
	switch w.kind {
	case global:
		return []Span{{0, Forever}}
	case session:
		return []Span{{t, t + w.size}}
	}
	var all []Span
	for start := t - w.size - w.slide; start <= t; start++ {
		if (start-w.offset)%w.slide == 0 && start <= t && t < start+w.size {
			all = append(all, Span{start, start + w.size})
		}
	}
	return all
}

func (n *naive) add(k string, v int, at int64) Outcome {
	if n.cfg.Windows.kind == counted {
		n.addCounted(k, v, at)
		return Counted
	}
	t, progress := at, n.mark
	if n.cfg.Processing {
		t, progress = n.now, n.now
	}
	lateness := n.cfg.Lateness.Milliseconds()
	outcome := Late
	for _, s := range n.spans(t) {
		w := n.window(k, s)
		if plus(w.span.End, lateness) <= progress {
			continue
		}
		if !slices.Contains(n.windows[k], w) {
			n.windows[k] = append(n.windows[k], w)
		}
		outcome = Counted
		w.records, w.fresh, w.last = append(w.records, v), append(w.fresh, v), max(w.last, at)
		switch {
		case w.span.End <= progress:
			n.pane(k, w, AfterTime)
			w.fired = true
		case n.cfg.EarlyCount > 0 && len(w.fresh) >= int(n.cfg.EarlyCount):
			n.pane(k, w, Early)
		}
	}
	return outcome
}

// window finds or makes a window; a session takes in those that it touches.
func (n *naive) window(k string, s Span) *naiveWindow {
	w := &naiveWindow{span: s}
	if n.cfg.Windows.kind != session {
		for _, o := range n.windows[k] {
			if o.span == s {
				return o
			}
		}
		return w
	}
	var rest []*naiveWindow
	for _, o := range n.windows[k] {
		if o.span.Start >= s.End || o.span.End <= s.Start {
			rest = append(rest, o)
			continue
		}
		w.span = Span{min(w.span.Start, o.span.Start), max(w.span.End, o.span.End)}
		w.records, w.fresh, w.last = append(w.records, o.records...), append(w.fresh, o.fresh...), max(w.last, o.last)
	}
	n.windows[k] = rest
	return w
}

func (n *naive) addCounted(k string, v int, at int64) {
	n.all[k] = append(n.all[k], naiveRecord{v, at})
	all, w := n.all[k], n.cfg.Windows
	if int64(len(all))%w.slide != 0 {
		return
	}
	p := &naiveWindow{span: Span{max(0, int64(len(all))-w.size), int64(len(all))}}
	for _, r := range all[p.span.Start:] {
		p.records, p.last = append(p.records, r.v), max(p.last, r.at)
	}
	n.got = append(n.got, show(Pane[string, string]{k, p.span, OnTime, max(p.last, n.mark), fmt.Sprint(sorted(p.records))}))
}

// advance ends windows up to the time of theirs.
func (n *naive) advance() {
	progress := n.mark
	if n.cfg.Processing {
		progress = n.now
	}
	for k, list := range n.windows {
		var rest []*naiveWindow
		for _, w := range list {
			if w.span.End <= progress && !w.fired {
				if w.fired = true; len(w.fresh) > 0 || n.cfg.Accumulate {
					n.pane(k, w, OnTime)
				}
			}
			if plus(w.span.End, n.cfg.Lateness.Milliseconds()) > progress {
				rest = append(rest, w)
			}
		}
		n.windows[k] = rest
	}
}

func (n *naive) take() []string {
	got := n.got
	n.got = nil
	slices.Sort(got)
	return got
}

var modelled = map[string]Config{
	"tumbling":                    {Windows: Tumbling(10 * time.Millisecond)},
	"tumbling, offset, late":      {Windows: Tumbling(10 * time.Millisecond).Offset(-3 * time.Millisecond), Lateness: 15 * time.Millisecond, Accumulate: true},
	"tumbling, late, new only":    {Windows: Tumbling(10 * time.Millisecond), Lateness: 15 * time.Millisecond},
	"tumbling, early":             {Windows: Tumbling(20 * time.Millisecond), EarlyCount: 3},
	"tumbling, early, all":        {Windows: Tumbling(20 * time.Millisecond), EarlyCount: 2, Accumulate: true, Lateness: 5 * time.Millisecond},
	"sliding":                     {Windows: Sliding(20*time.Millisecond, 5*time.Millisecond)},
	"sliding, uneven":             {Windows: Sliding(20*time.Millisecond, 7*time.Millisecond).Offset(2 * time.Millisecond)},
	"sliding, late":               {Windows: Sliding(20*time.Millisecond, 7*time.Millisecond), Lateness: 13 * time.Millisecond, Accumulate: true},
	"sliding, late, new only":     {Windows: Sliding(20*time.Millisecond, 7*time.Millisecond), Lateness: 13 * time.Millisecond},
	"sliding, early":              {Windows: Sliding(20*time.Millisecond, 5*time.Millisecond), EarlyCount: 4, Accumulate: true},
	"tumbling, late, held":        {Windows: Tumbling(10 * time.Millisecond), Lateness: 15 * time.Millisecond, Accumulate: true, HoldLate: true},
	"sliding, late, held":         {Windows: Sliding(20*time.Millisecond, 7*time.Millisecond), Lateness: 13 * time.Millisecond, Accumulate: true, HoldLate: true},
	"session, late, held":         {Windows: Session(8 * time.Millisecond), Lateness: 20 * time.Millisecond, HoldLate: true},
	"session":                     {Windows: Session(8 * time.Millisecond)},
	"session, late":               {Windows: Session(8 * time.Millisecond), Lateness: 20 * time.Millisecond, Accumulate: true},
	"session, late, new, early":   {Windows: Session(8 * time.Millisecond), Lateness: 20 * time.Millisecond, EarlyCount: 2},
	"global, early":               {Windows: Global(), EarlyCount: 5, Accumulate: true},
	"count":                       {Windows: CountTumbling(4)},
	"count, sliding":              {Windows: CountSliding(7, 3)},
	"count, sliding, even":        {Windows: CountSliding(6, 2)},
	"clock, tumbling":             {Windows: Tumbling(10 * time.Millisecond), Processing: true},
	"clock, sliding":              {Windows: Sliding(20*time.Millisecond, 7*time.Millisecond), Processing: true},
	"clock, session":              {Windows: Session(8 * time.Millisecond), Processing: true},
	"clock, tumbling, early, all": {Windows: Tumbling(30 * time.Millisecond), Processing: true, EarlyCount: 2, Accumulate: true},
}

// TestAgainstNaiveModel feeds out-of-order records, some late, and compares every pane and outcome step by step.
func TestAgainstNaiveModel(t *testing.T) {
	for name, cfg := range modelled {
		for _, merge := range []bool{true, false} {
			if !merge && cfg.Windows.kind == session {
				continue
			}
			t.Run(fmt.Sprint(name, ", merging ", merge), func(t *testing.T) {
				for seed := range uint64(15) {
					compareToModel(t, cfg, merge, newRand(seed), 400)
				}
			})
		}
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

func compareToModel(t *testing.T, cfg Config, merge bool, r *rand.Rand, steps int) {
	t.Helper()
	k, err := newKit(cfg, merge)
	if err != nil {
		t.Fatal(err)
	}
	m := &naive{cfg: cfg, windows: map[string][]*naiveWindow{}, all: map[string][]naiveRecord{}}
	clock, late, out := int64(100), 0, int64(0)
	k.ClockTo(clock)
	m.now = clock
	for step := range steps {
		if r.IntN(3) > 0 {
			clock += r.Int64N(4)
			if r.IntN(50) == 0 {
				clock += 200
			}
		}
		key, at := fmt.Sprint("k", r.IntN(3)), max(1, clock-r.Int64N(40))
		got, err := k.Add(key, step, at)
		if want := m.add(key, step, at); err != nil || got != want {
			t.Fatalf("step %d: record at %d is %v, %v, want %v", step, at, got, err, want)
		} else if want == Late {
			late++
		}
		if r.IntN(4) == 0 {
			m.now = clock
			if cfg.Processing {
				m.advance()
			}
			if err := k.ClockTo(clock); err != nil {
				t.Fatal(err)
			}
			m.mark = max(m.mark, clock-r.Int64N(30))
			m.seen = m.mark
			if !cfg.Processing {
				m.advance()
			}
			o, err := k.AdvanceTo(m.mark)
			if err != nil || o < out || o > m.mark {
				t.Fatalf("step %d: output watermark %d, %v at %d, it was %d", step, o, err, m.mark, out)
			}
			out, k.out = o, o
		}
		if got, want := k.take(), m.take(); !slices.Equal(got, want) {
			t.Fatalf("step %d, watermark %d, clock %d: panes\n%q, want\n%q", step, m.mark, m.now, got, want)
		}
	}
	m.mark, m.now = Forever, Forever
	m.advance()
	if o, err := k.AdvanceTo(Forever); err != nil || o != Forever {
		t.Fatalf("at the end: %d, %v", o, err)
	}
	if got, want := k.take(), m.take(); !slices.Equal(got, want) {
		t.Fatalf("at the end panes\n%q, want\n%q", got, want)
	}
	if len(k.older) > 0 {
		t.Fatalf("late for who gets them: %q", k.older)
	}
	if n := k.panes.size(); n > 0 && cfg.Windows.kind != counted || len(k.ends.all) > 0 {
		t.Fatalf("at the end %d panes and %d timers are left", n, len(k.ends.all))
	}
}
