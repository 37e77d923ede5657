package stream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
