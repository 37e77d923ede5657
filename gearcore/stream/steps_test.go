package stream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gearstorm/gearstorm/gearcore"
	"github.com/gearstorm/gearstorm/gearcore/state"
	"github.com/gearstorm/gearstorm/gearcore/stream"
	"github.com/gearstorm/gearstorm/gearcore/stream/streamtest"
	"github.com/gearstorm/gearstorm/gearcore/window"
)

// end ends a stream in an output of the test.
func end[T any](s *stream.Stream[T], name string) {
	stream.To(s, name, stream.SinkFunc[T](func(T, time.Time) error { return nil }))
}

// timed is a source of the test whose events come up to two seconds out of order.
func timed[T any](t *stream.Topology, name string, opts ...stream.Option) *stream.Stream[T] {
	return stream.From(t, name, stream.Slice[T](nil), append(opts, stream.SourceTimes[T](stream.Bounded(2*time.Second)))...)
}

type Click struct {
	User string
	Page string
	N    int
}

func byUser(s *stream.Stream[Click]) *stream.Keyed[string, Click] {
	return stream.KeyBy(s, "by-user", func(c Click) string { return c.User })
}

var at = streamtest.At

func TestWindowsOfEveryKind(t *testing.T) {
	sum := func(n *int, c Click) { *n += c.N }
	for _, tc := range []struct {
		name string
		w    window.Windows
		opts []stream.WindowOption
		want []any
	}{
		{"tumbling", window.Tumbling(10 * time.Second), nil, []any{"a@[0,10000)=3", "b@[0,10000)=4", "a@[20000,30000)=8"}},
		{"sliding", window.Sliding(20*time.Second, 10*time.Second), nil,
			[]any{"a@[-10000,10000)=3", "b@[-10000,10000)=4", "a@[0,20000)=3", "b@[0,20000)=4", "a@[10000,30000)=8", "a@[20000,40000)=8"}},
		{"count", window.CountTumbling(2), nil, []any{"a@[0,2)=3"}},
		{"early", window.Tumbling(10 * time.Second), []stream.WindowOption{stream.EarlyCount(2), stream.Accumulating()},
			[]any{"a@[0,10000)=3 early", "a@[0,10000)=3", "b@[0,10000)=4", "a@[20000,30000)=8"}},
		{"global", window.Global(), nil, []any{"a@[0,9223372036854775807)=11", "b@[0,9223372036854775807)=4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			top := stream.New("t")
			end(stream.Fold(stream.Window(byUser(timed[Click](top, "clicks")), tc.w, tc.opts...), "sum", sum), "out")
			h := streamtest.Run(t, top)
			h.Send("clicks", at(1, Click{"a", "x", 1}), at(5, Click{"a", "y", 2}), at(7, Click{"b", "x", 4}), at(25, Click{"a", "x", 8}))
			h.Crash().End().Expect("out", tc.want...)
		})
	}
}

func TestSessionsReduceAndGather(t *testing.T) {
	top := stream.New("t")
	keyed := byUser(timed[Click](top, "clicks", stream.Parallelism(2)))
	w := stream.Window(keyed, window.Session(5*time.Second))
	end(stream.Reduce(w, "sum", func(a, b Click) Click { a.N += b.N; return a }), "sums")
	end(stream.Gather(w, "pages", func(cs []Click) string {
		var pages []string
		for _, c := range cs {
			pages = append(pages, c.Page)
		}
		return strings.Join(pages, ">")
	}, stream.Parallelism(3)), "paths")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{"a", "x", 1}), at(3, Click{"b", "x", 2}), at(4, Click{"a", "y", 4}), at(30, Click{"b", "z", 8}))
	h.Checkpoint().Rescale("pages", 1).End()
	h.Expect("sums", "a@[1000,9000)={a x 5}", "b@[3000,8000)={b x 2}", "b@[30000,35000)={b z 8}")
	h.Expect("paths", "a@[1000,9000)=x>y", "b@[3000,8000)=x", "b@[30000,35000)=z")
}

func TestLatenessMakesMorePanes(t *testing.T) {
	top := stream.New("t")
	counts := stream.Count(stream.Window(byUser(timed[Click](top, "clicks")), window.Tumbling(10*time.Second),
		stream.Lateness(10*time.Second), stream.Accumulating()), "count")
	end(counts, "out")
	end(stream.Late[Click](counts), "late")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{User: "a"}), at(12, Click{User: "a"})).Expect("out", "a@[0,10000)=1")
	h.Send("clicks", at(2, Click{User: "a"})).Expect("out", "a@[0,10000)=2 late")
	h.Send("clicks", at(22, Click{User: "a"})).Send("clicks", at(3, Click{User: "c"})).Expect("late", Click{User: "c"})
}

func TestWindowsByTheClock(t *testing.T) {
	top := stream.New("t")
	clicks := stream.From(top, "clicks", stream.Slice[Click](nil))
	end(stream.Map(stream.Count(stream.Window(byUser(clicks), window.Tumbling(10*time.Second), stream.ByClock()), "count"), "only",
		func(p stream.Pane[string, int64]) string { return fmt.Sprint(p.Key, p.Value) }), "out")
	h := streamtest.Run(t, top)
	h.Send("clicks", Click{User: "a"}, Click{User: "a"}).Advance(9 * time.Second).Expect("out")
	h.Checkpoint().Crash().Send("clicks", Click{User: "b"}).Advance(time.Second).Expect("out", "a2", "b1")
	h.Send("clicks", Click{User: "a"}).Advance(time.Hour).Expect("out", "a1")
	if times := h.Times("out"); !times[0].IsZero() {
		t.Errorf("what is of values without a time is of %v", times[0])
	}
}

func TestJoins(t *testing.T) {
	top := stream.New("t")
	clicks := byUser(timed[Click](top, "clicks"))
	names := stream.KeyBy(timed[[]string](top, "names"), "by-first", func(n []string) string { return n[0] })
	w := stream.Window(clicks, window.Tumbling(10*time.Second))
	pairs := stream.Join(w, names, "pairs", func(k string, c Click, n []string) string { return k + ":" + c.Page + n[1] })
	end(pairs, "pairs-out")
	end(stream.Late[Click](pairs), "late")
	end(stream.LateRight[[]string](pairs), "late-names")
	end(stream.CoGroup(w, names, "sides", func(k string, s stream.Sides[Click, []string], emit func(string)) {
		emit(fmt.Sprint(k, len(s.Left), len(s.Right)))
	}, stream.Parallelism(2)), "sides-out")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{User: "a", Page: "x"}), at(2, Click{User: "a", Page: "y"}), at(3, Click{User: "b", Page: "x"}))
	h.Send("names", at(4, []string{"a", "A"}), at(15, []string{"a", "B"}), at(5, []string{"c", "C"}))
	h.Crash().Send("clicks", at(14, Click{User: "a", Page: "z"}))
	h.Send("names", at(3, []string{"a", "late"})).Send("clicks", at(3, Click{User: "b"}))
	h.Expect("late-names", []string{"a", "late"}).Expect("late", Click{User: "b"})
	h.End().Expect("pairs-out", "a:xA", "a:yA", "a:zB").Expect("sides-out", "a2 1", "b1 0", "c0 1", "a1 1")
}

// tally emits a user's clicks when there was none for ten seconds of event time, or one by the clock for a minute.
type tally struct {
	n    *stream.Value[string, int]
	last *stream.Value[string, int64]
	seen *stream.Table[string, string, int]
	path *stream.List[string, string]
}

func newTally(s *stream.State[string]) stream.Processor[string, Click, string] {
	return &tally{stream.NewValue[int](s, "n"), stream.NewValue[int64](s, "last"), stream.NewTable[string, int](s, "seen"), stream.NewList[string](s, "path")}
}

func (p *tally) Process(c Click, s *stream.Scope[string, string]) error {
	if c.Page == "error" {
		return errors.New("no such page")
	}
	p.n.Update(func(n *int) { *n++ })
	p.seen.Update(c.Page, func(n *int) { *n++ })
	p.path.Append(c.Page)
	due := s.Time().Add(10 * time.Second)
	if last, ok := p.last.Get(); ok {
		s.DropTimer(time.UnixMilli(last))
	}
	p.last.Set(due.UnixMilli())
	s.SetTimer(due)
	s.SetClockTimer(s.Now().Add(time.Minute))
	return nil
}

func (p *tally) Timer(at time.Time, s *stream.Scope[string, string]) error {
	last, ok := p.last.Get()
	if !ok {
		return nil
	}
	how := "clock"
	if at.UnixMilli() == last {
		how = "event"
	}
	n, _ := p.n.Get()
	x, _ := p.seen.Get("x")
	s.Emit(fmt.Sprint(s.Key(), n, x, p.path.Len(), how))
	p.n.Delete()
	p.last.Delete()
	p.seen.Clear()
	p.path.Delete()
	return nil
}

func TestProcessKeepsStateAndTimers(t *testing.T) {
	top := stream.New("t")
	end(stream.Process(byUser(timed[Click](top, "clicks")), "tally", newTally, stream.Parallelism(2)), "out")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{User: "a", Page: "x"}), at(4, Click{User: "a", Page: "y"}), at(5, Click{User: "b", Page: "x"}))
	h.Rescale("tally", 3).Send("clicks", at(13, Click{User: "b", Page: "x"})).Expect("out")
	h.Rollback().Rescale("tally", 1).Send("clicks", at(17, Click{User: "c", Page: "z"})).Expect("out", "a2 1 2event")
	h.Advance(2*time.Minute).Expect("out", "b2 2 2clock", "c1 0 1clock")
	h.Send("clicks", at(20, Click{User: "c", Page: "error"}))
	if errs := h.Errors(); len(errs) != 1 || !strings.Contains(errs[0].Error(), "no such page") {
		t.Errorf("errors %v", errs)
	}
}

// After a rollback the watermark of a step is not behind the checkpoint's, though an input that was idle then is.
func TestWatermarkAfterARollback(t *testing.T) {
	top := stream.New("t")
	from := func(name string) *stream.Stream[Click] {
		return stream.From(top, name, stream.Slice[Click](nil), stream.SourceTimes[Click](stream.Bounded(0).IdleAfter(time.Minute)))
	}
	end(stream.Process(byUser(stream.Union(from("left"), from("right"))), "marks", func(*stream.State[string]) stream.Processor[string, Click, int64] {
		return stream.ProcessFunc[string, Click, int64](func(_ Click, s *stream.Scope[string, int64]) error {
			s.Emit(s.Watermark().Unix())
			return nil
		})
	}), "out")
	h := streamtest.Run(t, top)
	h.Send("right", at(20, Click{User: "a"})).Send("left", at(100, Click{User: "a"})).Advance(time.Minute)
	h.Send("left", at(101, Click{User: "a"})).Send("left", at(102, Click{User: "a"})).Checkpoint()
	streamtest.Take[int64](h, "out")
	h.Rollback().Send("left", at(103, Click{User: "a"})).Expect("out", int64(102))
}

// brief keeps a user's last page for an hour of event time, and emits it half an hour later.
type brief struct{ page *stream.Value[string, string] }

func newBrief(s *stream.State[string]) stream.Processor[string, Click, string] {
	return &brief{stream.NewValue[string](s, "page", state.WithTTL(state.TTL{After: time.Hour, EventTime: true}))}
}

func (b *brief) Process(c Click, s *stream.Scope[string, string]) error {
	b.page.Set(c.Page)
	s.SetTimer(s.Time().Add(30 * time.Minute))
	s.SetTimer(s.Time().Add(90 * time.Minute))
	return nil
}

func (b *brief) Timer(at time.Time, s *stream.Scope[string, string]) error {
	page, ok := b.page.Get()
	s.Emit(fmt.Sprint(s.Key(), at.Unix(), page, ok))
	return nil
}

// A timer finds what has not expired by its moment, also when the watermark has gone far beyond it at once.
func TestTimersBeforeWhatExpires(t *testing.T) {
	top := stream.New("t")
	end(stream.Process(byUser(timed[Click](top, "clicks")), "brief", newBrief), "out")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1000, Click{User: "x"})).Send("clicks", at(1000, Click{User: "a", Page: "p"}))
	streamtest.Take[string](h, "out")
	h.Send("clicks", at(100000, Click{User: "z"})).Expect("out", "x2800true", "x6400false", "a2800ptrue", "a6400false")
}

// beats is a Processor with a timer every ten seconds.
type beats struct{}

func (beats) Process(_ Click, s *stream.Scope[string, string]) error {
	s.SetTimer(s.Time().Add(10 * time.Second))
	return nil
}

func (beats) Timer(at time.Time, s *stream.Scope[string, string]) error {
	s.Emit(fmt.Sprint(s.Key(), at.Unix()))
	if !s.Ended() {
		s.SetTimer(at.Add(10 * time.Second))
	}
	return nil
}

// A timer that sets the next one each time knows when there is no more input.
func TestTimersAtTheEnd(t *testing.T) {
	top := stream.New("t")
	end(stream.Process(byUser(timed[Click](top, "clicks")), "beats", func(*stream.State[string]) stream.Processor[string, Click, string] { return beats{} }), "out")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{User: "a"})).Watermark("clicks", 25).Expect("out", "a11", "a21")
	h.End().Expect("out", "a31")
}

func TestUnionAndAssignedTimes(t *testing.T) {
	top := stream.New("t")
	parse := func(s *stream.Stream[string], name string) *stream.Stream[Click] {
		parsed := stream.Map(s, name+"-parse", func(s string) Click { return Click{User: s[:1], N: int(s[1] - '0')} })
		return stream.AssignTimes(parsed, name+"-times", func(c Click) time.Time {
			if c.N == 0 {
				return time.Time{}
			}
			return time.Unix(int64(c.N), 0)
		}, stream.Bounded(0).IdleAfter(time.Minute))
	}
	left := parse(stream.From(top, "left", stream.Slice[string](nil)), "left")
	right := parse(stream.From(top, "right", stream.Slice[string](nil)), "right")
	end(stream.Untimed[Click](left), "untimed")
	both := stream.Filter(stream.Union(left, right), "not-x", func(c Click) bool { return c.User != "x" })
	end(stream.Count(stream.Window(byUser(both), window.Tumbling(3*time.Second)), "count"), "out")
	h := streamtest.Run(t, top)
	h.Send("left", "a1", "a0", "x2", "b4").Expect("untimed", Click{User: "a"}).Expect("out")
	h.Send("right", "a2", "c3").Expect("out", "a@[0,3000)=2")
	h.Advance(time.Minute).Send("left", "b6").Expect("out", "b@[3000,6000)=1", "c@[3000,6000)=1")
	h.Send("right", "c5").Expect("out")
}

// Events without a time, or with one that cannot be, leave by the side output and move no clock: the others are not late.
func TestTimesThatAreNotBelieved(t *testing.T) {
	const begin = 4e9 // what the clock of a test shows first
	for _, c := range []struct {
		name string
		w    stream.Watermarks
		far  streamtest.Event
	}{
		{"a day", stream.Bounded(0), at(begin+86_460, Click{User: "far"})},
		{"an hour", stream.Bounded(0).MaxAhead(time.Hour), at(begin+3660, Click{User: "far"})},
		{"no bound", stream.Bounded(0).MaxAhead(-1), streamtest.AtTime(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), Click{User: "far"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			top := stream.New("t")
			clicks := stream.From(top, "clicks", stream.Slice[Click](nil), stream.SourceTimes[Click](c.w))
			end(stream.Untimed[Click](clicks), "untimed")
			end(stream.Count(stream.Window(byUser(clicks), window.Tumbling(10*time.Second)), "count"), "out")
			h := streamtest.Run(t, top)
			last := streamtest.AtTime(time.UnixMilli(int64(gearcore.End)), Click{User: "end"})
			h.Send("clicks", Click{User: "none"}, at(-1, Click{User: "old"}), c.far, last)
			h.Expect("untimed", Click{User: "none"}, Click{User: "old"}, Click{User: "far"}, Click{User: "end"})
			h.Send("clicks", at(1, Click{User: "a"}), at(11, Click{User: "a"})).Expect("out", "a@[0,10000)=1")
		})
	}
}

// After a rollback a task of a source does not wait for splits that another one has.
func TestSplitsOfOtherTasks(t *testing.T) {
	top := stream.New("t")
	clicks := stream.From(top, "clicks", stream.Slice[Click](nil), stream.SourceTimes[Click](stream.Bounded(0)), stream.Parallelism(2))
	end(stream.Count(stream.Window(byUser(clicks), window.Tumbling(10*time.Second)), "count"), "out")
	h := streamtest.Run(t, top)
	h.Send("clicks", at(1, Click{User: "a"}).In("x"), at(2, Click{User: "a"}).In("y")).Checkpoint().Rollback()
	h.Send("clicks", at(11, Click{User: "a"}).In("x"), at(12, Click{User: "a"}).In("y")).Expect("out", "a@[0,10000)=2")
}

// A task of a source that goes on with what two tasks had does not let the time of the one that is behind go by that of the other.
func TestOneTaskForTwo(t *testing.T) {
	top := stream.New("t")
	open, calls := false, 0
	clicks := stream.From(top, "clicks", stream.Generate(func(i int64) (Click, error) {
		switch calls++; {
		case !open && (i%2 == 1 || i >= 200), calls%40 < 2: // now and then there is a pause, in which the watermark goes on
			return Click{}, stream.ErrIdle
		case i >= 400:
			return Click{}, stream.ErrEnd
		}
		return Click{User: "a", N: int(i)}, nil
	}), stream.Times(func(c Click) time.Time { return time.Unix(int64(c.N)+1, 0) }, stream.Bounded(0)), stream.Parallelism(2))
	counts := stream.Count(stream.Window(byUser(clicks), window.Tumbling(10*time.Second)), "count")
	end(counts, "out")
	end(stream.Late[Click](counts), "late")
	h := streamtest.Run(t, top, streamtest.Sources())
	h.Rescale("clicks", 1)
	open = true
	for range 50 {
		h.Advance(time.Second)
	}
	h.Expect("late")
	sum := int64(0)
	for _, p := range streamtest.Take[stream.Pane[string, int64]](h, "out") {
		sum += p.Value
	}
	if sum != 400 {
		t.Errorf("%d clicks were counted, want 400", sum)
	}
}

// A source that has had no event at all is left out as a split without one is.
func TestIdleFromTheBeginning(t *testing.T) {
	top := stream.New("t")
	from := func(name string) *stream.Stream[Click] {
		return stream.From(top, name, stream.Slice[Click](nil), stream.SourceTimes[Click](stream.Bounded(0).IdleAfter(time.Minute)))
	}
	end(stream.Count(stream.Window(byUser(stream.Union(from("left"), from("right"))), window.Tumbling(3*time.Second)), "count"), "out")
	h := streamtest.Run(t, top)
	h.Send("left", at(1, Click{User: "a"}), at(4, Click{User: "a"})).Expect("out")
	h.Advance(time.Minute).Send("left", at(5, Click{User: "a"})).Expect("out", "a@[0,3000)=1")
}
