package gearstorm_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gearstorm/gearstorm"
	"github.com/gearstorm/gearstorm/compat/storm"
)

// recorded are the results of the topology of that name in Storm itself (integration/java/.../area has its source).
func recorded(t *testing.T, name string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("integration", "testdata", "java", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
}

// results collects what a topology finds out, a line each, in the form of the recorded ones.
type results struct {
	mu    sync.Mutex
	lines []string
	sums  map[string]string
	grown chan struct{}
}

func newResults() *results {
	return &results{sums: map[string]string{}, grown: make(chan struct{}, 1)}
}

func (r *results) add(line string) {
	r.mu.Lock()
	r.lines = append(r.lines, line)
	r.mu.Unlock()
	r.tell()
}

func (r *results) set(name, value string) {
	r.mu.Lock()
	r.sums[name] = value
	r.mu.Unlock()
	r.tell()
}

func (r *results) tell() {
	select {
	case r.grown <- struct{}{}:
	default:
	}
}

func (r *results) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.lines)
	for name, v := range r.sums {
		out = append(out, name+" = "+v)
	}
	slices.Sort(out)
	return out
}

// sink adds the values of tuples to the results.
func (r *results) sink() storm.BoltFunc {
	return func(t storm.Tuple, _ storm.Emitter) error {
		vals := make([]string, 0, t.Len())
		for _, v := range t.Values() {
			vals = append(vals, v.Text())
		}
		r.add(t.Component() + " [" + strings.Join(vals, ", ") + "]")
		return nil
	}
}

// feed emits rows in order, with their numbers as message ids.
type feed struct {
	rows        [][]any
	r           *results
	name        string
	next, acked int
}

func (f *feed) Open(ctx *storm.Context, _ *storm.Collector) error {
	f.name = ctx.Component
	return nil
}

func (f *feed) Ack(storm.Value, *storm.Collector) {
	f.acked++
	f.r.set(f.name+" acked", fmt.Sprint(f.acked))
}

func (f *feed) Fail(id storm.Value, _ *storm.Collector) { f.r.add(f.name + " failed " + id.Text()) }

func (f *feed) Next(c *storm.Collector) error {
	if f.next == len(f.rows) {
		return storm.ErrIdle
	}
	c.EmitID(storm.Long(int64(f.next)), f.rows[f.next]...)
	f.next++
	return nil
}

// numbers are numbers with a key and a time. Every second one is earlier than the one before, the most by jitter.
func numbers(r *results, jitter int) storm.SpoutFactory {
	var rows [][]any
	for n := range 200 {
		ts := 1000 + n*10
		if n >= 100 {
			ts += 5000 // a long time without any
		}
		if n%2 == 1 {
			ts -= jitter
		}
		rows = append(rows, []any{fmt.Sprintf("k%d", n%5), n, ts})
	}
	return func() storm.Spout { return &feed{rows: rows, r: r} }
}

// contents says what is in a window, how much of it is new and what left it, with the bounds of windows if bounds is set.
func contents(bounds bool) *storm.WindowedSpec {
	list := func(tuples []storm.Tuple) string {
		var ns []int64
		for _, t := range tuples {
			ns = append(ns, t.Int(t.FieldIndex("n")))
		}
		slices.Sort(ns)
		return strings.Join(strings.Fields(strings.Trim(fmt.Sprint(ns), "[]")), ",")
	}
	return storm.WindowedBy(func(w storm.Window, out storm.WindowEmitter) error {
		of := ""
		if bounds && w.Start.IsZero() {
			of = fmt.Sprintf("null..%d", w.End.UnixMilli())
		} else if bounds {
			of = fmt.Sprintf("%d..%d", w.Start.UnixMilli(), w.End.UnixMilli())
		}
		out.Emit(of, list(w.Tuples), len(w.New), list(w.Expired))
		return nil
	})
}

// total adds up the sizes of windows.
func total(r *results) *storm.WindowedSpec {
	return totalAs(r, func(tuples, fresh int) string { return fmt.Sprintf("%d tuples, %d new", tuples, fresh) })
}

// whole is total for the clock's time. Storm's window may miss what comes in the millisecond of its end, so its recording has a text
// for nearly all; ours has that only for all.
func whole(r *results) *storm.WindowedSpec {
	return totalAs(r, func(tuples, fresh int) string {
		if tuples == 200 && fresh == 200 {
			return "all tuples but 20 at most, each new"
		}
		return fmt.Sprintf("%d tuples, %d new", tuples, fresh)
	})
}

// totalAs adds up the sizes of windows and says the sums in a text.
func totalAs(r *results, text func(tuples, fresh int) string) *storm.WindowedSpec {
	tuples, fresh := 0, 0
	return storm.WindowedBy(func(w storm.Window, _ storm.WindowEmitter) error {
		tuples += len(w.Tuples)
		fresh += len(w.New)
		r.set("total", text(tuples, fresh))
		return nil
	})
}

func onTime(s *storm.WindowedSpec) *storm.WindowedSpec {
	return s.TimestampField("ts").Lag(50 * time.Millisecond).WatermarkInterval(100 * time.Millisecond)
}

func ms(n int) storm.Extent { return storm.Duration(time.Duration(n) * time.Millisecond) }

// Windows of Go bolts have what Storm's own had of the same tuples.
func TestWindowsAreStorms(t *testing.T) {
	timed := func(b *storm.TopologyBuilder, r *results, jitter int, all, each *storm.WindowedSpec) {
		b.SetSpout("numbers", numbers(r, jitter), 1).Fields("key", "n", "ts")
		b.SetBolt("all", all, 1).GlobalGrouping("numbers").Fields("bounds", "numbers", "fresh", "expired")
		b.SetBolt("each", each, 3).FieldsGrouping("numbers", "key").Fields("bounds", "numbers", "fresh", "expired")
		b.SetBolt("sink", r.sink(), 1).GlobalGrouping("all").GlobalGrouping("each")
	}
	for name, define := range map[string]func(b *storm.TopologyBuilder, r *results){
		"tumbling-count": func(b *storm.TopologyBuilder, r *results) {
			timed(b, r, 0, contents(false).Tumbling(storm.Count(7)), contents(false).Tumbling(storm.Count(10)))
		},
		"sliding-count": func(b *storm.TopologyBuilder, r *results) {
			timed(b, r, 0, contents(false).Window(storm.Count(10), storm.Count(4)), contents(false).Window(storm.Count(3), storm.Count(1)))
			b.SetBolt("total", total(r).Window(storm.Count(25), storm.Count(5)), 1).GlobalGrouping("numbers")
		},
		"tumbling-time": func(b *storm.TopologyBuilder, r *results) {
			timed(b, r, 0, onTime(contents(true).Tumbling(ms(100))), onTime(contents(true).Tumbling(ms(250))))
			b.SetBolt("total", whole(r).Tumbling(ms(200)), 1).GlobalGrouping("numbers") // the clock's time
		},
		"sliding-time": func(b *storm.TopologyBuilder, r *results) {
			timed(b, r, 35, onTime(contents(true).Window(ms(120), ms(40))), onTime(contents(true).Window(storm.Count(6), ms(100))))
			b.SetSpout("ordered", numbers(r, 0), 1).Fields("key", "n", "ts")
			b.SetBolt("total", onTime(total(r).Window(ms(100), storm.Count(1))), 1).GlobalGrouping("ordered")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, r := recorded(t, name), newResults()
			runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) { define(b, r) })
			if d := cmp.Diff(want, r.all()); d != "" {
				t.Errorf("Storm has -, we have +\n%s", d)
			}
		})
	}
}

// stragglers emits numbers on time in two parts, then late ones, then some on time. A tuple is acked when it expires, which a
// watermark brings about, so each part waits for an ack of the one before.
type stragglers struct {
	r           *results
	next, acked int64
	most        int64 // of the acked, plus one
}

func (s *stragglers) Open(*storm.Context, *storm.Collector) error { return nil }

func (s *stragglers) Next(c *storm.Collector) error {
	if s.next == 100 || s.next == 25 && s.most == 0 || s.next == 50 && s.most <= 25 {
		return storm.ErrIdle
	}
	ts := 1000 + 10*s.next
	if s.next >= 50 && s.next < 58 {
		ts = 900 + s.next
	}
	c.EmitID(storm.Long(s.next), s.next, ts)
	s.next++
	return nil
}

func (s *stragglers) Ack(id storm.Value, _ *storm.Collector) {
	s.most = max(s.most, id.Int()+1)
	s.acked++
	s.r.set("acked", fmt.Sprint(s.acked))
}

func (s *stragglers) Fail(id storm.Value, _ *storm.Collector) { s.r.add("failed " + id.Text()) }

// Late tuples go where Storm's go, and into no window.
func TestLateTuplesAreStorms(t *testing.T) {
	t.Parallel()
	want, r := recorded(t, "late-tuples"), newResults()
	runUntil(t, r, func() bool { return slices.Equal(r.all(), want) }, func(b *storm.TopologyBuilder) {
		b.SetSpout("numbers", storm.SpoutFactory(func() storm.Spout { return &stragglers{r: r} }), 1).Fields("n", "ts")
		window := contents(true).Tumbling(ms(100)).TimestampField("ts").WatermarkInterval(100 * time.Millisecond).LateStream("late")
		b.SetBolt("window", window, 1).GlobalGrouping("numbers").Fields("bounds", "numbers", "fresh", "expired")
		b.SetBolt("sink", r.sink(), 1).GlobalGrouping("window")
		b.SetBolt("late", storm.BoltFunc(func(t storm.Tuple, _ storm.Emitter) error {
			l, err := storm.LateTuple(t)
			if err == nil {
				r.add(fmt.Sprintf("late %d %d %s %s", l.Values[0].Int(), l.Values[1].Int(), l.Component, l.Stream))
			}
			return err
		}), 1).Grouping("window", "late", storm.Global())
	})
	if d := cmp.Diff(want, r.all()); d != "" {
		t.Errorf("Storm has -, we have +\n%s", d)
	}
}

// runUntil runs a topology until done says yes, which is asked whenever the results have grown, or for a while.
func runUntil(t *testing.T, r *results, done func() bool, define func(b *storm.TopologyBuilder)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-r.grown:
				if done() {
					cancel()
				}
			}
		}
	}()
	p := gearstorm.Program{Name: "windows", Define: func(b *storm.TopologyBuilder, _ []string) error {
		define(b)
		return nil
	}}
	if err := gearstorm.RunLocal(ctx, p, gearstorm.Options{}); err != nil {
		t.Error(err)
	}
}
